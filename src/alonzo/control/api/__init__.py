"""Lambda's operations on functions: one coroutine each, one module for each group.

An operation checks, decides, stores and answers. Whatever depends on what is stored is checked
again inside the unit of work that stores, so that operations beside each other see one order.
"""
