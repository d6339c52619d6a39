"""StartQuery, GetQueryResults, StopQuery and their kin, and the running of queries.

    StartQuery ─▶ parsed and stored at once ─▶ its turn ─▶ page of events from the store ─▶ thread:
    commands ─▶ next page … ─▶ Complete, stored with its results

* A query reads its groups together, the newest event first, a page at a time: neither the store nor
  the event loop waits for it. It ends early once its limit is reached.
* In memory are the queries that run, and nothing of those that are over (``archive``).

Source: CloudWatch Logs API reference, each operation; quotas of Logs Insights.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.periodic import every
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, not_found
from alonzo.services.logs import records
from alonzo.services.logs.chunks import message_bytes
from alonzo.services.logs.errors import invalid, invalid_token
from alonzo.services.logs.insights.archive import (
    FAILED,
    SCHEDULED,
    Asked,
    Pages,
    QueryArchive,
    pack,
)
from alonzo.services.logs.insights.commands import ROWS_MAX
from alonzo.services.logs.insights.parser import Query, parse_query
from alonzo.services.logs.insights.records import record_of
from alonzo.services.logs.insights.rows import Row
from alonzo.services.logs.insights.run import Page, Run, read_page
from alonzo.services.logs.positions import opaque_token, read_opaque_token
from alonzo.services.logs.rules import GroupKey, group_by_identifier
from alonzo.services.logs.scan import Window
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Store, StoreError

log = logging.getLogger("alonzo.logs")

#: Groups of one query, and queries of one account that are not over.
GROUPS_MAX = 50
OPEN_MAX = 30
#: Queries that run at a time, and for how long one may, in seconds.
PARALLEL_MAX = 2
QUERY_S_MAX = 300.0
#: How often old queries are forgotten, in seconds.
_FORGET_EVERY_S = 3600.0
#: Times of requests are in seconds; what is greater than this is in milliseconds.
_SECONDS_MAX = 100_000_000_000
_GROUPS_PAGE_MAX = 500


@dataclass(slots=True)
class _Open:
    """A query that is not over."""

    asked: Asked
    query: Query
    groups: list[GroupKey]
    task: asyncio.Task[Any] | None = None


class QueryDesk:
    """Takes queries, runs them and hands out their results."""

    def __init__(self, store: Store, writer: LogWriter, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._ids = ids
        self._archive = QueryArchive(store, clock)
        self._open: dict[str, _Open] = {}
        self._turns = asyncio.Semaphore(PARALLEL_MAX)
        self._scope = TaskScope()

    async def open(self) -> None:
        """End what the last platform left behind, before the first request."""
        await self._archive.fail_cut()

    async def run(self) -> None:
        """Forget old queries until this is cancelled, and end what runs."""
        try:
            failed = partial(log.exception, "logs.queries_not_forgotten")
            await every(_FORGET_EVERY_S, self._archive.forget, on_error=failed)
        finally:
            await self._scope.close()

    async def start_query(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """StartQuery. It is stored when this returns."""
        if params.get("queryLanguage", "CWLI") != "CWLI":
            raise invalid("Only the query language CWLI is supported.")
        keys = _groups_of(context, params)
        start_ms, end_ms = _ms(params["startTime"]), _ms(params["endTime"])
        if end_ms < start_ms:
            raise invalid("The end time must not be before the start time.")
        query = await asyncio.to_thread(
            parse_query, params["queryString"], params.get("limit", ROWS_MAX)
        )
        await self._writer.flush()
        await self._store.read(lambda conn: [records.need_group(conn, key) for key in keys])
        of = (context.account, context.region)
        if sum(each.asked.of == of for each in self._open.values()) >= OPEN_MAX:
            raise AwsError(
                "LimitExceededException", f"An account can run {OPEN_MAX} queries at a time."
            )
        asked = Asked(
            self._ids.uuid(),
            *of,
            params["queryString"],
            [key.name for key in keys],
            start_ms,
            # The end is inclusive, to its last millisecond.
            end_ms + (999 if params["endTime"] < _SECONDS_MAX else 0),
            self._clock.now_s(),
            context.principal.arn,
        )
        begun = self._open[asked.id] = _Open(asked, query, keys)
        try:
            await self._archive.add(asked)
        except BaseException:
            del self._open[asked.id]
            raise
        begun.task = self._scope.spawn(self._run(begun), name=f"logs.query {asked.id}")
        return {"queryId": asked.id}

    async def get_query_results(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetQueryResults. There are results once the query is over."""
        asked = await self._find(context, params["queryId"])
        start = _offset(params.get("nextToken"))
        end = min(start + (params.get("maxItems") or ROWS_MAX), asked.rows)
        answer: dict[str, Any] = {
            "queryLanguage": "CWLI",
            "results": await self._archive.results(asked.id, start, end),
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
        if end < asked.rows:
            answer["nextToken"] = opaque_token(str(end))
        return answer

    async def stop_query(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """StopQuery."""
        asked = await self._find(context, params["queryId"])
        begun = self._open.get(asked.id)
        if begun is None or not await self._end(begun, "Cancelled", Pages()):
            # The text is ours. Source: StopQuery, of a query that has ended.
            raise invalid(f"Query with id {asked.id} is not running.")
        if begun.task is not None:
            begun.task.cancel()
        return {"success": True}

    async def describe_queries(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeQueries, the last ones first."""
        group, status = params.get("logGroupName"), params.get("status")
        kept = await self._archive.listed(context.account, context.region)
        found = [
            _described(each, self._clock.now_s())
            for each in [await self._as_of_now(each) for each in kept]
            if status in (None, each.status)
            and (group is None or group in each.groups)
            and params.get("queryLanguage", "CWLI") == "CWLI"
        ]
        start = _offset(params.get("nextToken"))
        end = start + params.get("maxResults", 1000)
        answer: dict[str, Any] = {"queries": found[start:end]}
        if end < len(found):
            answer["nextToken"] = opaque_token(str(end))
        return answer

    async def list_log_groups_for_query(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListLogGroupsForQuery."""
        asked = await self._find(context, params["queryId"])
        start = _offset(params.get("nextToken"))
        end = start + (params.get("maxResults") or _GROUPS_PAGE_MAX)
        answer: dict[str, Any] = {"logGroupIdentifiers": asked.groups[start:end]}
        if end < len(asked.groups):
            answer["nextToken"] = opaque_token(str(end))
        return answer

    async def get_log_record(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """GetLogRecord: the event that ``@ptr`` of a result names."""
        now_ms = int(self._clock.now_s() * 1000)
        pointer: str = params["logRecordPointer"]
        where = (context.account, context.region)
        record = await self._store.read(lambda db: record_of(db, pointer, where, now_ms))
        if record is None:
            raise invalid("The specified log record pointer is not valid.")
        return {"logRecord": record}

    async def _find(self, context: RequestContext, query_id: str) -> Asked:
        asked = await self._archive.find(query_id)
        if asked is None or asked.of != (context.account, context.region):
            raise not_found(f"Query with id {query_id} does not exist.")
        return await self._as_of_now(asked)

    async def _as_of_now(self, asked: Asked) -> Asked:
        """A query with what memory knows of it; one that nobody runs could not be stored."""
        if asked.status != SCHEDULED:
            return asked
        begun = self._open.get(asked.id)
        if begun is not None:
            return begun.asked
        # It may have ended since it was read.
        again = await self._archive.find(asked.id)
        if again is not None and again.status != SCHEDULED:
            return again
        return replace(asked, status=FAILED, ended_s=asked.created_s)

    async def _end(self, begun: _Open, status: str, pages: Pages) -> bool:
        """Store what became of a query. False: it was over before."""
        asked = begun.asked
        ended = replace(asked, status=status, ended_s=self._clock.now_s(), rows=pages.count)
        is_first = await self._archive.end(ended, pages)
        self._open.pop(asked.id, None)
        return is_first

    async def _run(self, begun: _Open) -> None:
        status, pages = FAILED, Pages()
        try:
            async with self._turns:
                begun.asked.status = "Running"
                await faults.reach("logs.query_running")
                async with asyncio.timeout(QUERY_S_MAX):
                    pages = await self._answer(begun)
                status = "Complete"
        except TimeoutError:
            status = "Timeout"
        except Exception:
            log.exception("logs.query_failed")
        finally:
            # What a thread still does for it ends, too.
            begun.query.bounds.stop()
        try:
            await self._end(begun, status, pages)
        except StoreError:
            log.exception("logs.query_not_kept")
            self._open.pop(begun.asked.id, None)

    async def _answer(self, begun: _Open) -> Pages:
        await self._writer.flush()
        asked, run = begun.asked, Run(begun.query)
        window: Window | None = Window.of_times(asked.start_ms, asked.end_ms)
        now_ms = int(self._clock.now_s() * 1000)
        while window is not None and not run.is_full:
            page = await self._store.read(
                lambda conn, window=window: read_page(conn, begun.groups, window, now_ms)
            )
            await asyncio.to_thread(_feed, run, asked, page)
            asked.matched = run.matched
            window = None if page.resume_at is None else window.before(page.resume_at)

        return await asyncio.to_thread(lambda: pack(asked.id, run.finish()))


def _feed(run: Run, asked: Asked, page: Page) -> None:
    """Have a run take a page of events, in a thread."""
    for event, group in page.events:
        if run.is_full:
            return
        asked.scanned += 1
        asked.scanned_bytes += message_bytes(event.message)
        run.feed(Row({}, event, f"{group.account}:{group.name}"))


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


def _described(asked: Asked, now_s: float) -> Mapping[str, Any]:
    ended_s = now_s if asked.ended_s is None else asked.ended_s
    return {
        "queryLanguage": "CWLI",
        "queryId": asked.id,
        "queryString": asked.text,
        "status": asked.status,
        "createTime": int(asked.created_s * 1000),
        "logGroupName": asked.groups[0],
        "queryDuration": int((ended_s - asked.created_s) * 1000),
        "bytesScanned": float(asked.scanned_bytes),
        "userIdentity": asked.asker,
    }
