"""All bundled services but Lambda and those it cannot do without, put together in groups.

A group holds services that share parts. It is imported and opened when one of its services is
called, or when the platform starts with something of it in the store; until then it takes neither
memory nor time. So a group that is not open has nothing stored: no resource, no policy, nothing
waiting. What is to be known of it without opening it rests on that.

A new group is named in ``Services.__init__``, its tables in the statement ``stored``; what it has
to open, run, drain and close happens by itself, and the authorizer finds its rules and policies.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from alonzo.control.policies.lookup import FunctionPolicies
from alonzo.daemon.on_demand import (
    LaterBuckets,
    LaterEncryption,
    LaterObjects,
    LaterOperations,
    OnDemand,
)
from alonzo.daemon.service_calls import ServiceCaller
from alonzo.edge.route import Route
from alonzo.model.errors import AwsError
from alonzo.services.sns.links import LINKS_PATH
from alonzo.store.queries import load

if TYPE_CHECKING:
    from alonzo.audit.writer import AuditWriter
    from alonzo.daemon.event_services import EventServices
    from alonzo.daemon.messaging_services import MessagingServices
    from alonzo.daemon.role_calls import RoleCaller
    from alonzo.daemon.scheduling_services import SchedulingServices
    from alonzo.daemon.secret_services import SecretServices
    from alonzo.daemon.storage_services import StorageServices
    from alonzo.daemon.watching_services import WatchingServices
    from alonzo.lib.clock import Clock
    from alonzo.lib.ids import IdSource
    from alonzo.lib.tasks import TaskScope
    from alonzo.model.access import AccessRules
    from alonzo.model.http import HttpRequest, HttpResponse
    from alonzo.model.ports.identity import ResourcePolicies
    from alonzo.model.ports.invoking import Invoker
    from alonzo.model.ports.operations import Operations
    from alonzo.services.cloudwatch.metering import Metering
    from alonzo.services.iam.authorizer import Authorizer
    from alonzo.services.logs.sink import LogWriter
    from alonzo.store.base import Store
    from alonzo.store.data_dir import DataDir

_SQL = load("alonzo.daemon")


class Group(Protocol):
    """Services that share parts."""

    #: Resource-based policies, by the name of the service in ARNs.
    policies: Mapping[str, ResourcePolicies]

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        ...

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        ...

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


G = TypeVar("G", bound=Group)

#: The group of each service.
GROUPS = {
    "kms": "secrets",
    "ssm": "secrets",
    "secretsmanager": "secrets",
    "sqs": "messaging",
    "sns": "messaging",
    "scheduler": "scheduling",
    "s3": "storage",
    "events": "events",
    "logs": "watching",
    "cloudwatch": "watching",
}


class Services:
    """Every group. ``calls`` are what services do by themselves, ``roles`` what roles let them."""

    def __init__(
        self,
        data: DataDir,
        store: Store,
        invoker: Invoker,
        roles: RoleCaller,
        scope: TaskScope,
        *,
        logs: LogWriter,
        metering: Metering,
        own_url: Callable[[], str],
        clock: Clock,
        ids: IdSource,
        audit: AuditWriter | None = None,
    ) -> None:
        """``own_url`` answers where the platform listens; ``scope`` owns what groups do."""
        self.calls = ServiceCaller(invoker, audit)
        self.roles = roles
        self.functions = FunctionPolicies(store)
        self._data = data
        self._store = store
        self._invoker = invoker
        self._scope = scope
        self._logs = logs
        self._metering = metering
        self._own_url = own_url
        self._clock = clock
        self._ids = ids
        self._authorizer: Authorizer | None = None
        self._open: list[Group] = []
        self._begun = self._ends = self._closed = False
        #: Resource-based policies, by the name of the service in ARNs: of groups that are open.
        self.policies: dict[str, ResourcePolicies] = {"lambda": self.functions}
        self._operations: dict[str, Operations] = {}
        self._access: dict[str, AccessRules] = {}
        self._groups: dict[str, OnDemand[Any]] = {}
        # Those that have something stored open at the start, in this order.
        self.secrets = self._group("secrets", self._load_secrets)
        self.messaging = self._group("messaging", self._load_messaging)
        self.scheduling = self._group("scheduling", self._load_scheduling)
        self.storage = self._group("storage", self._load_storage)
        self.events = self._group("events", self._load_events)
        self.watching = self._group("watching", self._load_watching)
        self.encryption = LaterEncryption(self.secrets)
        self.objects = LaterObjects(self.storage)
        self.buckets = LaterBuckets(self.storage)

    def topic_routes(self) -> list[Route]:
        """The routes of topics that need no signature."""

        async def link(request: HttpRequest) -> HttpResponse:
            return await (await self.messaging.need()).topic_links.link(request)

        async def certificate(request: HttpRequest) -> HttpResponse:
            return await (await self.messaging.need()).topic_links.certificate(request)

        return [
            Route("GET", LINKS_PATH.encode(), link),
            Route("GET", b"/_alonzo/sns/", certificate),
        ]

    def operations(self, declined: Mapping[str, Mapping[str, str]]) -> dict[str, Operations]:
        """The operations of each service but those that are ``declined``, by service and name."""
        return {
            service: LaterOperations(
                service, declined.get(service, {}), self._operations.get, self._operations_of
            )
            for service in GROUPS
        }

    async def access(self, service: str) -> AccessRules:
        """What the operations of a service need to be allowed; its group is opened.

        Raises:
            AwsError: it cannot be opened.
        """
        await self._groups[GROUPS[service]].need()
        return self._access[service]

    def connect(self, authorizer: Authorizer) -> None:
        """From now on groups may be opened."""
        self._authorizer = authorizer

    async def open_stored(self) -> None:
        """Open every group that has something stored: it may have to work without a request.

        None works before all are open, and none where one does not open.
        """
        stored = await self._store.read(lambda db: {row["name"] for row in db.all(_SQL.stored)})
        for name, group in self._groups.items():
            # Unknown senders have rows without a name.
            if name in stored or None in stored:
                await group.get()
        self._begun = True
        for each in self._open:
            self._begin(each)

    def end_waits(self) -> None:
        """Answer the requests that wait for something: the platform stops."""
        self._ends = True
        for each in self._open:
            each.end_waits()

    def close(self) -> None:
        """Stop listening to changes."""
        self._closed = True
        for each in reversed(self._open):
            each.close()
        self.functions.close()

    def _group(self, name: str, load: Callable[[], Callable[[], G]]) -> OnDemand[G]:
        """A group that is made by what ``load`` answers, once that has imported what it needs."""

        async def make() -> G:
            # Importing takes up to a tenth of a second; requests go on meanwhile.
            group = (await asyncio.to_thread(load))()
            await self._take_in(group)
            return group

        once = self._groups[name] = OnDemand(make, self._scope, name=f"opening {name}")
        return once

    async def _take_in(self, group: Group) -> None:
        try:
            await group.open()
        except BaseException:
            group.close()
            raise
        if self._closed:
            group.close()
            raise AwsError("ServiceUnavailable", "The platform stops.", status=503)
        # From here on nobody else comes in between.
        self._open.append(group)
        self.policies.update(group.policies)
        self._operations.update(group.operations())
        self._access.update(group.access())
        if self._begun:
            self._begin(group)
        if self._ends:
            group.end_waits()
        # As of all that is there from the start: see ``serve._spare_the_collector``.
        gc.collect()
        gc.freeze()

    def _begin(self, group: Group) -> None:
        for name, work in group.work().items():
            self._scope.spawn(work, name=name)

    async def _operations_of(self, service: str) -> Operations:
        await self._groups[GROUPS[service]].need()
        return self._operations[service]

    def _load_secrets(self) -> Callable[[], SecretServices]:
        from alonzo.daemon.secret_services import SecretServices

        return lambda: SecretServices(
            self._store,
            self._data.secret("kms"),
            self._invoker,
            self._guard,
            self.functions,
            clock=self._clock,
            ids=self._ids,
        )

    def _load_messaging(self) -> Callable[[], MessagingServices]:
        from alonzo.daemon.messaging_services import MessagingServices

        return lambda: MessagingServices(
            self._store,
            self.encryption,
            self.calls,
            key_file=self._data.keys / "topics.pem",
            own_url=self._own_url,
            clock=self._clock,
            ids=self._ids,
        )

    def _load_scheduling(self) -> Callable[[], SchedulingServices]:
        from alonzo.daemon.scheduling_services import SchedulingServices

        return lambda: SchedulingServices(
            self._store, self._invoker, self.roles, clock=self._clock, ids=self._ids
        )

    def _load_storage(self) -> Callable[[], StorageServices]:
        from alonzo.daemon.storage_services import StorageServices

        return lambda: StorageServices(
            self._store,
            self._data.path / "objects",
            self.calls,
            self._guard,
            encryption=self.encryption,
            secrets=(self._data.secret("objects"), self._data.secret("small-objects")),
            clock=self._clock,
            ids=self._ids,
        )

    def _load_events(self) -> Callable[[], EventServices]:
        from alonzo.daemon.event_services import EventServices

        return lambda: EventServices(
            self._store,
            self.calls,
            self.roles,
            self._invoker,
            clock=self._clock,
            ids=self._ids,
        )

    def _load_watching(self) -> Callable[[], WatchingServices]:
        from alonzo.daemon.watching_services import WatchingServices

        return lambda: WatchingServices(
            self._store,
            self._logs,
            self._metering,
            self.calls,
            clock=self._clock,
            ids=self._ids,
        )

    @property
    def _guard(self) -> Authorizer:
        assert self._authorizer is not None
        return self._authorizer
