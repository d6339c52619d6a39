"""CloudWatch and CloudWatch Logs put together: who watches what the platform writes and counts."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.access import AccessRules
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.ports.identity import ResourcePolicies
from alonzo.model.ports.operations import Operations
from alonzo.services.cloudwatch import access as cloudwatch_access
from alonzo.services.cloudwatch import api as cloudwatch_api
from alonzo.services.cloudwatch.alarms.actions import ActionCarrier
from alonzo.services.cloudwatch.alarms.keeper import AlarmKeeper
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.logs import access as logs_access
from alonzo.services.logs import api as logs_api
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
        self._store = store
        self._metering = metering
        self._clock = clock
        self.logs = LogParts(store, logs, calls, metering.writer, clock=clock, ids=ids)
        self._outbox = Outbox(store, clock, "cloudwatch")
        self._actions = ActionCarrier(store, calls, clock, ids)
        self.alarms = AlarmKeeper(store, metering.folder, self._outbox, clock)
        #: Log groups have policies; alarms and metrics have none.
        self.policies: Mapping[str, ResourcePolicies] = {"logs": self.logs.policies}

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        return {
            "logs": logs_api.operations(self.logs),
            "cloudwatch": cloudwatch_api.operations(
                store=self._store,
                writer=self._metering.writer,
                folder=self._metering.folder,
                alarms=self.alarms,
                clock=self._clock,
            ),
        }

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        return {"logs": logs_access.access_rules(), "cloudwatch": cloudwatch_access.access_rules()}

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
