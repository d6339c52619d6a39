"""EventBridge put together, and its own work."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.daemon.role_calls import RoleCaller
from alonzo.daemon.service_calls import ServiceCaller
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.access import AccessRules
from alonzo.model.ports.identity import ResourcePolicies
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations
from alonzo.services.events import access as events_access
from alonzo.services.events import api as events_api
from alonzo.services.events.api import Events
from alonzo.store.base import Store


class EventServices:
    """The parts of the service."""

    def __init__(
        self,
        store: Store,
        calls: ServiceCaller,
        roles: RoleCaller,
        invoker: Invoker,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        """``calls`` are made of targets that let EventBridge in, ``roles`` of the others."""
        self.events = Events(store, calls, roles, roles.trust, invoker, clock=clock, ids=ids)
        #: Policies of event buses.
        self.policies: Mapping[str, ResourcePolicies] = {"events": self.events.directory}

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        return {"events": events_api.operations(self.events)}

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        return {"events": events_access.access_rules()}

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.events.open()

    def end_waits(self) -> None:
        """No request waits."""

    def close(self) -> None:
        """What listens to the store ends with the work."""

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return self.events.work()
