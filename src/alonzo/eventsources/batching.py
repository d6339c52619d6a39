"""How items become batches, and batches payloads. Pure.

A batch is closed by the first of: as many items as the mapping says, its window, or 6 MB of
payload. An item that would make a batch too long opens the next one. One that is too long alone
makes a batch of its own, which Lambda will refuse.

Source: Lambda developer guide, event source mappings, "Batching behavior".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alonzo.eventsources.items import Item

_HEAD = b'{"Records":['
_TAIL = b"]}"
#: So that each item may count a comma, though the first has none.
_EMPTY_BYTES = len(_HEAD) + len(_TAIL) - 1


def payload_of(items: Iterable[Item], head: bytes = _HEAD, tail: bytes = _TAIL) -> bytes:
    """The event that a function gets for a batch."""
    return head + b",".join(item.document for item in items) + tail


@dataclass(frozen=True, slots=True)
class BatchRule:
    """When a batch is full. ``bytes_max`` is of its payload."""

    items_max: int
    bytes_max: int


class OpenBatch:
    """The batches that are being made of what comes in; all but the last are closed."""

    def __init__(self, rule: BatchRule, opened_at_s: float = 0.0) -> None:
        self._rule = rule
        self._bytes = _EMPTY_BYTES
        self._batches: list[list[Item]] = [[]]
        #: When its first item came, by the caller's clock.
        self.opened_at_s = opened_at_s

    def __len__(self) -> int:
        """Items of all its batches."""
        return sum(len(batch) for batch in self._batches)

    @property
    def room(self) -> int:
        """How many more items the last batch takes; 0 once one is closed: it is time to go."""
        if len(self._batches) > 1:
            return 0
        return max(0, self._rule.items_max - len(self._batches[-1]))

    def add(self, items: Iterable[Item], now_s: float) -> None:
        """Take items in their order."""
        for item in items:
            if not len(self):
                self.opened_at_s = now_s
            batch, n_bytes = self._batches[-1], len(item.document) + 1
            too_long = self._bytes + n_bytes > self._rule.bytes_max
            if batch and (too_long or len(batch) >= self._rule.items_max):
                batch = list[Item]()
                self._batches.append(batch)
                self._bytes = _EMPTY_BYTES
            batch.append(item)
            self._bytes += n_bytes

    def take(self) -> list[list[Item]]:
        """The batches, none of them empty."""
        return [batch for batch in self._batches if batch]


def without_groups(items: Iterable[Item], blocked: set[str]) -> tuple[list[Item], list[Item]]:
    """Items that may be handed over, and those of groups in which an earlier one has failed."""
    free: list[Item] = []
    held: list[Item] = []
    for item in items:
        (held if item.group is not None and item.group in blocked else free).append(item)
    return free, held


def groups_of(items: Iterable[Item]) -> set[str]:
    """The groups that items are of."""
    return {item.group for item in items if item.group is not None}


def index_by_id(items: Iterable[Item]) -> Mapping[str, Item]:
    """Items by what a response calls them; of several with the same id, the first."""
    found: dict[str, Item] = {}
    for item in items:
        found.setdefault(item.id, item)
    return found
