"""StartQuery, GetQueryResults, StopQuery and DescribeQueries, and the running of queries.

    StartQuery ─▶ parsed at once ─▶ its turn ─▶ page of events from the store ─▶ thread: commands ─▶
    next page … ─▶ Complete

* A query reads its groups together, the newest event first, a page at a time: neither the store nor
  the event loop waits for it. It ends early once its limit is reached.
* Queries and results are in memory, the last ones: they do not outlive the platform.

Source: CloudWatch Logs API reference, each operation; quotas of Logs Insights.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, not_found
from alonzo.services.logs import records
from alonzo.services.logs.chunks import message_bytes
from alonzo.services.logs.errors import invalid, invalid_token
from alonzo.services.logs.insights.commands import ROWS_MAX, WEIGHT_MAX, Command
from alonzo.services.logs.insights.parser import Query, parse_query
from alonzo.services.logs.insights.rows import Row, show
from alonzo.services.logs.positions import opaque_token, read_opaque_token
from alonzo.services.logs.rules import GroupKey, expiry_cutoff_ms, group_by_identifier
from alonzo.services.logs.scan import FoundEvent, Scan, Window, group_chunks, merge_chunks
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Connection, Store, StoreError
from alonzo.store.base import Row as StoreRow

log = logging.getLogger("alonzo.logs")

#: Groups of one query, and queries of one account that are not over.
GROUPS_MAX = 50
OPEN_MAX = 30
#: Queries that run at a time, and for how long one may, in seconds.
PARALLEL_MAX = 2
QUERY_S_MAX = 300.0
#: Queries that are remembered, and characters of their results in all.
_KEPT_MAX = 200
_KEPT_WEIGHT_MAX = 128 << 20
#: One page of events.
_PAGE_EVENTS = 5_000
_PAGE_BYTES = 4 << 20
#: Times of requests are in seconds; what is greater than this is in milliseconds.
_SECONDS_MAX = 100_000_000_000

_CHUNK_SHIFT, _CHUNK_MASK = 24, (1 << 120) - 1


#: The rows of an answer: the name and the value of each field.
Results = list[list[dict[str, str]]]

#: What a row of a result weighs beside its texts.
_RESULT_WEIGHT = 100


@dataclass(slots=True)
class _Asked:
    """A query that was asked."""

    id: str
    of: tuple[str, str]
    text: str
    query: Query
    groups: Sequence[GroupKey]
    start_ms: int
    end_ms: int
    created_s: float
    asker: str
    status: str = "Scheduled"
    results: Results = field(default_factory=list[list[dict[str, str]]])
    weight: int = 0
    scanned: int = 0
    scanned_bytes: int = 0
    matched: int = 0
    ended_s: float | None = None
    task: asyncio.Task[Any] | None = None

    @property
    def is_open(self) -> bool:
        return self.status in ("Scheduled", "Running")


class QueryDesk:
    """Takes queries, runs them and keeps their results."""

    def __init__(self, store: Store, writer: LogWriter, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._ids = ids
        self._asked: OrderedDict[str, _Asked] = OrderedDict()
        self._turns = asyncio.Semaphore(PARALLEL_MAX)
        self._scope = TaskScope()

    async def run(self) -> None:
        """End what runs when this is cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await self._scope.close()

    async def start_query(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """StartQuery."""
        if params.get("queryLanguage", "CWLI") != "CWLI":
            raise invalid("Only the query language CWLI is supported.")
        keys = _groups_of(context, params)
        start_ms, end_ms = _ms(params["startTime"]), _ms(params["endTime"])
        if end_ms < start_ms:
            raise invalid("The end time must not be before the start time.")
        query = parse_query(params["queryString"], params.get("limit", ROWS_MAX))
        await self._writer.flush()
        await self._store.read(lambda conn: [records.need_group(conn, key) for key in keys])
        of = (context.account, context.region)
        if sum(each.is_open and each.of == of for each in self._asked.values()) >= OPEN_MAX:
            raise AwsError(
                "LimitExceededException", f"An account can run {OPEN_MAX} queries at a time."
            )
        asked = _Asked(
            self._ids.uuid(),
            of,
            params["queryString"],
            query,
            keys,
            start_ms,
            # The end is inclusive, to its last millisecond.
            end_ms + (999 if params["endTime"] < _SECONDS_MAX else 0),
            self._clock.now_s(),
            context.principal.arn,
        )
        self._asked[asked.id] = asked
        self._make_room()
        asked.task = self._scope.spawn(self._run(asked), name=f"logs.query {asked.id}")
        return {"queryId": asked.id}

    async def get_query_results(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetQueryResults. There are results once the query is over."""
        asked = self._find(context, params["queryId"])
        start = _offset(params.get("nextToken"))
        end = start + (params.get("maxItems") or ROWS_MAX)
        answer: dict[str, Any] = {
            "queryLanguage": "CWLI",
            "results": asked.results[start:end],
            "statistics": {
                "recordsMatched": float(asked.matched),
                "recordsScanned": float(asked.scanned),
                "estimatedRecordsSkipped": 0.0,
                "bytesScanned": float(asked.scanned_bytes),
                "estimatedBytesSkipped": 0.0,
                "logGroupsScanned": float(len(asked.groups)),
            },
            "status": asked.status,
        }
        if end < len(asked.results):
            answer["nextToken"] = opaque_token(str(end))
        return answer

    async def stop_query(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """StopQuery. One that is over stays as it is."""
        asked = self._find(context, params["queryId"])
        if not asked.is_open:
            return {"success": False}
        self._end(asked, "Cancelled")
        if asked.task is not None:
            asked.task.cancel()
        return {"success": True}

    async def describe_queries(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeQueries, the last ones first."""
        group, status = params.get("logGroupName"), params.get("status")
        of = (context.account, context.region)
        found = [
            _described(each, self._clock.now_s())
            for each in reversed(self._asked.values())
            if each.of == of
            and status in (None, each.status)
            and (group is None or any(key.name == group for key in each.groups))
            and params.get("queryLanguage", "CWLI") == "CWLI"
        ]
        start = _offset(params.get("nextToken"))
        end = start + params.get("maxResults", 1000)
        answer: dict[str, Any] = {"queries": found[start:end]}
        if end < len(found):
            answer["nextToken"] = opaque_token(str(end))
        return answer

    def _find(self, context: RequestContext, query_id: str) -> _Asked:
        asked = self._asked.get(query_id)
        if asked is None or asked.of != (context.account, context.region):
            raise not_found(f"Query with id {query_id} does not exist.")
        return asked

    def _make_room(self) -> None:
        weight = sum(each.weight for each in self._asked.values())
        for each in list(self._asked.values()):
            if len(self._asked) <= _KEPT_MAX and weight <= _KEPT_WEIGHT_MAX:
                return
            if not each.is_open:
                weight -= each.weight
                del self._asked[each.id]

    def _end(self, asked: _Asked, status: str) -> None:
        asked.status, asked.ended_s = status, self._clock.now_s()

    async def _run(self, asked: _Asked) -> None:
        async with self._turns:
            if not asked.is_open:
                return
            asked.status = "Running"
            try:
                async with asyncio.timeout(QUERY_S_MAX):
                    await self._answer(asked)
            except TimeoutError:
                self._end(asked, "Timeout")
            except (StoreError, AwsError):
                log.exception("logs.query_failed")
                self._end(asked, "Failed")
            except Exception:
                log.exception("logs.query_failed")
                self._end(asked, "Failed")

    async def _answer(self, asked: _Asked) -> None:
        await self._writer.flush()
        run = _Run(asked.query)
        window: Window | None = Window.of_times(asked.start_ms, asked.end_ms)
        now_ms = int(self._clock.now_s() * 1000)
        while window is not None and not run.is_full:
            page = await self._store.read(
                lambda conn, window=window: _page(conn, asked.groups, window, now_ms)
            )
            await asyncio.to_thread(_feed, run, asked, page)
            window = None if page.resume_at is None else window.before(page.resume_at)
        asked.results = await asyncio.to_thread(run.finish)
        asked.weight, asked.matched = run.weight, len(asked.results)
        if asked.is_open:
            self._end(asked, "Complete")
        self._make_room()


@dataclass(slots=True)
class _Page:
    """Events that were read together, each with its group, and where to go on."""

    events: list[tuple[FoundEvent, GroupKey]]
    resume_at: int | None


def answer_of(query: Query, events: Iterable[FoundEvent], log: str) -> Results:
    """The results of a query over events of one group, the newest first."""
    run = _Run(query)
    for event in events:
        run.feed(Row({}, event, log))
    return run.finish()


class _Run:
    """One run of a query's commands. Its methods run in threads, one after the other."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._commands: list[Command] = [make() for make in query.makers]
        self._results: Results = []
        self.weight = 0

    @property
    def is_full(self) -> bool:
        """Whether more events would change nothing."""
        return self.weight > WEIGHT_MAX or any(each.is_full for each in self._commands)

    def feed(self, row: Row) -> None:
        """Take an event."""
        self._push(row, 0)

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
                self.weight += len(text) + len(name)
        if row.pointer is not None:
            shown.append({"field": "@ptr", "value": row.pointer})
        self.weight += _RESULT_WEIGHT
        self._results.append(shown)


def _feed(run: _Run, asked: _Asked, page: _Page) -> None:
    """Have a run take a page of events, in a thread."""
    for event, group in page.events:
        if run.is_full:
            return
        asked.scanned += 1
        asked.scanned_bytes += message_bytes(event.message)
        run.feed(Row({}, event, f"{group.account}:{group.name}"))


def _page(conn: Connection, keys: Sequence[GroupKey], window: Window, now_ms: int) -> _Page:
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
    return _Page(events, scan.stopped_at)


def _groups_of(context: RequestContext, params: Mapping[str, Any]) -> list[GroupKey]:
    given = [
        name
        for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers")
        if params.get(name)
    ]
    if len(given) != 1:
        raise invalid(
            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers is required."
        )
    names = params[given[0]]
    names = [names] if isinstance(names, str) else names
    if len(names) > GROUPS_MAX:
        raise invalid(f"A query reads at most {GROUPS_MAX} log groups.")
    keys = [
        group_by_identifier(name, account=context.account, region=context.region) for name in names
    ]
    return list(dict.fromkeys(keys))


def _ms(at: int) -> int:
    return at * 1000 if at < _SECONDS_MAX else at


def _offset(token: str | None) -> int:
    if not token:
        return 0
    text = read_opaque_token(token)
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise invalid_token()
    return int(text)


def _described(asked: _Asked, now_s: float) -> Mapping[str, Any]:
    ended_s = now_s if asked.ended_s is None else asked.ended_s
    return {
        "queryLanguage": "CWLI",
        "queryId": asked.id,
        "queryString": asked.text,
        "status": asked.status,
        "createTime": int(asked.created_s * 1000),
        "logGroupName": asked.groups[0].name,
        "queryDuration": int((ended_s - asked.created_s) * 1000),
        "bytesScanned": float(asked.scanned_bytes),
        "userIdentity": asked.asker,
    }
