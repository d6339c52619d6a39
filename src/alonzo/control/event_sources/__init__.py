"""Event source mappings as data: checked, kept, and moved from state to state.

``kinds`` is a table of the sources, ``rules`` decides, ``machine`` has the states, ``records`` is
the store and ``reconciler`` ends what is under way. Nothing reads from any source yet.
"""
