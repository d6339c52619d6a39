"""EventBridge Scheduler put together, and its own work."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.daemon.role_calls import RoleCaller
from alonzo.lib.chance import system_chance
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.access import AccessRules
from alonzo.model.ports.identity import ResourcePolicies
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations
from alonzo.services.scheduler import access as scheduler_access
from alonzo.services.scheduler import api as scheduler_api
from alonzo.services.scheduler.api import Schedules
from alonzo.store.base import Store


class SchedulingServices:
    """The parts of the service."""

    def __init__(
        self, store: Store, invoker: Invoker, roles: RoleCaller, *, clock: Clock, ids: IdSource
    ) -> None:
        """``roles`` are with which targets are called."""
        self.schedules = Schedules(
            store,
            invoker,
            roles,
            roles,
            roles.trust,
            clock=clock,
            ids=ids,
            chance=system_chance(),
        )
        #: Schedules have no policies of their own.
        self.policies: Mapping[str, ResourcePolicies] = {}

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        return {"scheduler": scheduler_api.operations(self.schedules)}

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        return {"scheduler": scheduler_access.access_rules()}

    async def open(self) -> None:
        """Everything is read when it is due."""

    def end_waits(self) -> None:
        """No request waits."""

    def close(self) -> None:
        """What listens to the store ends with the work."""

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return self.schedules.work()
