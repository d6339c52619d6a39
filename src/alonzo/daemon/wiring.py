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

from alonzo.control.deployer import Deployer
from alonzo.control.event_sources.reconciler import MappingReconciler
from alonzo.control.functions import ControlPlane
from alonzo.control.settings import ControlSettings
from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.daemon.expectations import Expectations
from alonzo.daemon.metering_routes import metering_routes
from alonzo.daemon.resource_policies import PoliciesByService
from alonzo.daemon.role_calls import RoleCaller
from alonzo.daemon.routes import HEALTH_PATHS, health
from alonzo.daemon.secret_services import SecretServices
from alonzo.daemon.service_calls import ServiceCaller
from alonzo.edge.app import BodyLimits, EdgeApp, Route
from alonzo.edge.door import Door
from alonzo.edge.function_urls.server import FunctionUrlServer
from alonzo.edge.models import service_model
from alonzo.edge.server import EdgeServer
from alonzo.environments.code import CodeTrees
from alonzo.environments.pool import Pool
from alonzo.environments.surroundings import Surroundings
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
from alonzo.lib.tasks import TaskScope
from alonzo.model.http import RouteHandler
from alonzo.model.ports.logs import FunctionMetrics
from alonzo.model.ports.operations import Operations
from alonzo.sandbox.base import NETWORK_LAYER, Backend, Layer
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.iam.assumption import Sessions
from alonzo.services.iam.authorizer import Authorizer
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import KeyRing
from alonzo.services.iam.standing import standing_of
from alonzo.services.logs.retention import Reaper
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Store, StoreError
from alonzo.store.blobs import BlobStore
from alonzo.store.data_dir import DataDir
from alonzo.store.sqlite import SqliteStore

log = logging.getLogger("alonzo.daemon")

#: How often unpacked code that nothing refers to any more is looked for.
_TIDY_EVERY_S = 60.0

#: Environments that start beside each other, for each processor. Each needs some 30 ms of one where
#: nothing was ready for it: so many are still done long before the limit of init.
_STARTS_PER_CPU = 32


class Platform:
    """One running platform: ``async with Platform(config) as platform``."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stack = contextlib.AsyncExitStack()
        self._server: EdgeServer | None = None
        self._events: EventQueue | None = None
        self.endpoint = ""
        self.isolation = ""
        self.isolated = True
        self.layers: tuple[Layer, ...] = ()

    async def __aenter__(self) -> Platform:
        _raise_descriptor_limit()
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
        identities = await _identities(data, store, clock, ids)
        keys = KeyRing(
            data.keys, clock=clock, ids=ids, account=config.account, identities=identities
        )
        blobs = BlobStore(data.blobs, data.secret("blobs"))
        logs = LogWriter(store, clock=clock)
        stack.push_async_callback(logs.close)
        metering = Metering(store, clock, logs)
        scope = await stack.enter_async_context(TaskScope())

        backend = await self._open_backend(data)
        runtimes = catalog.runtimes(config)
        settings = ControlSettings(
            **asdict(config.control),
            architecture=catalog.architecture(),
            link_key=data.secret("links"),
            concurrency=config.invoke.concurrency_max,
        )
        code = CodeTrees(
            data.trees,
            blobs,
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
        )
        pool = Pool(around, runtimes, code, starts_max=_STARTS_PER_CPU * (os.cpu_count() or 1))
        stack.push_async_callback(pool.close)
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
        deliveries = DeliveryQueue(store, clock, metrics=metering.writer)
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

        calls = RoleCaller(identities, clock)
        provisioner = Provisioner(store, pool.provisioned)
        control = ControlPlane(
            store,
            blobs,
            runtimes,
            clock=clock,
            ids=ids,
            settings=settings,
            provisioned=provisioner,
            targets=TargetChecks(calls),
        )
        deployer = Deployer(store, blobs, code, pool, clock=clock, ids=ids)
        parts = catalog.Parts(
            control,
            invoker,
            store,
            logs,
            metering,
            identities,
            Sessions(identities, keys),
            await self._secret_services(data, store, invoker, clock, ids),
            ServiceCaller(invoker),
            clock,
            ids,
        )
        operations = {each.name: each.operations(parts) for each in catalog.SERVICES}
        authorizer = self._authorizer(parts, calls, operations)
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
                *metering_routes(config, data, store, metering, pool, clock),
            ],
            region=config.region,
            limits=BodyLimits(payloads=config.invoke.payloads),
            unsupported={each.name: each.unsupported for each in catalog.SERVICES},
            function_urls=self._function_urls(store, invoker, keys, identities, metering.writer),
            authorizer=authorizer,
        )
        self._server = EdgeServer(app)
        stack.push_async_callback(self._server.stop, 0.0)
        for name, work in {
            "last used": authorizer.used.run(),
            "logs": logs.run(),
            "log retention": Reaper(store, clock).run(),
            **parts.secrets.work(),
            "metrics": metering.run(),
            "samples": Sampler(invoker.admission, pool.provisioned, metering.writer, clock).run(),
            "deployer": deployer.run(),
            "event sources": MappingReconciler(store).run(),
            "events": events.run(invoker),
            "deliveries": deliveries.run(RoutedDestinations(invoker, calls)),
            "environments": pool.reap(),
            "provisioned": pool.provisioned.run(),
            "provisioning": provisioner.run(),
            "stock": pool.fill(),
            "expectations": expectations.remember(),
            "code": _tidy(directory, pool, code),
        }.items():
            scope.spawn(work, name=name)
        await self._listen(data)

    def _exporter(self) -> SpanExporter | None:
        collector = self._config.collector()
        if collector is None:
            return None
        exporter = SpanExporter(collector)
        self._stack.push_async_callback(exporter.close)
        return exporter

    async def _listen(self, data: DataDir) -> None:
        config = self._config
        assert self._server is not None
        port = await self._server.start(config.host, config.port)
        self.endpoint = f"http://{_bracketed(config.host)}:{port}"
        data.announce(self.endpoint)

    async def _open_backend(self, data: DataDir) -> Backend:
        backend = catalog.backend(self._config, data)
        self._stack.push_async_callback(backend.close)
        # One waits for processes, the other parses: side by side the start is a tenth shorter.
        await asyncio.gather(backend.open(), asyncio.to_thread(_load_models))
        self.isolation, self.layers = backend.name, backend.layers
        self.isolated = backend.isolated
        return backend

    def _function_urls(
        self,
        store: Store,
        invoker: LambdaInvoker,
        keys: KeyRing,
        identities: Identities,
        metrics: FunctionMetrics,
    ) -> FunctionUrlServer:
        config = self._config
        urls = FunctionUrlDirectory(store)
        self._stack.callback(urls.close)
        return FunctionUrlServer(
            urls,
            invoker,
            Door(keys, identities.clock, account=config.account, auth=config.auth),
            partial(standing_of, identities, config.iam),
            clock=identities.clock,
            ids=identities.ids,
            limits=config.invoke.payloads,
            metrics=metrics,
        )

    def _authorizer(
        self,
        parts: catalog.Parts,
        calls: RoleCaller,
        operations: Mapping[str, Operations],
    ) -> Authorizer:
        rules = {each.name: each.access(parts) for each in catalog.SERVICES}
        authorizer = Authorizer(
            parts.identities,
            PoliciesByService(parts.secrets.policies),
            rules,
            mode=self._config.iam,
        )
        self._stack.push_async_callback(authorizer.used.write)
        calls.connect(operations, authorizer)
        parts.calls.connect(operations, authorizer)
        parts.secrets.connect(authorizer)
        return authorizer

    async def _secret_services(
        self,
        data: DataDir,
        store: Store,
        invoker: LambdaInvoker,
        clock: SystemClock,
        ids: SystemIds,
    ) -> SecretServices:
        services = SecretServices(store, data.secret("kms"), invoker, clock=clock, ids=ids)
        self._stack.callback(services.close)
        await services.open()
        return services

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
        await asyncio.gather(self._server.drain(grace_s), self._events.stop(grace_s))


def _load_models() -> None:
    """Have the models in memory that nearly every platform needs, before the first request."""
    for name in ("lambda", "logs"):
        assert service_model(name).operation_names


async def _identities(
    data: DataDir, store: Store, clock: SystemClock, ids: SystemIds
) -> Identities:
    identities = Identities(store, data.secret("access-keys"), clock=clock, ids=ids)
    await identities.open()
    return identities


async def _tidy(directory: Directory, pool: Pool, code: CodeTrees) -> None:
    """Delete, for ever, unpacked code that no version and no environment uses."""
    while True:
        await asyncio.sleep(_TIDY_EVERY_S)
        try:
            await code.keep_only(await directory.live_code() | pool.code_in_use())
        except (StoreError, OSError):
            log.exception("code.not_tidied")


def _raise_descriptor_limit() -> None:
    """An environment takes about ten descriptors of the daemon; most hosts allow far more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _bracketed(host: str) -> str:
    """IPv6 addresses stand in brackets in a URL."""
    return f"[{host}]" if ":" in host else host
