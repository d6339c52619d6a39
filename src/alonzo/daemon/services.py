"""All bundled services but Lambda and those it cannot do without, put together in groups.

A group holds services that share parts. A new one is named in ``Services.__init__``; what it has to
open, run, drain and close happens by itself, and the authorizer finds its policies.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from alonzo.audit.writer import AuditWriter
from alonzo.daemon.event_services import EventServices
from alonzo.daemon.messaging_services import MessagingServices
from alonzo.daemon.role_calls import RoleCaller
from alonzo.daemon.scheduling_services import SchedulingServices
from alonzo.daemon.secret_services import SecretServices
from alonzo.daemon.service_calls import ServiceCaller
from alonzo.daemon.storage_services import StorageServices
from alonzo.daemon.watching_services import WatchingServices
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.ports.identity import ResourcePolicies
from alonzo.model.ports.invoking import Invoker
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.logs.sink import LogWriter
from alonzo.services.s3.objects.api import OBJECT_THREADS
from alonzo.store.base import Store
from alonzo.store.blobs import BlobStore
from alonzo.store.data_dir import DataDir


class Group(Protocol):
    """Services that share parts."""

    #: Resource-based policies, by the name of the service in ARNs.
    policies: Mapping[str, ResourcePolicies]

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        ...

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        ...

    def end_waits(self) -> None:
        """Answer the requests that wait for something: the platform stops."""
        ...

    def close(self) -> None:
        """Stop listening to changes."""
        ...


class Services:
    """Every group. ``calls`` are what services do by themselves, ``roles`` what roles let them."""

    def __init__(
        self,
        data: DataDir,
        store: Store,
        invoker: Invoker,
        roles: RoleCaller,
        *,
        logs: LogWriter,
        metering: Metering,
        own_url: Callable[[], str],
        clock: Clock,
        ids: IdSource,
        audit: AuditWriter | None = None,
    ) -> None:
        """``own_url`` answers where the platform listens."""
        self.calls = ServiceCaller(invoker, audit)
        self.roles = roles
        self.secrets = SecretServices(store, data.secret("kms"), invoker, clock=clock, ids=ids)
        self.messaging = MessagingServices(
            store,
            self.secrets.encryption,
            self.calls,
            key_file=data.keys / "topics.pem",
            own_url=own_url,
            clock=clock,
            ids=ids,
        )
        self.scheduling = SchedulingServices(store, invoker, roles, clock=clock, ids=ids)
        self.storage = StorageServices(
            store,
            BlobStore(data.path / "objects", data.secret("objects"), threads=OBJECT_THREADS),
            self.calls,
            encryption=self.secrets.encryption,
            key=data.secret("small-objects"),
            clock=clock,
            ids=ids,
        )
        self.events = EventServices(store, self.calls, roles, invoker, clock=clock, ids=ids)
        self.watching = WatchingServices(store, logs, metering, self.calls, clock=clock, ids=ids)
        #: In the order in which they open.
        self._groups: tuple[Group, ...] = (
            self.secrets,
            self.messaging,
            self.scheduling,
            self.storage,
            self.events,
            self.watching,
        )

    @property
    def policies(self) -> Mapping[str, ResourcePolicies]:
        """Resource-based policies, by the name of the service in ARNs."""
        return {name: found for each in self._groups for name, found in each.policies.items()}

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        for each in self._groups:
            await each.open()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {name: coro for each in self._groups for name, coro in each.work().items()}

    def end_waits(self) -> None:
        """Answer the requests that wait for something: the platform stops."""
        for each in self._groups:
            each.end_waits()

    def close(self) -> None:
        """Stop listening to changes."""
        for each in reversed(self._groups):
            each.close()
