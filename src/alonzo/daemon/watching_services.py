"""CloudWatch and CloudWatch Logs put together: who watches what the platform writes and counts."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.ports.identity import ResourcePolicies
from alonzo.services.cloudwatch.alarms.actions import ActionCarrier
from alonzo.services.cloudwatch.alarms.keeper import AlarmKeeper
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.logs.parts import LogParts
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Store
from alonzo.store.outbox import Outbox


class WatchingServices:
    """The parts of the services."""

    def __init__(
        self,
        store: Store,
        logs: LogWriter,
        metering: Metering,
        calls: ServiceCalls,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self.logs = LogParts(store, logs, calls, metering.writer, clock=clock, ids=ids)
        self._outbox = Outbox(store, clock, "cloudwatch")
        self._actions = ActionCarrier(store, calls, clock, ids)
        self.alarms = AlarmKeeper(store, metering.folder, self._outbox, clock)
        #: Log groups have policies; alarms and metrics have none.
        self.policies: Mapping[str, ResourcePolicies] = {"logs": self.logs.policies}

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.logs.open()
        await self.alarms.open()

    def end_waits(self) -> None:
        """Answer the requests that wait for events: the platform stops."""
        self.logs.end_waits()

    def close(self) -> None:
        """Nothing listens to changes."""

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {
            **self.logs.work(),
            "alarms": self.alarms.run(),
            "alarm actions": self._outbox.run(self._actions),
        }
