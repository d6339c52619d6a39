"""Function URLs as data: who may have one, and how it is set.

``rules`` decides, ``records`` is the store; the edge serves them.
"""
