"""What callers want done with the events of a function, version or alias.

``rules`` decides, ``records`` is the store; ``invoke/event_life.py`` is where it is honoured.
"""
