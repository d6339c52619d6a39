"""Functions to be called before a snapshot of the runtime is taken, and after one is restored.

The names and the order are those of AWS's package: what was registered last runs first before a
snapshot, what was registered first runs first after a restore. Both can be used as decorators.
"""

import sys

if sys.version_info < (3, 12):
    # AWS's older Pythons do not have it either.
    raise ModuleNotFoundError("No module named 'snapshot_restore_py'", name=__name__)

_before = []
_after = []


def register_before_snapshot(func, *args, **kwargs):
    """Have ``func`` called with these arguments before a snapshot is taken."""
    _before.insert(0, (func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Have ``func`` called with these arguments after a snapshot was restored."""
    _after.append((func, args, kwargs))
    return func


def get_before_snapshot():
    """What is to be called before a snapshot, in that order: function, arguments, keywords."""
    return _before


def get_after_restore():
    """What is to be called after a restore, in that order: function, arguments, keywords."""
    return _after
