"""CloudWatch Logs put together: what watches events, and what its operations share."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCalls
from alonzo.services.logs.filters import FilterBook
from alonzo.services.logs.insights.desk import QueryDesk
from alonzo.services.logs.live_tail import LiveTails
from alonzo.services.logs.policies import PolicyBook
from alonzo.services.logs.pushing import SubscriptionCarrier
from alonzo.services.logs.sink import LogWriter
from alonzo.services.logs.watching import MetricJournal, Watchers
from alonzo.store.base import Store
from alonzo.store.outbox import Outbox


class LogParts:
    """The parts. From when it is made the writer's events are watched."""

    def __init__(
        self,
        store: Store,
        writer: LogWriter,
        calls: ServiceCalls,
        journal: MetricJournal,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self.store = store
        self.writer = writer
        self.calls = calls
        self.clock = clock
        self.ids = ids
        self.book = FilterBook(store)
        self.policies = PolicyBook(store)
        self.outbox = Outbox(store, clock, "logs")
        self.carrier = SubscriptionCarrier(store, calls, ids)
        self.tails = LiveTails(store, writer, clock, ids)
        self.queries = QueryDesk(store, writer, clock, ids)
        self.watchers = Watchers(self.book, self.outbox, journal, self.tails.viewers)
        writer.watch(self.watchers)

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.book.open()
        await self.policies.open()
        await self.queries.open()

    def end_waits(self) -> None:
        """Answer the requests that wait for events: the platform stops."""
        self.tails.end_all()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {
            "log subscriptions": self.outbox.run(self.carrier),
            "log queries": self.queries.run(),
        }
