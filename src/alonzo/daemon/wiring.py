"""Builds one platform from its parts, and takes it down in the opposite order.

What is built later may use what was built before, never the other way round. The one knot is the
endpoint that functions see inside their sandboxes: the server needs the invoker, which needs
environments, which need the server. It is untied by handing environments ``_serve_inside``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from types import TracebackType

from alonzo.audit.writer import AuditWriter
from alonzo.control.code_keys import SealedPackages
from alonzo.control.deployer import Deployer
from alonzo.control.event_sources.reconciler import MappingReconciler
from alonzo.control.functions import ControlPlane
from alonzo.control.settings import ControlSettings
from alonzo.daemon import catalog, door
from alonzo.daemon.account_routes import account_routes
from alonzo.daemon.auditing import open_audit
from alonzo.daemon.config import Config
from alonzo.daemon.core_services import CoreServices
from alonzo.daemon.event_sources import EventSources, event_sources
from alonzo.daemon.expectations import Expectations
from alonzo.daemon.metering_routes import metering_routes
from alonzo.daemon.on_demand import LaterFederation
from alonzo.daemon.resource_facts import FactsByService
from alonzo.daemon.resource_policies import PoliciesByService
from alonzo.daemon.role_calls import RoleCaller
from alonzo.daemon.routes import HEALTH_PATHS, health
from alonzo.daemon.services import Services
from alonzo.edge.app import BodyLimits, EdgeApp, Route
from alonzo.edge.certificate import CertificateFiles
from alonzo.edge.door import Door
from alonzo.edge.function_urls.server import FunctionUrlServer
from alonzo.edge.models import service_model
from alonzo.edge.penalties import Penalties
from alonzo.edge.server import EdgeServer
from alonzo.environments.code import CodeTrees
from alonzo.environments.pool import Pool
from alonzo.environments.sealed_variables import SealedVariables
from alonzo.environments.surroundings import Surroundings
from alonzo.eventsources.engine import MappingEngine
from alonzo.invoke.api import LambdaInvoker
from alonzo.invoke.deliveries import DeliveryQueue
from alonzo.invoke.destinations import RoutedDestinations, TargetChecks
from alonzo.invoke.directory import Directory
from alonzo.invoke.events import EventQueue
from alonzo.invoke.function_urls import FunctionUrlDirectory
from alonzo.invoke.provisioning import Provisioner
from alonzo.invoke.sampling import Sampler
from alonzo.invoke.traces.exporter import SpanExporter
from alonzo.lib.chance import system_chance
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.periodic import every
from alonzo.lib.tasks import TaskScope
from alonzo.model.http import RouteHandler
from alonzo.model.ports.logs import FunctionMetrics
from alonzo.model.ports.operations import Operations
from alonzo.runtimes.registry import Runtimes
from alonzo.sandbox.base import NETWORK_LAYER, Backend, Layer
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.iam.assumption import Sessions
from alonzo.services.iam.authorizer import Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import KeyRing
from alonzo.services.iam.log_rights import RoleLogRights
from alonzo.services.iam.standing import standing_of
from alonzo.services.logs.retention import Reaper
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Store
from alonzo.store.blobs import BlobStore
from alonzo.store.data_dir import DataDir
from alonzo.store.sqlite import SqliteStore

log = logging.getLogger("alonzo.daemon")

#: How often unpacked code that nothing refers to any more is looked for.
_TIDY_EVERY_S = 60.0

#: Environments that start beside each other, for each processor. Each needs some 30 ms of one where
#: nothing was ready for it: so many are still done long before the limit of init.
_STARTS_PER_CPU = 32

#: The operations that are not there, by service, each with the reason.
_UNSUPPORTED = {each.name: each.unsupported for each in catalog.SERVICES}


class Platform:
    """One running platform: ``async with Platform(config) as platform``."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stack = contextlib.AsyncExitStack()
        self._server: EdgeServer | None = None
        self._events: EventQueue | None = None
        self._services: Services | None = None
        self._mappings: MappingEngine | None = None
        self._variables = SealedVariables(SystemIds())
        self.endpoint = ""
        self.certificate: CertificateFiles | None = None
        self._penalties = Penalties()
        self.isolation = ""
        self.isolated = True
        self.layers: tuple[Layer, ...] = ()

    async def __aenter__(self) -> Platform:
        _raise_descriptor_limit()
        self.certificate = door.certificate_of(self._config)
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        config, stack = self._config, self._stack
        clock, ids = SystemClock(), SystemIds()
        data = DataDir.open(config.data_dir)
        stack.callback(data.close)
        store = await SqliteStore.open(data.db_path, clock=clock)
        stack.push_async_callback(store.close)
        identities = await door.open_identities(data, store, clock, ids, config.account)
        keys = KeyRing(data.keys, clock=clock, ids=ids, identities=identities)
        blobs = BlobStore(data.blobs, data.secret("blobs"))
        sealed = SealedPackages(blobs, data.secret("links"), ids)
        logs = LogWriter(store, clock=clock)
        stack.push_async_callback(logs.close)
        metering = Metering(store, clock, logs)
        audit = await self._open_audit(data)
        scope = await stack.enter_async_context(TaskScope())

        backend = await self._open_backend(data)
        runtimes, calls = (
            catalog.runtimes(config),
            RoleCaller(identities, clock, audit, mode=config.iam),
        )
        settings = ControlSettings(
            **asdict(config.control),
            architecture=catalog.architecture(),
            link_key=data.secret("links"),
            concurrency=config.invoke.concurrency_max,
        )
        code = CodeTrees(
            data.trees,
            sealed,
            ids,
            clock=clock,
            unzipped_bytes_max=settings.unzipped_bytes_max,
            entries_max=settings.package_entries_max,
        )
        stack.push_async_callback(code.close)
        around = Surroundings(
            backend,
            logs,
            keys,
            self._serve_inside,
            clock,
            ids,
            scope,
            config.environments,
            meter=metering.writer,
            calls=calls,
            variables=self._variables,
        )
        pool = self._pool(around, runtimes, code)
        directory: Directory = Directory(
            store,
            scope,
            lambda key, live: expectations.changed(key, live),
            chance=system_chance(),
        )
        stack.callback(directory.close)
        expectations: Expectations = Expectations(store, directory, pool, scope)
        events = self._events = EventQueue(
            store,
            clock,
            ids,
            metrics=metering.writer,
            record_bytes_max=config.invoke.payloads.event_bytes_max,
        )
        invoker = LambdaInvoker(
            directory,
            pool,
            events,
            clock=clock,
            ids=ids,
            settings=config.invoke,
            metrics=metering.writer,
            spans=self._exporter(),
        )

        services = self._make_services(data, store, invoker, calls, scope, logs, metering, audit)
        provisioner = Provisioner(store, pool.provisioned)
        sources = self._event_sources(store, scope, directory, invoker, calls)
        sealed.connect(services.encryption)
        control = ControlPlane(
            store,
            blobs,
            runtimes,
            sealed=sealed,
            clock=clock,
            ids=ids,
            settings=settings,
            provisioned=provisioner,
            targets=TargetChecks(calls),
            sources=sources.checks,
            keys=services.encryption,
            objects=services.objects,
        )
        core = CoreServices(
            control,
            invoker,
            identities,
            Sessions(identities, keys, config.iam),
            LaterFederation(identities, keys, data.path, clock, scope),
        )
        operations = {**core.operations(), **services.operations(_UNSUPPORTED)}
        authorizer = self._authorizer(core, services, operations, logs)
        app = EdgeApp(
            operations=operations,
            invoker=invoker,
            keys=keys,
            clock=clock,
            ids=ids,
            account=config.account,
            auth=config.auth,
            routes=[
                *(Route("GET", path, self._health(operations, backend)) for path in HEALTH_PATHS),
                Route("GET", b"/_alonzo/code/", control.download),
                *account_routes(config, data, identities),
                *services.topic_routes(),
                *metering_routes(config, data, store, metering, pool, clock),
            ],
            region=config.region,
            limits=BodyLimits(payloads=config.invoke.payloads),
            unsupported=_UNSUPPORTED,
            function_urls=self._function_urls(
                store, invoker, keys, identities, metering.writer, _facts(core, operations)
            ),
            authorizer=authorizer,
            penalties=self._penalties,
            hosts=door.host_rules(config),
            audit=audit,
            buckets=services.buckets,
        )
        self._make_server(app)
        await services.open_stored()
        for name, work in {
            **({} if audit is None else {"audit": audit.run()}),
            "last used": authorizer.used.run(),
            "old variables": control.seal_old(),
            "logs": logs.run(),
            "log retention": Reaper(store, clock).run(),
            "metrics": metering.run(),
            "samples": Sampler(invoker.admission, pool.provisioned, metering.writer, clock).run(),
            "deployer": Deployer(store, blobs, code, pool, clock=clock, ids=ids).run(),
            "event sources": MappingReconciler(store, sources.engine).run(),
            "events": events.run(invoker),
            "deliveries": DeliveryQueue(store, clock, metrics=metering.writer).run(
                RoutedDestinations(invoker, calls)
            ),
            "environments": pool.reap(),
            "provisioned": pool.provisioned.run(),
            "provisioning": provisioner.run(),
            "stock": pool.fill(),
            "expectations": expectations.remember(),
            "code": _tidy(directory, pool, code),
        }.items():
            scope.spawn(work, name=name)
        await self._listen(data)

    def _pool(self, around: Surroundings, runtimes: Runtimes, code: CodeTrees) -> Pool:
        pool = Pool(around, runtimes, code, starts_max=_STARTS_PER_CPU * (os.cpu_count() or 1))
        self._stack.push_async_callback(pool.close)
        return pool

    async def _open_audit(self, data: DataDir) -> AuditWriter | None:
        audit = await open_audit(self._config, data, SystemClock(), SystemIds())
        if audit is not None:
            self._stack.push_async_callback(audit.close)
        return audit

    def _exporter(self) -> SpanExporter | None:
        collector = self._config.collector()
        if collector is None:
            return None
        exporter = SpanExporter(collector)
        self._stack.push_async_callback(exporter.close)
        return exporter

    def _make_server(self, app: EdgeApp) -> None:
        self._server = EdgeServer(app)
        self._stack.push_async_callback(self._server.stop, 0.0)

    async def _listen(self, data: DataDir) -> None:
        config = self._config
        assert self._server is not None
        tls = None if self.certificate is None else self.certificate.context
        port = await self._server.start(config.host, config.port, tls=tls)
        self.endpoint, authority = door.address_of(config, self.certificate, port)
        data.announce(self.endpoint, ca=authority)

    async def _open_backend(self, data: DataDir) -> Backend:
        backend = catalog.backend(self._config, data)
        self._stack.push_async_callback(backend.close)
        # One waits for processes, the other parses: side by side the start is a tenth shorter.
        await asyncio.gather(backend.open(), asyncio.to_thread(_load_models))
        self.isolation, self.layers = backend.name, backend.layers
        self.isolated = backend.isolated
        return backend

    def _make_services(
        self,
        data: DataDir,
        store: Store,
        invoker: LambdaInvoker,
        roles: RoleCaller,
        scope: TaskScope,
        logs: LogWriter,
        metering: Metering,
        audit: AuditWriter | None,
    ) -> Services:
        services = self._services = Services(
            data,
            store,
            invoker,
            roles,
            scope,
            logs=logs,
            metering=metering,
            own_url=lambda: self.endpoint,
            clock=SystemClock(),
            ids=SystemIds(),
            audit=audit,
        )
        self._stack.callback(services.close)
        return services

    def _event_sources(
        self,
        store: Store,
        scope: TaskScope,
        directory: Directory,
        invoker: LambdaInvoker,
        calls: RoleCaller,
    ) -> EventSources:
        payloads, clock = self._config.invoke.payloads, SystemClock()
        sources = event_sources(
            catalog.POLLERS,
            store,
            scope,
            directory,
            invoker,
            calls,
            payloads,
            clock=clock,
            ids=SystemIds(),
        )
        self._stack.callback(sources.engine.close)
        self._mappings = sources.engine
        return sources

    def _function_urls(
        self,
        store: Store,
        invoker: LambdaInvoker,
        keys: KeyRing,
        identities: Identities,
        metrics: FunctionMetrics,
        facts: FactsByService,
    ) -> FunctionUrlServer:
        config = self._config
        urls = FunctionUrlDirectory(store)
        self._stack.callback(urls.close)
        return FunctionUrlServer(
            urls,
            invoker,
            Door(
                keys,
                identities.clock,
                account=config.account,
                auth=config.auth,
                penalties=self._penalties,
            ),
            partial(standing_of, identities, config.iam),
            clock=identities.clock,
            ids=identities.ids,
            limits=config.invoke.payloads,
            metrics=metrics,
            facts=facts,
        )

    def _authorizer(
        self,
        core: CoreServices,
        services: Services,
        operations: Mapping[str, Operations],
        logs: LogWriter,
    ) -> Authorizer:
        authorizer = Authorizer(
            core.identities,
            PoliciesByService(services.policies),
            core.access(),
            mode=self._config.iam,
            facts=_facts(core, operations),
            more_rules=services.access,
        )
        self._stack.push_async_callback(authorizer.used.write)
        services.roles.connect(operations, authorizer)
        services.calls.connect(operations, authorizer)
        services.connect(authorizer)
        self._variables.connect(services.encryption, services.roles)
        logs.ask(RoleLogRights(authorizer, core.identities))
        return authorizer

    def _health(self, services: Mapping[str, object], backend: Backend) -> RouteHandler:
        network = [layer.detail for layer in backend.layers if layer.name == NETWORK_LAYER]
        return health(
            services,
            region=self._config.region,
            isolation=backend.name,
            isolated=backend.isolated,
            network=next(iter(network), "none of its own"),
        )

    async def _serve_inside(self, listening: socket.socket) -> Callable[[], None]:
        """Answer what a function asks of the platform."""
        assert self._server is not None
        served = await self._server.serve_socket(listening)
        return served.close

    async def drain(self, grace_s: float) -> None:
        """Take no new work, and give what is in hand ``grace_s`` seconds to end.

        Functions reach the platform to the last.
        """
        assert self._server is not None
        assert self._events is not None
        assert self._mappings is not None
        assert self._services is not None
        self._services.end_waits()
        await asyncio.gather(
            self._server.drain(grace_s), self._events.stop(grace_s), self._mappings.drain(grace_s)
        )


def _facts(core: CoreServices, operations: Mapping[str, Operations]) -> FactsByService:
    """What policies ask of resources: it must be answered however often callers have called."""
    return FactsByService({**operations, "lambda": core.control.unlimited})


def _load_models() -> None:
    """Have the model in memory that every platform needs, before the first request."""
    assert service_model("lambda").operation_names


async def _tidy(directory: Directory, pool: Pool, code: CodeTrees) -> None:
    """Delete, for ever, unpacked code that no version and no environment uses."""

    async def tidy() -> None:
        await code.keep_only(await directory.live_code() | pool.code_in_use())

    on_error = partial(log.exception, "code.not_tidied")
    await every(_TIDY_EVERY_S, tidy, on_error=on_error, after_a_period=True)


def _raise_descriptor_limit() -> None:
    """An environment takes about ten descriptors of the daemon; most hosts allow far more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
