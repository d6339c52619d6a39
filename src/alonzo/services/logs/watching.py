"""Everybody who wants events as they are written: filters, metric filters and live tails.

    flush, PutLogEvents ─▶ watch_of() ─▶ look() in the thread that packs ─▶ store(), in the unit of
                           work of the events ─▶ show(), once that is durable

* What a subscription is to get, and the values of metrics, become durable in the commit of the
  events: nobody is told of an event that is not stored, and no stored event is forgotten.
* A group that nobody watches costs a look into a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from alonzo.model.ports.logs import FoundValue
from alonzo.services.logs.chunks import Chunk
from alonzo.services.logs.filters import FilterBook
from alonzo.services.logs.findings import Findings, Viewer, Watch, look
from alonzo.services.logs.pushing import OWN_GROUP_PAUSE_S, calls_itself
from alonzo.services.logs.rules import GroupKey
from alonzo.store.base import Connection
from alonzo.store.outbox import NewParcel, Outbox


class MetricJournal(Protocol):
    """Takes values that metric filters find. Implemented by ``services/cloudwatch``."""

    def encode_found(self, values: Iterable[FoundValue]) -> bytes:
        """The values as they are kept; runs in a thread."""
        ...

    def write_found(self, conn: Connection, body: bytes) -> None:
        """Keep them: part of a unit of work."""
        ...


class Watchers:
    """All who watch."""

    def __init__(
        self,
        book: FilterBook,
        outbox: Outbox,
        journal: MetricJournal,
        viewers: Mapping[GroupKey, Sequence[Viewer]],
    ) -> None:
        """``viewers`` are the live tails by group; others change it."""
        self._book = book
        self._outbox = outbox
        self._journal = journal
        self._viewers = viewers

    def watch_of(self, key: GroupKey) -> Watch | None:
        """Who watches a group now, or None."""
        filters, viewers = self._book.of(key), self._viewers.get(key, ())
        if filters is None and not viewers:
            return None
        if filters is None:
            return Watch(key, (), (), tuple(viewers))
        return Watch(key, filters.subscriptions, filters.metrics, tuple(viewers))

    def look(self, watch: Watch, stream: str, chunks: Sequence[Chunk], now_ms: int) -> Findings:
        """What is found in new chunks of a stream. Pure; in a thread."""
        return look(watch, stream, chunks, now_ms)

    def store(
        self,
        conn: Connection,
        watch: Watch,
        findings: Findings,
        chunk_ids: Sequence[int],
        now_s: float,
    ) -> None:
        """Part of the unit of work that has stored the chunks, under these ids."""
        if findings.values:
            self._journal.write_found(conn, self._journal.encode_found(findings.values))
        parcels = [
            NewParcel(
                each.filter.destination_arn,
                {"filter": each.filter.name, "chunk": chunk_ids[each.chunk]},
                each.places,
                # What a function logs about its own log makes it log again: slowly, then.
                now_s + OWN_GROUP_PAUSE_S
                if calls_itself(watch.group, each.filter.destination_arn)
                else None,
            )
            for each in findings.pushes
        ]
        if parcels:
            self._outbox.add(conn, parcels)

    def show(self, findings: Findings) -> None:
        """The events are durable: show them to those who look on."""
        for viewer, events, more in findings.shown:
            viewer.show(events, more)
