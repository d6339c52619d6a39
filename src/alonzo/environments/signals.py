"""What a runtime, its process and the clock report, one signal at a time.

One object for one runtime process, so that nothing late of a process that is gone reaches the next.
Whoever needs a report says first what it expects and only then does what can bring it about; so no
report is lost for coming early. What nobody expects changes nothing: a runtime runs a user's code
and may say anything at any time.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from alonzo.environments.values import Reply
from alonzo.lib.tasks import Moment, Turn
from alonzo.sandbox.base import ExitStatus, Process

log = logging.getLogger("alonzo.environments")

#: What is expected besides the answer to a request, whose id stands for itself.
_INIT = "the end of init"
_READY = "the runtime to wait for an event"
_READINESS = (_INIT, _READY)


@dataclass(frozen=True, slots=True)
class Ready:
    """The runtime waits for an event."""


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The runtime could not initialise the function."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Lost:
    """The process has ended."""

    status: ExitStatus


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time that was allowed is over."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The environment is being ended from outside."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An extension has failed, and its environment with it."""

    error_type: str
    message: str


#: A reply is the answer to the request.
Signal = Ready | InitFailed | Reply | Lost | TimedOut | Stopped | Failed


class Others(Protocol):
    """What runs beside the runtime and is waited for, too."""

    def runtime_waits(self) -> bool:
        """The runtime waits for an event. Whether the others do, too."""
        ...


class RuntimeSignals:
    """Listens to one runtime process. ``on_idle_loss`` is called if it ends while nobody waits."""

    def __init__(self, on_idle_loss: Callable[[], None]) -> None:
        self.on_idle_loss = on_idle_loss
        self._expected: str | None = None
        self._waiting: Moment[Signal] | None = None
        self._process: Process | None = None
        # One timer for all waits: a wait that ends in time leaves it for the next one to move.
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0
        self._until_s = 0.0
        self._turn = Turn.of_loop()
        self._loop = self._turn.loop
        self._broken = False
        self._stopped = False
        self.others: Others | None = None
        self.failed: Failed | None = None
        self.lost: ExitStatus | None = None
        #: The process has ended, or has to because of another one.
        self.gone = False
        self.ready = False

    def attach(self, process: Process) -> None:
        """The process has been started."""
        self._process = process
        if self._broken:
            process.signal(signal.SIGKILL)

    # Waiting

    def expect_init(self) -> None:
        """From now on ``Ready`` and ``InitFailed`` count."""
        self._expect(_INIT)

    def expect_answer(self, request_id: str) -> None:
        """From now on the answer to that request counts."""
        self.ready = False
        self._expect(request_id)

    def expect_ready(self) -> None:
        """From now on ``Ready`` counts; also one that has come already."""
        self._expect(_READY)
        if self.ready:
            self._give(Ready())

    def _expect(self, what: str) -> None:
        self._expected = what
        self._waiting = Moment(loop=self._loop)
        if self._stopped:
            self._give(Stopped())
        elif self.failed is not None:
            self._give(self.failed)
        elif self.lost is not None:
            self._give(Lost(self.lost))

    async def wait(self, timeout_s: float) -> Signal:
        """The signal that was expected, or the loss, the stop or the end of time before it."""
        try:
            return await self.next(timeout_s)
        finally:
            self.heard()

    def next(self, timeout_s: float) -> Moment[Signal]:
        """What ``wait`` waits for, at less cost: ``heard`` must follow, whatever comes of it."""
        waiting = self._waiting
        assert waiting is not None, "say first what you expect"
        # A timer of zero seconds would come after whatever is readable: a runtime that never stops
        # talking could keep it away.
        if timeout_s <= 0:
            self._give(TimedOut())
            return waiting
        self._until_s = self._loop.time() + timeout_s
        if self._timer is None or self._timer_at_s > self._until_s:
            self._set_timer()
        return waiting

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at_s = self._until_s
        self._timer = self._loop.call_at(self._until_s, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        # Of a wait that ended in time: this one has longer. Timers may come a little early.
        if self._until_s > self._timer_at_s:
            self._set_timer()
        else:
            self._give(TimedOut())

    def heard(self) -> None:
        """Whoever waited has gone on."""
        self._waiting = self._expected = None

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give(self, signal: Signal) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.give(signal, self._turn)

    def stop(self) -> None:
        """Tell who waits, now or later, that the environment is being ended."""
        self._stopped = True
        self._give(Stopped())

    # The link and the process report

    def runtime_ready(self) -> None:
        """Link: the runtime waits for an event."""
        if self.others is None or self.others.runtime_waits():
            self.everyone_ready()

    def everyone_ready(self) -> None:
        """Extensions: nobody is at work any more."""
        self.ready = True
        if self._expected in _READINESS:
            self._give(Ready())

    def runtime_answered(self, request_id: str, reply: Reply) -> None:
        """Link: an answer."""
        if self._expected == request_id:
            self._give(reply)

    def runtime_init_failed(self, reply: Reply) -> None:
        """Link: the runtime could not initialise the function."""
        if self._expected == _INIT:
            self._give(InitFailed(reply))

    def runtime_broke_protocol(self, detail: str) -> None:
        """Link: no more can be heard. If the process has not ended by itself, it ends now.

        How it ended is for ``runtime_exited`` to say: a process that exits closes its link, too,
        and either report may be first.
        """
        log.info("environment.link_broken", extra={"detail": detail})
        self._broken = True
        if self._process is not None:
            self._process.signal(signal.SIGKILL)

    def extension_failed(self, error_type: str, message: str) -> None:
        """Extensions: one has failed."""
        if self.failed is None:
            self.failed = Failed(error_type, message)
            self.gone = True
            self.ready = False
            if self._waiting is not None:
                self._give(self.failed)
            else:
                self.on_idle_loss()

    def runtime_exited(self, status: ExitStatus) -> None:
        """Process: it has ended."""
        self.lost = status
        self.gone = True
        self.ready = False
        if self._waiting is not None:
            self._give(Lost(status))
        else:
            self.on_idle_loss()
