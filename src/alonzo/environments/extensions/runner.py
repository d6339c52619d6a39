"""All extensions of one generation of processes, and the APIs that these talk to.

From ``start()``, before the runtime initialises, to ``close()``, when everything inside has ended:

1. The external ones are started and register; only then the runtime may initialise.
2. Init ends when the runtime and every extension wait for an event, an invocation likewise. Whoever
   listens hears of both as one thing.
3. One that fails takes its environment with it.
4. In the end each may do its last work in its time.

The decisions are the roster's (``rules.py``); here are the processes, the clock and the order.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from typing import Protocol

from alonzo.environments import runtime_api
from alonzo.environments.api_server import ApiServer, forget_waiting
from alonzo.environments.extensions import api
from alonzo.environments.extensions.external import (
    ExternalProcess,
    LaunchError,
    describe_exit,
)
from alonzo.environments.extensions.rules import (
    EXTENSIONS_MAX,
    INVOKE,
    SHUTDOWN,
    Failure,
    Roster,
)
from alonzo.environments.reporter import Reporter
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.telemetry.api import DATES, TelemetryApi
from alonzo.environments.telemetry.hub import Telemetry
from alonzo.environments.telemetry.subscription import Kind, Subscription
from alonzo.environments.values import Invocation
from alonzo.environments.variables import RUNTIME_API_PORT
from alonzo.sandbox.base import Sandbox


class Listener(Protocol):
    """Hears what becomes of the extensions."""

    def everyone_ready(self) -> None:
        """The runtime waits for an event, and so does every extension."""
        ...

    def extension_failed(self, error_type: str, message: str) -> None:
        """One has failed; the environment's processes are to end."""
        ...


class Terminable(Protocol):
    """The runtime process, when it is time to go."""

    async def terminate(self, within_s: float) -> None:
        """Ask it to end, and return when it has, or had to be ended."""
        ...


class Extensions:
    """The extensions beside one runtime process. ``names`` are those of the external ones."""

    def __init__(
        self,
        sandbox: Sandbox,
        names: Sequence[str],
        about: api.FunctionFacts,
        reporter: Reporter,
        around: Surroundings,
    ) -> None:
        self.server = ApiServer()
        self._sandbox = sandbox
        self._names = names
        self._reporter = reporter
        self._around = around
        settings = around.settings
        self._roster = Roster(
            names,
            internal_s=settings.shutdown_internal_s,
            external_s=settings.shutdown_external_s,
        )
        self._by_name = self._roster.by_name
        self._api = api.ExtensionsApi(self._roster, about, around.ids, self._changed)
        self._telemetry = Telemetry(
            sandbox.connect,
            clock=around.clock,
            scope=around.scope,
            budget=around.telemetry_budget,
        )
        self._processes: list[ExternalProcess] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._listener: Listener | None = None
        self._registered: asyncio.Future[None] | None = None
        self._failure: Failure | None = None
        self._runtime_waits = False
        self._serving = False
        self._closed = False
        self.server.mount(runtime_api.DATE, runtime_api.NoRuntimeApi())
        self.server.mount(api.DATE, self._api)
        for kind, date in DATES.items():
            told = TelemetryApi(kind, self._roster, self._telemetry, self._subscribed)
            self.server.mount(date, told)
        reporter.telemetry = self._telemetry

    # Init

    async def serve(self) -> None:
        """Begin to answer on the port of the Runtime API. Safe to call twice."""
        if not self._serving:
            self._serving = True
            await self.server.serve(self._sandbox.listeners[RUNTIME_API_PORT])

    async def start(self, variables: Mapping[str, str]) -> Failure | None:
        """Start the external ones and wait until all have registered, or one has failed.

        The caller bounds the time, and asks afterwards whether it was closed meanwhile.
        """
        if not self._names:
            return None
        await self.serve()
        self._registered = asyncio.get_running_loop().create_future()
        launches = [self._launch(name, variables) for name in self._names[:EXTENSIONS_MAX]]
        await asyncio.gather(*launches)
        for name in self._names[EXTENSIONS_MAX:]:
            message = f"Extension limit ({EXTENSIONS_MAX}) reached"
            self._launch_failed(name, "TooManyExtensions", message)
        self._changed()
        if self._failure is None:
            await self._registered
        return self._failure

    async def _launch(self, name: str, variables: Mapping[str, str]) -> None:
        try:
            process = await ExternalProcess.start(
                self._sandbox,
                name,
                variables,
                emit=lambda events: self._reporter.extension_output(events),
                descriptors_max=self._around.settings.descriptors_max,
            )
        except LaunchError as err:
            self._launch_failed(name, err.error_type, str(err))
            return
        self._processes.append(process)
        if self._closed:
            process.close()
            return
        watch = self._watch(process)
        self._watchers.append(self._around.scope.spawn(watch, name=f"extension {name}"))

    def _launch_failed(self, name: str, error_type: str, message: str) -> None:
        failure = self._roster.launch_failed(name, error_type=error_type, message=message)
        self._failed(failure)

    async def _watch(self, process: ExternalProcess) -> None:
        status = await process.process.wait()
        how = describe_exit(status)
        failure = self._roster.exited(process.name, how, cleanly=status.code == 0)
        if failure is not None:
            self._failed(failure)

    def _failed(self, failure: Failure) -> None:
        if self._failure is not None or self._closed:
            return
        self._failure = failure
        if self._listener is not None:
            self._listener.extension_failed(failure.error_type, failure.message)
        if self._registered is not None and not self._registered.done():
            self._registered.set_result(None)

    def join(self, listener: Listener) -> None:
        """From now on the listener of the runtime hears of the extensions, too."""
        self._listener = listener
        if self._failure is not None:
            listener.extension_failed(self._failure.error_type, self._failure.message)

    def tell(self, reporter: Reporter) -> None:
        """From now on that one is told about them: they are restored, for an environment."""
        telemetry, self._reporter.telemetry = self._reporter.telemetry, None
        self._reporter, reporter.telemetry = reporter, telemetry
        # The runtime is at work again: what extensions do meanwhile ends nothing.
        self._runtime_waits = False

    def report_init(self, *, done: bool) -> None:
        """Tell what has become of each. If init is ``done``, it is too late to subscribe."""
        for each in self._roster:
            self._reporter.extension(each.name, str(each.state), each.events, each.error_type)
        if done:
            self._telemetry.close_subscriptions()
            if not self._telemetry.is_wanted:
                self._reporter.telemetry = None

    def _subscribed(self, name: str, subscription: Subscription, again: bool) -> None:
        kind: Kind = subscription.kind
        self._reporter.subscription(kind.value, name, subscription.types, again=again)

    # Invocations

    @property
    def at_work(self) -> bool:
        """Whether one is not done with its event yet."""
        return not self._roster.all_wait

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return not self._by_name

    def invoke(self, invocation: Invocation, deadline_ms: int) -> None:
        """Tell who wants to know that an event goes to the runtime. Before it does."""
        self._runtime_waits = False
        if not self._by_name:
            return
        document = {
            "eventType": INVOKE,
            "deadlineMs": deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_header},
        }
        for extension in self._roster.receivers(INVOKE):
            self._api.give(extension, document)

    def runtime_waits(self) -> bool:
        """The runtime waits for an event. Whether every extension does, too."""
        self._runtime_waits = True
        return self._roster.runtime_waits()

    def _changed(self) -> None:
        """An extension has asked for something that it was granted."""
        if self._registered is not None and not self._registered.done():
            if self._roster.all_registered:
                self._registered.set_result(None)
        elif self._runtime_waits and self._roster.all_wait and self._listener is not None:
            self._listener.everyone_ready()

    # Rest and end

    def pause(self) -> None:
        """The environment is about to be frozen."""
        self._telemetry.pause()

    def resume(self) -> None:
        """The environment runs again."""
        self._telemetry.resume()

    async def shutdown(self, reason: str, runtime: Terminable | None) -> None:
        """Let the runtime and those who want to know do their last work, in their time.

        ``reason`` is ``spindown``, ``timeout`` or ``failure``. Whoever is left is for the sandbox
        to end.
        """
        budget_s = self._roster.shutdown_s
        if not budget_s or self._closed:
            return
        clock = self._around.clock
        until_s = clock.monotonic_s() + budget_s
        self._roster.begin_shutdown()
        self.resume()
        self._telemetry.hurry()
        if runtime is not None:
            await runtime.terminate(self._roster.runtime_shutdown_s)
        left_s = until_s - clock.monotonic_s()
        document = {
            "eventType": SHUTDOWN,
            "shutdownReason": reason,
            "deadlineMs": int((clock.now_s() + left_s) * 1000),
        }
        told = self._roster.receivers(SHUTDOWN)
        for extension in told:
            self._api.give(extension, document)
        names = {extension.name for extension in told}
        for process in self._processes:
            if process.name not in names:
                process.process.signal(signal.SIGKILL)
        if self._watchers:
            await asyncio.wait(self._watchers, timeout=max(left_s, 0.0))

    def close(self) -> None:
        """Let go of everything; the processes have ended. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        self._reporter.telemetry = None
        self._telemetry.close()
        self.server.close()
        for watcher in self._watchers:
            watcher.cancel()
        for process in self._processes:
            process.close()
        if self._registered is not None and not self._registered.done():
            self._registered.set_result(None)

    def forget_waiting(self) -> None:
        """Drop what processes that were killed have left in the socket."""
        forget_waiting(self._sandbox.listeners[RUNTIME_API_PORT])
