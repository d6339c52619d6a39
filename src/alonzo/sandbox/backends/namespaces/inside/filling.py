"""Fills the free places of the heap before forks come, so that these share more of it.

Python puts what it makes into places that are free, here and there in pages full of other things,
and a fork copies each page that it writes to. Where no such place is left, what a fork makes is
put into new pages, side by side. Standard library, Python 3.8 or later.
"""

from __future__ import annotations

import ctypes
import sys

#: Python's own allocator: sizes of places, and where in its pool (since 3.10 of 16 KiB) the first
#: of them lies. Source: ``Objects/obmalloc.c``.
_SIZES = range(48, 513, 16)
_POOL_BYTES = 1 << 14 if sys.version_info >= (3, 10) else 1 << 12
_FIRST_PLACE = 48
_BYTES_OVERHEAD = sys.getsizeof(b"")
_PLACES_MAX = 1 << 15

#: The C library's: what is asked for, the largest first, and how often at most.
_CHUNKS = (1 << 15, 1 << 14, 1 << 13, 1 << 12, 1 << 11, 1 << 10, 768, 640, 520)
_CHUNKS_MAX = 4096
_ABOVE = 1 << 16

_kept: list[bytes] = []


def fill() -> None:
    """Fill the free places, for good."""
    _fill_chunks()
    for size in _SIZES:
        for _ in range(_PLACES_MAX):
            place = bytes(size - _BYTES_OVERHEAD)
            _kept.append(place)
            if id(place) % _POOL_BYTES == _FIRST_PLACE:
                break


def _fill_chunks() -> None:
    libc = ctypes.CDLL(None)
    malloc, free = libc.malloc, libc.free
    malloc.restype, malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    free.restype, free.argtypes = None, (ctypes.c_void_p,)
    above = malloc(_ABOVE) or 0
    for size in _CHUNKS:
        for _ in range(_CHUNKS_MAX):
            chunk = malloc(size) or 0
            if chunk >= above:
                free(chunk)
                break
    free(above)
