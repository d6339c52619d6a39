"""What one query may take of time and memory, shared by all that works for it. Pure."""

from __future__ import annotations

#: Instructions of all regular expressions of one query.
PROGRAM_MAX = 5_000
#: What its expressions remember together: places, and ways from one to another.
REMEMBERED_MAX = 1_000_000


class QueryStopped(Exception):
    """Nobody waits for the results any longer."""


class Bounds:
    """The bounds of one query. ``stop`` may be called while a thread works for it."""

    def __init__(self) -> None:
        self._stopped = False
        #: Instructions so far.
        self.program = 0
        #: What is remembered now.
        self.remembered = 0

    def stop(self) -> None:
        """The work ends at its next ``go_on``."""
        self._stopped = True

    def go_on(self) -> None:
        """To be called in every loop that may be long.

        Raises:
            QueryStopped: the query is over.
        """
        if self._stopped:
            raise QueryStopped


class Room:
    """How many bytes, about, one command may still keep."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, weight: int) -> bool:
        """Take some of it. False: there is not so much."""
        if weight > self._left:
            return False
        self._left -= weight
        return True
