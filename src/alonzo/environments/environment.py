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

from alonzo.environments import machine
from alonzo.environments.beginning import Beginning
from alonzo.environments.freezer import Freezer, next_patience
from alonzo.environments.home import Home
from alonzo.environments.inits import (
    EnvironmentStoppedError,
    InitFailedError,
    InitFailure,
    end_reason,
    init_failure,
)
from alonzo.environments.journal import Journal
from alonzo.environments.machine import Event, State
from alonzo.environments.moving_in import move_in
from alonzo.environments.package import Package
from alonzo.environments.report import response_spans
from alonzo.environments.reporter import OpenReport, Reporter
from alonzo.environments.signals import Ready, RuntimeSignals, Signal, Stopped, TimedOut
from alonzo.environments.snapshot_rules import INIT_S_MIN, RESTORE_S_MAX, restore_error
from alonzo.environments.snapshot_sources import extensions_of
from alonzo.environments.snapshots import Snapshots
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
from alonzo.environments.variables import ON_DEMAND, PROVISIONED, SNAP_START
from alonzo.environments.verdicts import judge_end, judge_reply
from alonzo.model.functions import ServingVersion
from alonzo.model.limits import MIB

#: A peak of memory is read again after a rest, and once invocations have run for this long: what
#: those of microseconds can add to it is hardly more than what a REPORT rounds away.
_PEAK_AGE_MS_MAX = 2.0


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
        self._forked = False
        self._freezer = freezer
        self._on_death = on_death
        self._journal = Journal(version, around.sink, clock=around.clock, suffix=around.ids.hex(16))
        self._how = PROVISIONED if provisioned else ON_DEMAND
        if version.snap_start:
            self._how = SNAP_START
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
        self._peak_age_ms = math.inf

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
    def _is_restored_once(self) -> bool:
        """Whether it cannot be restored again, and so ends with its runtime."""
        return self.version.snap_start and not self._forked

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
        time, and must initialise; one with SnapStart has more time, and must be restored.

        Raises:
            InitFailedError: it is provisioned, and could not.
            SandboxError: there is no sandbox to be had; ``stop()`` leaves nothing behind.
            AwsError: it could not be restored.
        """
        self._extensions = await extensions_of(self._package)
        self._home, self._forked = await move_in(
            self.version, self._package, self._stock, self._snapshots
        )
        self._home.on_end = self._died
        self.born_at_s = self._home.prepared_at_s or self.born_at_s
        self._step(Event.HOUSED)
        timeout_s = self._settings.init_timeout_s
        if self.provisioned or self.version.snap_start:
            timeout_s = max(INIT_S_MIN, float(self.version.timeout_s))
        failed = await self._init("init", timeout_s)
        self._refuse_if_stopped()
        if failed is not None and self.provisioned:
            raise InitFailedError(failed)
        if failed is not None and self._restore_ms is not None:
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
        """Have the runtime initialise the function, be restored, or both; None, or why it failed.

        It has every processor to itself meanwhile, and its share of one afterwards.
        """
        assert self._home is not None
        beginning = Beginning(
            self._home,
            self.version,
            self._package,
            self._around,
            self._reporter,
            self._lost_while_idle,
        )
        failed = None
        if not self._forked and self._home.extensions is None:
            failed, self._init_ms = await beginning.init(
                self._how,
                timeout_s=timeout_s,
                names=self._extensions,
                phase=phase,
                log_stream=self._journal.stream.name,
            )
        if failed is None and self.version.snap_start:
            # An init that could have been done ahead is no part of the call.
            self._init_ms = None
            limit_s = min(timeout_s, RESTORE_S_MAX)
            failed, self._restore_ms = await beginning.restore(limit_s)
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
        self.state = machine.step(self.state, Event.RESERVE)
        if frozen and self._home is not None:
            self._stop_freezing()
            self._home.thaw_nowait()
            # It may be the last call for long: nobody would correct what its REPORT says.
            self._peak_age_ms = math.inf
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
        clock = self._around.clock
        if invocation.log_tail:
            self._journal.start_tail()
        ending, self._ending = self._ending, None
        if ending is not None:
            await ending
        begin_s, now_s = clock.monotonic_s(), clock.now_s()
        self._deadline_s = begin_s + self.version.timeout_s
        runtime, failed = None if self._home is None else self._home.runtime, None
        if runtime is None or runtime.signals.gone or self.state is not State.BUSY:
            failed = await self._begin_again()
        self._reporter.start(invocation)
        if failed is None:
            signals = self._hand_over(invocation, now_s)
            try:
                signal = await signals.next(self._deadline_s - clock.monotonic_s())
            finally:
                signals.heard()
            payload, error_type, lost = self._judge(signal, invocation)
        else:
            payload = failed.as_document(invocation.request_id, float(self.version.timeout_s))
            error_type, lost = failed.error_type, True
        usage = self._report(invocation, (begin_s, now_s), payload, error_type, lost=lost)
        home = self._home
        if lost and (home is None or home.extensions is None or home.extensions.is_empty):
            await self._end_runtime(end_reason(error_type))
            self._leave_busy(Event.RUNTIME_LOST)
        elif lost:
            # The caller does not wait for the last work of extensions: settle() does.
            self._end_because = end_reason(error_type)
        elif home is not None and home.runtime is not None and home.runtime.signals.ready:
            self._leave_busy(Event.INVOKE_DONE)
        log_tail = self._journal.take_tail() if invocation.log_tail else None
        return Outcome(payload, error_type, usage, log_tail)

    async def _begin_again(self) -> InitFailure | None:
        """Have a runtime that waits for an event, if there is none; None, or why not."""
        self._refuse_if_stopped()
        assert self._home is not None
        if self._home.runtime is not None and self._home.runtime.lost:
            await self._end_runtime("failure")
        if self._home.runtime is not None:
            return None
        failed = await self._init("invoke", float(self.version.timeout_s))
        self._init_ms = None
        if failed is None:
            self._refuse_if_stopped()
        return failed

    def _hand_over(self, invocation: Invocation, now_s: float) -> RuntimeSignals:
        """Give the event to the runtime, and to extensions; answers who hears what comes of it.

        It began at ``now_s``, epoch seconds.
        """
        assert self._home is not None
        runtime, extensions = self._home.runtime, self._home.extensions
        assert runtime is not None
        assert extensions is not None
        deadline_ms = int((now_s + self.version.timeout_s) * 1000)
        signals = runtime.signals
        signals.expect_answer(invocation.request_id)
        extensions.invoke(invocation, deadline_ms)
        runtime.link.send(invocation, deadline_ms)
        return signals

    def _judge(self, signal: Signal, invocation: Invocation) -> tuple[bytes, str | None, bool]:
        """Payload, error type, and whether the runtime is lost.

        Raises:
            EnvironmentStoppedError: the environment was.
        """
        # Nearly always so, and a pattern takes longer to match.
        if type(signal) is Reply:
            limit, intake = self._settings.response_bytes_max, invocation.intake
            if intake is not None and intake.began_at_s is not None:
                limit = intake.bytes_max
            runtime = None if self._home is None else self._home.runtime
            lost = runtime is None or runtime.signals.gone
            return *judge_reply(signal, limit), lost
        ended = judge_end(signal, invocation.request_id, float(self.version.timeout_s))
        if ended is None:
            raise EnvironmentStoppedError(f"environment {self.id} was stopped")
        return *ended, True

    def _report(
        self,
        invocation: Invocation,
        began_at_s: tuple[float, float],
        payload: bytes,
        error_type: str | None,
        *,
        lost: bool,
    ) -> Usage:
        """Tell of an invocation that is answered, and what it used.

        ``began_at_s`` is of the monotonic clock, and of the other.
        """
        clock, request_id, home = self._around.clock, invocation.request_id, self._home
        assert home is not None
        begin_s, now_s = began_at_s
        end_s = clock.monotonic_s()
        duration_ms = (end_s - begin_s) * 1000
        if home.runtime is not None:
            home.runtime.finish_output()
        usage = self._usage(duration_ms)
        produced_bytes, spans, intake = len(payload), (), invocation.intake
        if intake is not None and intake.began_at_s is not None:
            produced_bytes = usage.streamed_bytes = intake.n_bytes
            spans = response_spans(now_s, intake.began_at_s - begin_s, end_s - intake.began_at_s)
        extensions = home.extensions
        if extensions is None or extensions.is_empty or lost:
            self._reporter.finished(request_id, usage, error_type, produced_bytes, spans)
        else:
            self._reporter.done(request_id, error_type, duration_ms, produced_bytes, spans)
            self._open_report = OpenReport(request_id, usage, error_type, begin_s, clock.now_s())
            if not extensions.at_work:
                self._report_rest(Ready())
        return usage

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
            if event is Event.RUNTIME_LOST:
                self._is_dead = self._is_dead or self._is_restored_once
            self.state = machine.step(self.state, event)
            self._rest()

    def _usage(self, duration_ms: float) -> Usage:
        assert self._home is not None
        init_ms, self._init_ms = self._init_ms, None
        restore_ms, self._restore_ms = self._restore_ms, None
        self._peak_age_ms += duration_ms
        if self._peak_age_ms > _PEAK_AGE_MS_MAX:
            self._peak_mib = math.ceil(self._home.sandbox.peak_bytes() / MIB)
            self._peak_age_ms = 0.0
        memory_mib = self.version.memory_mib
        billed, peak_mib = billed_ms(duration_ms, init_ms, restore_ms), self._peak_mib
        # With its fields by name it would take three times as long, for each invocation.
        usage = Usage(duration_ms, billed, init_ms, memory_mib, min(peak_mib, memory_mib))
        usage.restore_ms = restore_ms
        usage.provisioned = self.provisioned
        return usage

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
            if self.provisioned or self._is_restored_once:
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
            home.thaw_nowait()
            await home.extensions.shutdown(reason, home.runtime)

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
