"""One execution environment: the shell around ``machine.py`` that has the I/O and the clock.

An environment is used by one caller at a time: ``start()`` once, then ``reserve_nowait()``,
``invoke()`` and ``settle()`` in turn, then ``stop()``. What the runtime, its process and the clock
do meanwhile arrives as one signal at a time (``signals.py``).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace

from alonzo.environments import errors, machine
from alonzo.environments.extensions.external import extension_variables, find_extensions
from alonzo.environments.extensions.runner import Extensions
from alonzo.environments.freezer import Freezer, next_patience
from alonzo.environments.home import Home
from alonzo.environments.inits import (
    TIMEOUT,
    EnvironmentStoppedError,
    InitFailedError,
    InitFailure,
    end_reason,
    init_failure,
)
from alonzo.environments.intake import Intake
from alonzo.environments.journal import Journal
from alonzo.environments.machine import Event, State
from alonzo.environments.moving_in import move_in
from alonzo.environments.package import Package
from alonzo.environments.parameters_extension import ParametersExtension
from alonzo.environments.report import response_spans
from alonzo.environments.reporter import OpenReport, Reporter
from alonzo.environments.signals import (
    Answered,
    Failed,
    Lost,
    Ready,
    Signal,
    Stopped,
    TimedOut,
)
from alonzo.environments.snapshot_rules import INIT_S_MIN, RESTORE_S_MAX, restore_error
from alonzo.environments.snapshots import (
    Snapshots,
    facts_of,
    runtime_version,
    variables_of_restore,
)
from alonzo.environments.stock import Stock
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.values import (
    MIB_PER_CPU,
    Invocation,
    Outcome,
    Reply,
    Usage,
    billed_ms,
)
from alonzo.environments.variables import ON_DEMAND, PROVISIONED
from alonzo.model.functions import ServingVersion
from alonzo.model.limits import MIB

#: A peak of memory is read again after this long: what an invocation of microseconds can add to it
#: is less than what a REPORT rounds away.
_PEAK_AGE_S_MAX = 0.001


class Environment:
    """One sandbox and one runtime process for one function version.

    ``on_death`` is called, at most once, if the sandbox ends by itself. ``tenant_id`` names the
    only tenant it serves; None: its function does not keep tenants apart. ``provisioned``: it is
    kept ready for its version, whoever calls.
    """

    def __init__(
        self,
        version: ServingVersion,
        package: Package,
        around: Surroundings,
        stock: Stock,
        snapshots: Snapshots,
        freezer: Freezer,
        on_death: Callable[[Environment], None],
        *,
        tenant_id: str | None = None,
        provisioned: bool = False,
    ) -> None:
        self.version = version
        self.tenant_id = tenant_id
        self.provisioned = provisioned
        self.state = State.STARTING
        self.id = around.ids.hex(8)
        self.born_at_s = around.clock.monotonic_s()
        self.idle_since_s = self.born_at_s
        self.patience = 1
        self._frozen_at_s = 0.0
        self._package = package
        self._around = around
        self._settings = around.settings
        self._stock = stock
        self._snapshots = snapshots
        self._restores = False
        self._freezer = freezer
        self._on_death = on_death
        self._journal = Journal(version, around.sink, clock=around.clock, suffix=around.ids.hex(16))
        self._how = PROVISIONED if provisioned else ON_DEMAND
        self._reporter = Reporter(
            version,
            self._journal,
            clock=around.clock,
            meter=around.meter,
            initialization_type=self._how,
        )
        self._home: Home | None = None
        self._is_dead = False
        self._ending: asyncio.Task[None] | None = None
        self._freezing: asyncio.Task[None] | None = None
        self._init_ms: float | None = None
        self._restore_ms: float | None = None
        self._deadline_s = 0.0
        self._open_report: OpenReport | None = None
        self._end_because: str | None = None
        self._extensions: tuple[str, ...] = ()
        self._peak_mib = 0
        self._peak_read_at_s = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it can be reserved."""
        return not self._is_dead and self.state in (State.IDLE, State.FROZEN, State.DOWN)

    @property
    def is_warm(self) -> bool:
        """Whether it can be reserved, and its call would wait for no init."""
        runtime = None if self._home is None else self._home.runtime
        return self.is_idle and runtime is not None and not runtime.lost

    @property
    def is_settled(self) -> bool:
        """Whether ``settle()`` has nothing to wait for."""
        return self.state is not State.BUSY

    def _step(self, event: Event) -> None:
        self.state = machine.step(self.state, event)

    # Birth

    async def start(self) -> None:
        """Move into a sandbox and run the init phase.

        A failed init is no exception here: the environment is DOWN then, and the first invoke tries
        again inside its own timeout and answers with the error. One that is provisioned has more
        time, and must initialise.

        Raises:
            InitFailedError: it is provisioned, and could not.
            SandboxError: there is no sandbox to be had; ``stop()`` leaves nothing behind.
            AwsError: the snapshot that it was to be restored from could not be.
        """
        if self._package.layers is not None:
            self._extensions = await asyncio.to_thread(find_extensions, self._package.layers)
        self._home, self._restores = await move_in(
            self.version,
            self._package,
            self._stock,
            self._snapshots,
            lambda line: self._journal.write_lines(self._around.clock.now_s(), line),
        )
        self._home.on_end = self._died
        self._step(Event.HOUSED)
        timeout_s = self._settings.init_timeout_s
        if self._restores:
            timeout_s = RESTORE_S_MAX
        elif self.provisioned:
            timeout_s = max(INIT_S_MIN, float(self.version.timeout_s))
        failed = await self._init("init", timeout_s)
        self._refuse_if_stopped()
        if failed is not None and self.provisioned:
            raise InitFailedError(failed)
        if failed is not None and self._restores:
            raise restore_error(failed)
        self._step(Event.RUNTIME_READY if failed is None else Event.RUNTIME_LOST)
        if failed is not None or self.provisioned:
            # No call waited for it.
            self._init_ms = None
        self._rest()

    def _refuse_if_stopped(self) -> None:
        if self.state in (State.STOPPING, State.STOPPED):
            raise EnvironmentStoppedError(f"environment {self.id} was stopped")

    def _died(self) -> None:
        # It may be in the middle of its init, which ends some way or other before the stop begins.
        self._is_dead = True
        if self.state not in (State.STARTING, State.STOPPING, State.STOPPED):
            self._on_death(self)

    async def _init(self, phase: str, timeout_s: float) -> InitFailure | None:
        """Have the runtime initialise the function; None, or why it could not.

        It has every processor to itself meanwhile, and its share of one afterwards.
        """
        assert self._home is not None
        version = self.version
        began_s = self._around.clock.monotonic_s()
        extensions = Extensions(
            self._home.sandbox, self._extensions, facts_of(version), self._reporter, self._around
        )
        self._home.parameters = ParametersExtension.wanted(version, self._around)
        if self._restores:
            variables = variables_of_restore(extensions, version, self._around)
            self._reporter.restore_start(runtime_version(version, self._package))
        else:
            variables = self._home.variables(
                version,
                self._package.launch,
                log_stream=self._journal.stream.name,
                initialization_type=self._how,
            )
            self._reporter.init_start(phase, runtime_version(version, self._package))
        signal = await self._home.run(
            self._package.launch,
            variables,
            extensions=extensions,
            variables_of_extensions=extension_variables(
                variables, of_runtime=self._package.launch.environment, users=version.environment
            )
            if self._extensions
            else {},
            on_idle_loss=self._lost_while_idle,
            emit=self._reporter.function_output,
            timeout_s=timeout_s,
        )
        init_ms = (self._around.clock.monotonic_s() - began_s) * 1000
        failed = init_failure(signal)
        extensions.report_init(done=failed is None)
        error_type = failed.error_type if failed is not None else None
        if self._restores:
            self._restore_ms = init_ms
            self._reporter.restore_done(restore_ms=init_ms, error_type=error_type)
        else:
            self._init_ms = init_ms
            self._reporter.init_done(init_ms=init_ms, phase=phase, error_type=error_type)
        if failed is not None:
            if phase == "init":
                await self._end_runtime(end_reason(failed.error_type))
        elif self._settings.cpu_limited:
            self._home.sandbox.limit_cpu_nowait(self.version.memory_mib / MIB_PER_CPU)
        return failed

    # Use

    def reserve_nowait(self) -> None:
        """Take the environment for one invoke."""
        frozen = self.state is State.FROZEN
        self._step(Event.RESERVE)
        if frozen and self._home is not None:
            self._stop_freezing()
            self._thaw(self._home)
            frozen_s = self._around.clock.monotonic_s() - self._frozen_at_s
            self.patience = next_patience(self.patience, frozen_s)

    def give_back_nowait(self) -> None:
        """End a reservation that came to nothing."""
        self._leave_busy(Event.INVOKE_DONE)

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run one attempt until it is answered. The environment was reserved.

        It may still be at work afterwards: ``settle()`` follows, unless ``is_settled``.

        Raises:
            EnvironmentStoppedError: it was ended from outside.
            SandboxError: the runtime could not be started again.
        """
        self._refuse_if_stopped()
        clock, request_id = self._around.clock, invocation.request_id
        if invocation.log_tail:
            self._journal.start_tail()
        ending, self._ending = self._ending, None
        if ending is not None:
            await ending
        begin_s, now_s = clock.monotonic_s(), clock.now_s()
        self._deadline_s = begin_s + self.version.timeout_s
        deadline_ms = int((now_s + self.version.timeout_s) * 1000)
        payload, error_type, lost = await self._run(invocation, deadline_ms)
        end_s = clock.monotonic_s()
        duration_ms = (end_s - begin_s) * 1000
        home = self._home
        if home is not None and home.runtime is not None:
            home.runtime.finish_output()
        usage = self._usage(duration_ms, end_s)
        produced_bytes, spans, intake = len(payload), (), invocation.intake
        if intake is not None and intake.began_at_s is not None:
            produced_bytes = usage.streamed_bytes = intake.n_bytes
            spans = response_spans(now_s, intake.began_at_s - begin_s, end_s - intake.began_at_s)
        extensions = None if home is None else home.extensions
        if extensions is None or extensions.is_empty or lost:
            self._reporter.finished(request_id, usage, error_type, produced_bytes, spans)
        else:
            self._reporter.done(request_id, error_type, duration_ms, produced_bytes, spans)
            self._open_report = OpenReport(request_id, usage, error_type, begin_s, clock.now_s())
            if not extensions.at_work:
                self._report_rest(Ready())
        if lost and (extensions is None or extensions.is_empty):
            await self._end_runtime(end_reason(error_type))
            self._leave_busy(Event.RUNTIME_LOST)
        elif lost:
            # The caller does not wait for the last work of extensions: settle() does.
            self._end_because = end_reason(error_type)
        elif home is not None and home.signals is not None and home.signals.ready:
            self._leave_busy(Event.INVOKE_DONE)
        return Outcome(payload, error_type, usage, self._journal.take_tail())

    async def settle(self) -> None:
        """Wait until the runtime and all extensions wait for an event, in what is left of the time.

        If the runtime was lost: until its extensions have done their last work.
        """
        reason, self._end_because = self._end_because, None
        if self.is_settled or self._home is None:
            return
        if reason is None:
            signals = self._home.signals
            if signals is None:
                return
            signals.expect_ready()
            signal = await signals.wait(self._deadline_s - self._around.clock.monotonic_s())
            self._report_rest(signal)
            if isinstance(signal, Ready):
                self._leave_busy(Event.INVOKE_DONE)
            if isinstance(signal, Ready | Stopped):
                return
            reason = "timeout" if isinstance(signal, TimedOut) else "failure"
        await self._end_runtime(reason)
        self._leave_busy(Event.RUNTIME_LOST)

    def _report_rest(self, signal: Signal) -> None:
        """Write the accounts of an invocation that extensions kept open."""
        opened, self._open_report = self._open_report, None
        if opened is None:
            return
        duration_ms = (self._around.clock.monotonic_s() - opened.begin_s) * 1000
        usage = replace(
            opened.usage,
            duration_ms=duration_ms,
            billed_ms=billed_ms(duration_ms, opened.usage.init_ms, opened.usage.restore_ms),
        )
        failed = None if isinstance(signal, Ready | Stopped) else init_failure(signal)
        self._reporter.report(
            opened.request_id,
            usage,
            opened.error_type if failed is None else failed.error_type,
            extensions_since_s=opened.done_at_s,
            extensions_ms=duration_ms - opened.usage.duration_ms,
        )

    def _leave_busy(self, event: Event) -> None:
        # The environment may have been stopped meanwhile.
        if self.state is State.BUSY:
            self._step(event)
            self._rest()

    async def _run(
        self, invocation: Invocation, deadline_ms: int
    ) -> tuple[bytes, str | None, bool]:
        """Payload, error type, and whether the runtime is lost."""
        assert self._home is not None
        request_id = invocation.request_id
        if self._home.runtime is not None and self._home.runtime.lost:
            await self._end_runtime("failure")
        if self._home.runtime is None:
            failed = await self._init("invoke", float(self.version.timeout_s))
            self._init_ms = None
            if failed is not None:
                self._reporter.start(invocation)
                document = failed.as_document(request_id, float(self.version.timeout_s))
                return document, failed.error_type, True
            self._refuse_if_stopped()
        self._reporter.start(invocation)
        runtime, extensions = self._home.runtime, self._home.extensions
        assert runtime is not None
        assert extensions is not None
        signals = runtime.signals
        signals.expect_answer(request_id)
        extensions.invoke(invocation, deadline_ms)
        runtime.link.send(invocation, deadline_ms)
        match await signals.wait(self._deadline_s - self._around.clock.monotonic_s()):
            case Answered(reply):
                return *self._judge(reply, invocation.intake), runtime.lost
            case Lost(status):
                error_type, message = errors.describe_exit(status)
                document = errors.error_document(error_type, message, request_id)
                return document, error_type, True
            case Failed(error_type, message):
                document = errors.error_document(error_type, message, request_id)
                return document, error_type, True
            case TimedOut():
                document = errors.timeout_document(request_id, float(self.version.timeout_s))
                return document, TIMEOUT, True
            case _:
                raise EnvironmentStoppedError(f"environment {self.id} was stopped")

    def _judge(self, reply: Reply, intake: Intake | None) -> tuple[bytes, str | None]:
        limit = self._settings.response_bytes_max
        if intake is not None and intake.began_at_s is not None:
            limit = intake.bytes_max
        if reply.too_large or len(reply.payload) > limit:
            return errors.too_large_document(limit), "Function.ResponseSizeTooLarge"
        if reply.error_type is None:
            return reply.payload, None
        return reply.payload, errors.clean_error_type(reply.error_type)

    def _usage(self, duration_ms: float, now_s: float) -> Usage:
        assert self._home is not None
        init_ms, self._init_ms = self._init_ms, None
        restore_ms, self._restore_ms = self._restore_ms, None
        if now_s - self._peak_read_at_s > _PEAK_AGE_S_MAX:
            self._peak_mib = math.ceil(self._home.sandbox.peak_bytes() / MIB)
            self._peak_read_at_s = now_s
        return Usage(
            duration_ms=duration_ms,
            billed_ms=billed_ms(duration_ms, init_ms, restore_ms),
            init_ms=init_ms,
            restore_ms=restore_ms,
            memory_mib=self.version.memory_mib,
            peak_memory_mib=min(self._peak_mib, self.version.memory_mib),
            provisioned=self.provisioned,
        )

    # Rest and end

    def _rest(self) -> None:
        """Note when idleness began; if it lasts, the environment is frozen."""
        self.idle_since_s = self._around.clock.monotonic_s()
        if self.state is State.IDLE:
            self._freezer.rest(self)

    def freeze_nowait(self) -> None:
        """Freeze, if it is idle."""
        if self.state is State.IDLE and self._home is not None:
            self._step(Event.FREEZE)
            self._frozen_at_s = self._around.clock.monotonic_s()
            if self._home.extensions is not None:
                self._home.extensions.pause()
            self._freezing = self._around.scope.spawn(
                self._home.sandbox.freeze(), name=f"freeze {self.id}"
            )

    def _stop_freezing(self) -> None:
        if self._freezing is not None:
            self._freezing.cancel()
            self._freezing = None

    def _lost_while_idle(self) -> None:
        if self.state in (State.IDLE, State.FROZEN):
            self._stop_freezing()
            self._step(Event.RUNTIME_LOST)
            if self.provisioned:
                # Another one is made: no call is to wait for an init.
                self._on_death(self)
                return
            name = f"end runtime {self.id}"
            self._ending = self._around.scope.spawn(self._end_runtime("failure"), name=name)

    async def _end_runtime(self, reason: str) -> None:
        """End every process of the sandbox; ``/tmp`` stays. Extensions are told the reason."""
        if self._home is not None:
            await self._shut_down(self._home, reason)
            await self._home.end_runtime()

    async def _shut_down(self, home: Home, reason: str) -> None:
        if home.extensions is not None and not home.extensions.is_empty:
            self._thaw(home)
            await home.extensions.shutdown(reason, home.runtime)

    def _thaw(self, home: Home) -> None:
        home.sandbox.thaw_nowait()
        if home.extensions is not None:
            home.extensions.resume()

    async def stop(self) -> None:
        """End the environment and leave no trace. Safe to call twice."""
        if self.state in (State.STOPPING, State.STOPPED):
            return
        self._step(Event.STOP)
        self._stop_freezing()
        home = self._home
        if home is not None:
            if home.signals is not None:
                home.signals.stop()
            await self._shut_down(home, "spindown")
            await home.close()
        self._step(Event.SANDBOX_CLOSED)
