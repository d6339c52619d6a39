"""The memory that bodies share while they are taken in piece by piece.

Bytes count from when they come to when their handler asks for more. When too many are here, every
client waits, and what is here is handed on at once, however little it is. So the room is emptied as
fast as bytes can be put away, and who sends slowly takes no place from others.
"""

from __future__ import annotations

from typing import Protocol


class Guest(Protocol):
    """A body that is being taken in."""

    def press(self) -> None:
        """The room is full: have the client wait, and hand on what is here."""
        ...

    def relieve(self) -> None:
        """There is room again."""
        ...


class Room:
    """So many bytes, for any number of bodies. They may be over by what was read together."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._guests: set[Guest] = set()
        #: Bytes that are here now.
        self.n_bytes = 0
        #: Whether clients must wait: from when it is full to when half of it is free.
        self.is_full = False

    def enter(self, guest: Guest) -> None:
        """A body begins."""
        self._guests.add(guest)

    def leave(self, guest: Guest) -> None:
        """A body is over."""
        self._guests.discard(guest)

    def add(self, n_bytes: int) -> None:
        """So many bytes have come."""
        self.n_bytes += n_bytes
        if self.n_bytes >= self._bytes_max and not self.is_full:
            self.is_full = True
            for guest in list(self._guests):
                guest.press()

    def give_back(self, n_bytes: int) -> None:
        """So many bytes have gone."""
        self.n_bytes -= n_bytes
        if self.is_full and self.n_bytes <= self._bytes_max // 2:
            self.is_full = False
            for guest in list(self._guests):
                guest.relieve()
