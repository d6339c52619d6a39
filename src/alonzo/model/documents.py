"""Values that are documents already, so that nobody takes them apart only to write them again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JsonElements:
    """A long list in the result of an operation, as JSON: its elements, with commas between them.

    Each piece holds one element or more. Only protocols whose documents are JSON hand it on, piece
    by piece; one member of a result may be one.
    """

    pieces: AsyncIterator[bytes]
