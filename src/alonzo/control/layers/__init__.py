"""Layers: their versions as they lie in the store, and how functions come to use them.

``names`` reads names and ARNs, ``records`` is the store, ``rules`` decides, ``binding`` finds the
layers that a function asks for. The operations are in ``control/api``.
"""
