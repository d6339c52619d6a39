"""Event source mappings at work: sources are read, and functions called with what they hold.

``engine`` knows which mappings run. ``queues`` and ``shards`` run one, each for sources of its
shape; ``batching``, ``filtering``, ``responses``, ``retrying``, ``scaling`` and ``backoff`` decide;
``pollers`` know one source each.
"""
