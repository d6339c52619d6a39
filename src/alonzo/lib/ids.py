"""Identifiers as a value that is handed in, so that a test can make them predictable."""

from __future__ import annotations

import itertools
import os
from typing import Protocol


class IdSource(Protocol):
    """Where new identifiers come from."""

    def uuid(self) -> str:
        """A random (version 4) UUID in its 36-character lower-case form."""
        ...

    def hex(self, n_bytes: int) -> str:
        """``n_bytes`` random bytes as lower-case hex."""
        ...


class SystemIds:
    """Identifiers from the kernel's random generator. Unpredictable, so fit for secrets too."""

    def uuid(self) -> str:
        """A random (version 4) UUID; about 0.4 µs, against 2 µs for ``uuid.uuid4``."""
        try:
            return _READY.pop()
        except IndexError:
            _READY.extend(_random_uuids(_READY_MAX))
            return _READY.pop()

    def hex(self, n_bytes: int) -> str:
        """``n_bytes`` random bytes as lower-case hex. Long ones, as secrets are, are not kept."""
        if n_bytes > _PIECE_BYTES:
            return os.urandom(n_bytes).hex()
        try:
            piece = _PIECES.pop()
        except IndexError:
            _PIECES.extend(_random_pieces(_READY_MAX))
            piece = _PIECES.pop()
        return piece[: 2 * n_bytes]


#: UUIDs, and pieces of hex, made with one call of the kernel: at an invoke, each such call costs
#: more than all else here. Threads share them: a list gives each one away once.
_READY: list[str] = []
_PIECES: list[str] = []
_READY_MAX = 256
_PIECE_BYTES = 20

# A child of a fork must not give away its parent's once more.
os.register_at_fork(after_in_child=_READY.clear)
os.register_at_fork(after_in_child=_PIECES.clear)


def _random_pieces(count: int) -> list[str]:
    text, length = os.urandom(_PIECE_BYTES * count).hex(), 2 * _PIECE_BYTES
    return [text[at : at + length] for at in range(0, length * count, length)]


def _random_uuids(count: int) -> list[str]:
    text = os.urandom(16 * count).hex()
    return [
        f"{text[at : at + 8]}-{text[at + 8 : at + 12]}-4{text[at + 13 : at + 16]}-"
        f"{_VARIANT[text[at + 16]]}{text[at + 17 : at + 20]}-{text[at + 20 : at + 32]}"
        for at in range(0, 32 * count, 32)
    ]


#: The upper two bits of this digit are 1 and 0. Source: RFC 9562, 4.1.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class SequentialIds:
    """Identifiers that count up; for tests."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def uuid(self) -> str:
        """The next number, spelled as a UUID."""
        return f"00000000-0000-4000-8000-{next(self._count):012x}"

    def hex(self, n_bytes: int) -> str:
        """The next number, padded with zeros."""
        return f"{next(self._count):0{2 * n_bytes}x}"
