"""Implements ``model.ports.audit``: from an event to a line on disk.

* An event becomes a line at once, so nothing secret waits in memory; lines go to disk together,
  at most ``GATHER_S`` after the first of them, and are synced there. A call's answer does not wait
  for that: what a kill or a power cut takes is the last ``GATHER_S`` or so. The next start says in
  the log that the last stop was none (``AuditLogStarted``, ``cleanStop`` false).
* A disk that takes nothing stops nobody. Lines wait in memory, up to a bound; past it new ones are
  counted and dropped. Both are said in the daemon's log, and once lines can be written again a
  record ``AuditRecordsLost`` has the number of those that are missing.
* ``close()`` writes what is left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import orjson

from alonzo.audit import names
from alonzo.audit.files import AuditFiles
from alonzo.audit.masking import Masks
from alonzo.audit.record import encode, own_record, record_of, record_of_refusal
from alonzo.audit.refusals import RefusalBudget
from alonzo.audit.settings import AuditSettings
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.ports.audit import AuditEvent, TurnedAway

log = logging.getLogger("alonzo.audit")

T = TypeVar("T")

#: How long lines are gathered before they are written and synced.
GATHER_S = 0.05
#: How long a disk that refused is left alone.
RETRY_S = 1.0
#: How often old files are looked after, and a failure is said again.
_TIDY_EVERY_S = 60.0

STARTED, STOPPED = "AuditLogStarted", "AuditLogStopped"
LOST, REFUSALS = "AuditRecordsLost", "AuthenticationFailures"


class AuditWriter:
    """One audit log. ``run()`` writes; ``close()`` ends it."""

    def __init__(
        self,
        files: AuditFiles,
        masks: Masks,
        *,
        mode: Literal["management", "all"],
        account: str,
        clock: Clock,
        ids: IdSource,
        settings: AuditSettings,
    ) -> None:
        self._files = files
        self._masks = masks
        self._with_data = mode == "all"
        self._account = account
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._lines: list[bytes] = []
        self._n_bytes = 0
        self._lost = 0
        self._refusals = RefusalBudget(settings.refusals_per_minute)
        self._wake = asyncio.Event()
        self._said_at_s = float("-inf")

    def open(self) -> None:
        """Begin, and say in the log how the last run ended. Blocking.

        Raises:
            OSError: the log cannot be written.
        """
        last = self._files.open()
        clean = not last or _name_of(last) == STOPPED
        self._own(STARTED, {"cleanStop": clean})
        self._files.append(b"".join(self._take()))

    def wants(self, service: str, operation: str) -> bool:
        """Implements ``AuditLog``."""
        return self._with_data or not names.is_data_event(service, operation)

    def note_nowait(self, event: AuditEvent) -> None:
        """Implements ``AuditLog``."""
        if not self.wants(event.service, event.operation):
            return
        try:
            record = record_of(event, self._masks, self._ids.uuid(), self._clock.now_s())
            self._put(encode(record))
        except Exception:
            # The call itself must go on. What cannot be described is missing, and is counted.
            self._lost += 1
            log.exception("audit.not_described", extra={"request_id": event.request_id})

    def turned_away_nowait(self, event: TurnedAway) -> None:
        """Implements ``AuditLog``."""
        if self._refusals.take(event.reason, event.source_ip, self._clock.monotonic_s()):
            record = record_of_refusal(event, self._account, self._ids.uuid(), self._clock.now_s())
            self._put(encode(record))
        else:
            self._wake.set()

    async def run(self) -> None:
        """Write, for ever, what comes."""
        tidy_at_s = 0.0
        while True:
            await self._wait(tidy_at_s)
            await asyncio.sleep(GATHER_S)
            now_s = self._clock.monotonic_s()
            due_at_s = self._refusals.due_at_s()
            if due_at_s is not None and now_s >= due_at_s:
                self._own(REFUSALS, self._refusals.sum_up(now_s))
            try:
                if self._lines or self._lost:
                    await self._write()
                if now_s >= tidy_at_s:
                    tidy_at_s = now_s + _TIDY_EVERY_S
                    if await _in_thread(self._files.tidy):
                        tidy_at_s = now_s
            except OSError as error:
                self._say("audit.not_written", reason=str(error), waiting=len(self._lines))
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        """Write what is left, and that this is the end. What cannot be written is lost."""
        if self._refusals.due_at_s() is not None:
            self._own(REFUSALS, self._refusals.sum_up(0.0))
        self._own(STOPPED, {})
        try:
            await self._write()
        except OSError as error:
            log.error(  # noqa: TRY400 - the reason is all there is to it
                "audit.not_written", extra={"reason": str(error), "lost": len(self._lines)}
            )
        finally:
            self._files.close()

    async def _wait(self, tidy_at_s: float) -> None:
        """Wait until there is something to do."""
        if self._lines or self._lost:
            return
        due_at_s = self._refusals.due_at_s()
        until_s = tidy_at_s if due_at_s is None else min(tidy_at_s, due_at_s)
        self._wake.clear()
        try:
            async with asyncio.timeout(max(0.0, until_s - self._clock.monotonic_s())):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _write(self) -> None:
        """Write every line that is here; they stay if it fails.

        Raises:
            OSError: the disk refuses.
        """
        lost, self._lost = self._lost, 0
        lines = self._take()
        if lost:
            lines.append(self._line(LOST, {"count": lost}))
        try:
            await _in_thread(self._files.append, b"".join(lines))
        except OSError:
            self._lost += lost
            if lost:
                lines.pop()
            self._lines[:0] = lines
            self._n_bytes += sum(map(len, lines))
            raise

    def _take(self) -> list[bytes]:
        lines, self._lines, self._n_bytes = self._lines, [], 0
        return lines

    def _put(self, line: bytes) -> None:
        if self._n_bytes + len(line) > self._settings.queue_bytes_max:
            self._lost += 1
            self._say("audit.records_lost", lost=self._lost)
            return
        self._lines.append(line)
        self._n_bytes += len(line)
        self._wake.set()

    def _own(self, name: str, details: dict[str, Any]) -> None:
        self._put(self._line(name, details))

    def _line(self, name: str, details: dict[str, Any]) -> bytes:
        return encode(
            own_record(name, details, self._account, self._ids.uuid(), self._clock.now_s())
        )

    def _say(self, event: str, **facts: Any) -> None:
        """Into the daemon's log, but not more often than once a minute."""
        now_s = self._clock.monotonic_s()
        if now_s - self._said_at_s >= _TIDY_EVERY_S:
            self._said_at_s = now_s
            log.error(event, extra=facts)


async def _in_thread(step: Callable[..., T], *arguments: Any) -> T:
    """Run a step that blocks. Who is cancelled waits for its end: files are one thread's at a time.

    Raises:
        OSError: the step's own; it comes before a cancellation, which then comes again.
    """
    work = asyncio.get_running_loop().run_in_executor(None, step, *arguments)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        task = asyncio.current_task()
        if work.exception() is not None and task is not None:
            task.get_loop().call_soon(task.cancel)
            work.result()
        raise


def _name_of(line: bytes) -> str:
    try:
        return str(orjson.loads(line)["eventName"])
    except (ValueError, TypeError, KeyError):
        return ""
