"""Code signing configurations: kept, attached to functions, and asked before code is taken.

``records`` is the store, ``rules`` decides. No signature can be checked here, so every package
counts as unsigned: a configuration that enforces signatures lets none through.
"""
