"""A queue of events over a real database, and runners of them that a test decides about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alonzo.invoke.event_life import EventPolicy, Run
from alonzo.invoke.events import Event, EventQueue
from alonzo.lib.clock import Clock, SystemClock
from alonzo.lib.ids import SequentialIds
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.context import Principal
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.store.base import Connection, Store, StoreFullError
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "000000000000", "us-east-1"
REF = FunctionRef(FunctionKey(ACCOUNT, REGION, "f"), None)

_WAIT_S = 10
_POLL_S = 0.002


class FullStore:
    """A real store that has no space left for some calls: see ``fail``."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self._failing_kinds: tuple[str, ...] = ()
        self._passing = self._failing = 0
        self.calls = 0
        self.failed = 0

    def fail(self, *, kinds: tuple[str, ...] = ("read", "tx"), times: int, after: int = 0) -> None:
        """Let ``after`` calls of those kinds pass, and have the next ``times`` raise."""
        self._failing_kinds, self._failing, self._passing = kinds, times, after

    async def tx(self, work: Callable[[Connection], Any]) -> Any:
        """As ``Store.tx``."""
        self._count("tx")
        return await self._inner.tx(work)

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        """As ``Store.read``."""
        self._count("read")
        return await self._inner.read(work)

    def subscribe(self, topic: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """As ``Store.subscribe``."""
        return self._inner.subscribe(topic, listener)

    def _count(self, kind: str) -> None:
        self.calls += 1
        if kind not in self._failing_kinds:
            return
        if self._passing > 0:
            self._passing -= 1
        elif self._failing > 0:
            self._failing -= 1
            self.failed += 1
            raise StoreFullError("no space left")


class Runner:
    """Runs events by a function that succeeds, unless it raises or answers how its run ended."""

    def __init__(self, handle: Callable[[Event], Awaitable[Run | None]], **policy: Any) -> None:
        self._handle = handle
        self._policy = EventPolicy(**policy)

    async def event_policy(self, ref: FunctionRef) -> EventPolicy:
        """The same for every function."""
        return self._policy

    async def run_event(self, event: Event) -> Run:
        """Run an event once."""
        return await self._handle(event) or Run(b"null", "$LATEST", failed=False)


def request(request_id: str) -> InvokeRequest:
    """An event to ``REF``."""
    return InvokeRequest(
        request_id, ACCOUNT, REGION, "f", None, InvocationType.EVENT, b"{}",
        Principal(ACCOUNT, "arn", "id", "AKIA"),
    )  # fmt: skip


@asynccontextmanager
async def opened(path: Path, clock: Clock) -> AsyncGenerator[tuple[SqliteStore, EventQueue]]:
    """A store of its own, and a queue over it."""
    store = await SqliteStore.open(path / "db", clock=SystemClock())
    try:
        yield store, EventQueue(store, clock, SequentialIds())
    finally:
        await store.close()


async def left(store: Store) -> int:
    """How many events there are."""
    row = await store.read(lambda db: db.one("SELECT COUNT(*) AS n FROM async_event"))
    assert row is not None
    return int(row["n"])


async def rows(store: Store) -> list[tuple[Any, ...]]:
    """The events: id, whether it runs, attempts, when it is due."""
    sql = "SELECT request_id, running, attempts, due_at_s FROM async_event ORDER BY id"
    return [tuple(row.values()) for row in await store.read(lambda db: db.all(sql))]


def ref(name: str) -> FunctionRef:
    """A function of that name."""
    return FunctionRef(FunctionKey(ACCOUNT, REGION, name), None)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what a table says."""
    async with asyncio.timeout(_WAIT_S):
        while not await condition():  # noqa: ASYNC110 - what is awaited is a row of a table
            await asyncio.sleep(_POLL_S)
