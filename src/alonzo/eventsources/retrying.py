"""What becomes of a shard's batch that failed. Pure.

    failed --too old--------------------------> DISCARD the records that are
           --function error, bisect, more than one--> BISECT, which costs no retry
           --retries left---------------------> RETRY
           --else-----------------------------> DISCARD all

* A partial response fails from its lowest failed record on: what is before that is done. With
  bisect, the batch is cut there.
* Nothing after a record that is not done is handed over: a checkpoint never passes it.

Source: Lambda developer guide, "Retain discarded batch records" and "Report batch item failures"
of Kinesis and DynamoDB streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from alonzo.eventsources.items import Item
from alonzo.eventsources.settings import Settings


class Condition(StrEnum):
    """Why records were discarded; as the record of it says."""

    RETRIES = "RetryAttemptsExhausted"
    AGE = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class Attempted:
    """A batch and how often it has been handed over. ``retries`` does not count the first time."""

    items: tuple[Item, ...]
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Discard:
    """Records that are given up."""

    items: tuple[Item, ...]
    condition: Condition
    attempts: int


def split_expired(
    batch: Attempted, settings: Settings, now_s: float
) -> tuple[Attempted, Discard | None]:
    """Take out, before a call, what is older than records may be. Old ones come first."""
    limit_s = settings.record_age_s_max
    if limit_s is None:
        return batch, None
    kept = tuple(item for item in batch.items if now_s - item.arrived_at_s <= limit_s)
    if len(kept) == len(batch.items):
        return batch, None
    old = tuple(item for item in batch.items if now_s - item.arrived_at_s > limit_s)
    return Attempted(kept, batch.retries), Discard(old, Condition.AGE, batch.retries)


def after_failure(
    batch: Attempted, failed: Sequence[Item], settings: Settings
) -> list[Attempted] | Discard:
    """What to hand over next, in this order, after a call that failed; or what is given up.

    ``failed`` are those that failed, in the order of the batch; the first of them is what counts.
    What comes before it is done and not in the answer.
    """
    first = next(at for at, item in enumerate(batch.items) if item is failed[0])
    left = batch.items[first:]
    if settings.bisect and len(left) > 1:
        if first == 0:
            middle = (len(left) + 1) // 2
            return [
                Attempted(left[:middle], batch.retries),
                Attempted(left[middle:], batch.retries),
            ]
        return [Attempted(left, batch.retries)]
    if settings.retries_max is not None and batch.retries >= settings.retries_max:
        return Discard(left, Condition.RETRIES, batch.retries + 1)
    return [Attempted(left, batch.retries + 1)]
