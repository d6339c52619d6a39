"""The heap of the C library, where it is glibc's. Elsewhere nothing happens."""

from __future__ import annotations

import contextlib
import ctypes

#: What mallopt(3) calls how many heaps threads may have.
_M_ARENA_MAX = -8


def share_one() -> None:
    """Have threads, which mostly wait for each other, take memory from one heap.

    Otherwise each has its own and keeps what it has freed: 3 MiB at rest.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Give back what was freed. It takes a millisecond: for after something large, done rarely."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
