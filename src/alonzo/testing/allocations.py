"""How much memory Python code takes while it runs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def allocated() -> Generator[Callable[[], int], None, None]:
    """Gives a function that says how many bytes the block held at its height, beyond what was."""
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
