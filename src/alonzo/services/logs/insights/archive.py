"""Queries and their results in the store: for seven days, as long as there is room.

A query is stored before its id is known to anybody, and once more when it is over, with its
results in one commit. What was not over when the platform died is Failed after the next start.

Source: CloudWatch Logs quotas: results are kept for seven days.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import orjson

from alonzo.lib.clock import Clock
from alonzo.model.documents import JsonElements
from alonzo.model.errors import not_found
from alonzo.services.logs.insights.rows import whole
from alonzo.services.logs.insights.run import Results
from alonzo.services.logs.records import Q
from alonzo.store.base import Connection, Row, Store

#: For how long queries are kept, in seconds.
KEPT_S = 7 * 86_400
#: Ours: queries of an account in a region, and bytes of their results, compressed.
KEPT_MAX = 1_000
KEPT_BYTES_MAX = 256 << 20
#: Rows of one page of results, and characters.
_PAGE_ROWS, _PAGE_WEIGHT = 1_000, 1 << 20
#: Results up to this are handed out as values, in bytes of their JSON.
_WHOLE_BYTES_MAX = 64 << 10
#: Queries that one unit of work deletes, or that one statement reads.
_SOME = 100

SCHEDULED, FAILED = "Scheduled", "Failed"


@dataclass(slots=True)
class Asked:
    """A query that was asked, as it is kept. Times are epoch seconds or milliseconds."""

    id: str
    account: str
    region: str
    text: str
    groups: list[str]
    start_ms: int
    end_ms: int
    created_s: float
    asker: str
    status: str = SCHEDULED
    scanned: int = 0
    scanned_bytes: int = 0
    matched: int = 0
    #: Results.
    rows: int = 0
    ended_s: float | None = None

    @property
    def of(self) -> tuple[str, str]:
        """Account and region."""
        return self.account, self.region


#: What has columns of its own.
_COLUMNS = ("id", "account", "region", "created_s", "status")


@dataclass(frozen=True, slots=True)
class Pages:
    """Results made ready to be stored."""

    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple[Mapping[str, Any], ...])

    @property
    def bytes(self) -> int:
        """What they take."""
        return sum(len(row["body"]) for row in self.rows)

    @property
    def count(self) -> int:
        """How many rows of a result they hold."""
        return sum(row["rows"] for row in self.rows)


def pack(query_id: str, results: Results) -> Pages:
    """Make results ready, for a thread: they may be long."""
    rows: list[Mapping[str, Any]] = []
    for first, part in _parts(results):
        body = zlib.compress(_encode(part), 3)
        rows.append({"query_id": query_id, "first": first, "rows": len(part), "body": body})
    return Pages(rows)


def _parts(results: Results) -> Iterator[tuple[int, Results]]:
    part: Results = []
    first = weight = 0
    for place, row in enumerate(results):
        part.append(row)
        weight += sum(len(cell["value"]) for cell in row)
        if len(part) >= _PAGE_ROWS or weight >= _PAGE_WEIGHT:
            yield first, part
            part, first, weight = [], place + 1, 0
    if part:
        yield first, part


def _encode(part: Results) -> bytes:
    try:
        return orjson.dumps(part)
    except TypeError:
        return orjson.dumps(
            [[{name: whole(text) for name, text in cell.items()} for cell in row] for row in part]
        )


def _cut(page: Row, start: int, end: int) -> bytes:
    """The rows of a page from ``start`` to, and without, ``end``, as JSON with commas between."""
    body = zlib.decompress(page["body"])
    first = page["first"]
    if start > first or end < first + page["rows"]:
        rows = cast("Results", orjson.loads(body))
        body = orjson.dumps(rows[max(0, start - first) : end - first])
    return body[1:-1]


async def _continued(begun: list[bytes], more: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in begun:
        yield piece
    begun.clear()
    async for piece in more:
        yield piece


class QueryArchive:
    """Queries in the store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def fail_cut(self) -> None:
        """End what the last platform did not: it failed."""

        def work(db: Connection) -> bool:
            rows = db.all(Q.open_queries, {"limit": _SOME})
            for row in rows:
                asked = asked_from(row)
                asked.status, asked.ended_s = FAILED, self._clock.now_s()
                _end(db, asked, Pages())
            return len(rows) == _SOME

        while await self._store.tx(work):
            pass

    async def add(self, asked: Asked) -> None:
        """Keep a query that begins."""
        values = _values(asked)

        def work(db: Connection) -> None:
            db.execute(Q.add_query, values)
            _make_room(db, asked)

        await self._store.tx(work)

    async def end(self, asked: Asked, pages: Pages) -> bool:
        """Keep what became of a query. False: it was over before."""

        def work(db: Connection) -> bool:
            if not _end(db, asked, pages):
                return False
            _make_room(db, asked)
            return True

        return await self._store.tx(work)

    async def find(self, query_id: str) -> Asked | None:
        """A query, or None."""
        row = await self._store.read(lambda db: db.one(Q.find_query, {"id": query_id}))
        return None if row is None else asked_from(row)

    async def results(self, query_id: str, start: int, end: int) -> Results | JsonElements:
        """The rows of a result from ``start`` to, and without, ``end``; many of them as JSON.

        ``end`` is not beyond the last of them.

        Raises:
            AwsError: ResourceNotFoundException: they are gone. Of JSON the pieces raise it, too.
        """
        pieces = self._pieces(query_id, start, end)
        begun: list[bytes] = []
        async for piece in pieces:
            begun.append(piece)
            if sum(map(len, begun)) > _WHOLE_BYTES_MAX:
                return JsonElements(_continued(begun, pieces))
        return cast("Results", orjson.loads(b"[%b]" % b",".join(begun)))

    async def _pieces(self, query_id: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """Page by page, as they are asked for: in memory is one at a time."""
        while start < end:
            where = {"query_id": query_id, "start": start, "end": end, "limit": 1}
            page = await self._store.read(lambda db, where=where: db.one(Q.query_pages, where))
            if page is None:
                # Forgotten meanwhile: fewer rows would look like all of them.
                raise not_found(f"Query with id {query_id} does not exist.")
            yield await asyncio.to_thread(_cut, page, start, end)
            start = page["first"] + page["rows"]

    async def listed(self, account: str, region: str) -> list[Asked]:
        """All queries of a place, the last first; there are ``KEPT_MAX`` at most."""
        where = {"account": account, "region": region, "limit": KEPT_MAX}
        return await self._store.read(
            lambda db: [asked_from(row) for row in db.all(Q.list_queries, where)]
        )

    async def forget(self) -> None:
        """Delete what has been kept for long enough."""
        values = {"before_s": self._clock.now_s() - KEPT_S, "limit": _SOME}
        while await self._store.tx(lambda db: db.execute(Q.forget_queries, values)):
            pass


def asked_from(row: Row) -> Asked:
    """A query from its row."""
    return Asked(**{name: row[name] for name in _COLUMNS}, **orjson.loads(row["document"]))


def _values(asked: Asked) -> dict[str, Any]:
    document = {name: value for name, value in asdict(asked).items() if name not in _COLUMNS}
    text = orjson.dumps(document).decode()
    return {**{name: getattr(asked, name) for name in _COLUMNS}, "document": text}


def _end(db: Connection, asked: Asked, pages: Pages) -> bool:
    if not db.execute(Q.end_query, {**_values(asked), "bytes": pages.bytes}):
        return False
    db.execute_many(Q.add_query_page, pages.rows)
    return True


def _make_room(db: Connection, asked: Asked) -> None:
    """Forget the oldest queries that are over, until the others have room."""
    where = {"account": asked.account, "region": asked.region}
    total = db.one(Q.weigh_queries, where)
    if total is None:
        return
    number, n_bytes = total["n"], total["bytes"] or 0
    while number > KEPT_MAX or n_bytes > KEPT_BYTES_MAX:
        rows = db.all(Q.oldest_queries, {**where, "limit": _SOME})
        for row in rows:
            if number <= KEPT_MAX and n_bytes <= KEPT_BYTES_MAX:
                return
            db.execute(Q.delete_query, {"id": row["id"]})
            number, n_bytes = number - 1, n_bytes - row["bytes"]
        if not rows:
            return
