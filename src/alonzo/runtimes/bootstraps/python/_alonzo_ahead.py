"""What AWS's own client has imported before a function's code runs.

A module of the function that is called like one of these, or like one that they import, is not
found, there as here.
"""

import importlib

AHEAD = (
    "concurrent.futures", "datetime", "decimal", "http.client", "logging", "math", "ssl",
    "traceback", "urllib.parse",
)  # fmt: skip


def import_ahead():
    """Import it all: some 20 ms."""
    for name in AHEAD:
        importlib.import_module(name)
