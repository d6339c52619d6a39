"""One run of a query: its commands, fed with pages of events, and the rows of its result.

Source: CloudWatch Logs API reference, StartQuery, GetQueryResults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from alonzo.services.logs import records
from alonzo.services.logs.insights.commands import WEIGHT_MAX, Command, Fields, Filter, Parse
from alonzo.services.logs.insights.parser import Query
from alonzo.services.logs.insights.rows import Row, show
from alonzo.services.logs.rules import GroupKey, expiry_cutoff_ms
from alonzo.services.logs.scan import FoundEvent, Scan, Window, group_chunks, merge_chunks
from alonzo.store.base import Connection
from alonzo.store.base import Row as StoreRow

#: The rows of an answer: the name and the value of each field.
Results = list[list[dict[str, str]]]

#: What a row of a result weighs beside its texts, and a cell of one.
_RESULT_WEIGHT, _CELL_WEIGHT = 100, 100
#: One page of events.
_PAGE_EVENTS = 5_000
_PAGE_BYTES = 4 << 20

_CHUNK_SHIFT, _CHUNK_MASK = 24, (1 << 120) - 1


@dataclass(slots=True)
class Page:
    """Events that were read together, each with its group, and where to go on."""

    events: list[tuple[FoundEvent, GroupKey]]
    resume_at: int | None


def answer_of(query: Query, events: Iterable[FoundEvent], log: str) -> Results:
    """The results of a query over events of one group, the newest first."""
    run = Run(query)
    for event in events:
        run.feed(Row({}, event, log))
    return run.finish()


class Run:
    """One run of a query's commands. Its methods run in threads, one after the other."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._commands: list[Command] = [make() for make in query.makers]
        # What comes before anything is gathered, or cut, says which events are meant.
        self._choosers = tuple(
            takewhile(lambda each: isinstance(each, Fields | Filter | Parse), self._commands)
        )
        self._results: Results = []
        self.weight = 0
        #: Events that matched.
        self.matched = 0

    @property
    def is_full(self) -> bool:
        """Whether more events would change nothing."""
        return self.weight > WEIGHT_MAX or any(each.is_full for each in self._commands)

    def feed(self, row: Row) -> None:
        """Take an event.

        Raises:
            QueryStopped: nobody waits any longer.
        """
        self._query.bounds.go_on()
        if all(command.push(row) for command in self._choosers):
            self.matched += 1
            self._push(row, len(self._choosers))

    def finish(self) -> Results:
        """All events have come: the results."""
        for at, command in enumerate(self._commands):
            for row in command.finish():
                self._push(row, at + 1)
        return self._results

    def _push(self, row: Row, start: int) -> None:
        rows = [row]
        for command in self._commands[start:]:
            rows = [following for each in rows for following in command.push(each)]
            if not rows:
                return
        for each in rows:
            self._take(each)

    def _take(self, row: Row) -> None:
        if self.weight > WEIGHT_MAX:
            return
        query = self._query
        shown: list[dict[str, str]] = []
        for name in query.columns:
            text = show(row.get(name), is_time=name in query.times)
            if text is not None:
                shown.append({"field": name, "value": text})
                self.weight += len(text) + len(name) + _CELL_WEIGHT
        row.forget()
        if row.pointer is not None:
            shown.append({"field": "@ptr", "value": row.pointer})
        self.weight += _RESULT_WEIGHT
        self._results.append(shown)


def read_page(conn: Connection, keys: Sequence[GroupKey], window: Window, now_ms: int) -> Page:
    """Events of the groups together, the newest first."""
    chunk_groups: dict[int, GroupKey] = {}

    def chunks_of(key: GroupKey) -> Iterator[StoreRow]:
        group = records.find_group(conn, key)
        if group is None:
            return
        cutoff_ms = expiry_cutoff_ms(group.retention_days, now_ms=now_ms)
        for row in group_chunks(conn, group.id, window, prefix="", forward=False):
            if row["last_ms"] >= cutoff_ms:
                chunk_groups[row["id"]] = key
                yield row

    scan = Scan(
        merge_chunks([chunks_of(key) for key in keys], forward=False),
        window,
        forward=False,
        events_max=_PAGE_EVENTS,
        bytes_max=_PAGE_BYTES,
    )
    events = [(event, chunk_groups[event.at >> _CHUNK_SHIFT & _CHUNK_MASK]) for event in scan]
    return Page(events, scan.stopped_at)
