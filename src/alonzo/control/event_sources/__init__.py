"""Event source mappings as data: checked, kept, and moved from state to state.

``kinds`` is a table of the sources, ``rules`` decides, ``machine`` has the states, ``sources`` asks
of a source whether it can be read, ``records`` is the store, and ``reconciler`` has the pollers of
``eventsources`` do as the mappings say.
"""
