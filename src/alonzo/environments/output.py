"""What a runtime process prints, cut into log events.

Two pipes lead out of an environment: one that is its standard output and error together, where a
line is an event, and one with framed records, where a record is an event however many lines it has.
Both are read when the loop finds them readable, and once more when an invocation ends: what the
process wrote before it answered is then in the log before the END line.

A process may print faster than its log can be kept. Reading costs its pipe's budget, and a pipe in
debt is not read: it fills, and the writer waits.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import orjson

#: CloudWatch takes no larger event. Longer lines are cut, as AWS cuts them.
EVENT_BYTES_MAX = 1 << 18
_RECORD_BYTES_MAX = 16 * EVENT_BYTES_MAX

#: Bytes per wake-up: other descriptors get their turn while one process floods.
_READ_BYTES = 1 << 14

#: What a pipe holds. More cannot have been written before an answer, unless the process itself made
#: its pipe larger; what is beyond this then comes after the END line.
_PIPE_BYTES = 1 << 16

#: What one pipe may bring in the long run, and how much of it at once.
_EVENTS_PER_S = 20_000
_BYTES_PER_S = 16 << 20
_BURST_S = 0.25

#: One record: type, length, epoch microseconds. Source: AWS's Python runtime client.
_RECORD = struct.Struct(">IIQ")
_RECORD_TYPES = 0xA55A0000

#: A text, and the epoch seconds that its writer states; None: now.
OutputEvent = tuple[str, float | None]
OnEvents = Callable[[Sequence[OutputEvent]], None]


class Cutter(Protocol):
    """Turns bytes into events."""

    @property
    def rest(self) -> bytes | bytearray:
        """What has come of an event that is not whole yet."""
        ...

    def feed(self, data: bytes) -> list[OutputEvent]:
        """Take bytes, at most what a pipe holds; answers the events that they complete."""
        ...

    def finish(self) -> list[OutputEvent]:
        """Answers what is left; there will be no more of it."""
        ...


class LineCutter:
    """Events are lines."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[OutputEvent]:
        """Take bytes; answers each whole line, without its end."""
        lines, end, rest = data.rpartition(b"\n")
        events: list[OutputEvent] = []
        if end:
            first, _, lines = (self.rest + lines).partition(b"\n")
            events += _events(first, None)
            # Decoded as a whole: a line end is never a part of another character.
            text = lines.decode("utf-8", "replace")
            events += [(line, None) for line in text.split("\n") if line and not line.isspace()]
            self.rest = b""
        self.rest += rest
        if len(self.rest) > EVENT_BYTES_MAX:
            cut = len(self.rest) // EVENT_BYTES_MAX * EVENT_BYTES_MAX
            events += _events(self.rest[:cut], None)
            self.rest = self.rest[cut:]
        return events

    def finish(self) -> list[OutputEvent]:
        """Answers the line that has no end yet."""
        rest, self.rest = self.rest, b""
        return _events(rest, None)


class RecordCutter:
    """Events are framed records. Bytes that are no record are shown as text, not dropped."""

    def __init__(self) -> None:
        self.rest = bytearray()

    def feed(self, data: bytes) -> list[OutputEvent]:
        """Take bytes; answers each whole record, with its own time."""
        buffer = self.rest
        buffer += data
        events: list[OutputEvent] = []
        at = 0
        while len(buffer) - at >= _RECORD.size:
            kind, length, microseconds = _RECORD.unpack_from(buffer, at)
            if kind & 0xFFFF0000 != _RECORD_TYPES or length > _RECORD_BYTES_MAX:
                del buffer[:at]
                return events + self.finish()
            text_at, end = at + _RECORD.size, at + _RECORD.size + length
            if end > len(buffer):
                break
            events += _events(bytes(buffer[text_at:end]).rstrip(b"\n"), microseconds / 1e6)
            at = end
        del buffer[:at]
        return events

    def finish(self) -> list[OutputEvent]:
        """Answers an unfinished or broken record as text."""
        rest = bytes(self.rest)
        self.rest.clear()
        return _events(rest, None)


def _events(data: bytes, at_s: float | None) -> list[OutputEvent]:
    """Cut to the size of an event; an empty line is no event, as on AWS."""
    if not data:
        return []
    pieces = (data[i : i + EVENT_BYTES_MAX] for i in range(0, len(data), EVENT_BYTES_MAX))
    texts = (piece.decode("utf-8", "replace") for piece in pieces)
    return [(text, at_s) for text in texts if text and not text.isspace()]


#: Levels of the application log, by how much they matter, and other names that loggers use.
_LEVELS = {
    "TRACE": 0,
    "DEBUG": 1,
    "INFO": 2,
    "WARN": 3,
    "WARNING": 3,
    "ERROR": 4,
    "FATAL": 5,
    "CRITICAL": 5,
}


def is_shown(line: str, level: str) -> bool:
    """Whether a line gets into a JSON log whose application level is that.

    A line counts by its ``level`` if it is a JSON object that has one, else as INFO.
    Source: Lambda developer guide, log level filtering.
    """
    wanted = _LEVELS[level]
    stated = _stated_level(line) if wanted else None
    return _LEVELS.get(stated or "INFO", _LEVELS["INFO"]) >= wanted


def _stated_level(line: str) -> str | None:
    if '"level"' not in line or not line.lstrip().startswith("{"):
        return None
    try:
        document: Any = orjson.loads(line)
    except ValueError:
        return None
    level: Any = document.get("level")
    return level.upper() if isinstance(level, str) else None


class OutputPipe:
    """The reading end of one pipe out of an environment. ``emit`` gets one batch for each read."""

    def __init__(self, cutter: Cutter, emit: OnEvents) -> None:
        self._cutter = cutter
        self._emit = emit
        self._fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._fd, False)
        self._loop = asyncio.get_running_loop()
        # Until when what has been read so far is paid for, at the rates above.
        self._paid_at_s = 0.0
        self._pause: asyncio.TimerHandle | None = None
        #: When it was last looked at, all was read, and no event was left open.
        self.is_quiet = True
        self._loop.add_reader(self._fd, self._readable)

    def close_write_end(self) -> None:
        """Forget our copy of the writing end, once the process has its own."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._fd)
            return
        debt_s = self._pass_on(len(data), self._cutter.feed(data))
        self.is_quiet = len(data) < _READ_BYTES and not self._cutter.rest
        if debt_s > _BURST_S:
            self.is_quiet = False
            self._loop.remove_reader(self._fd)
            self._pause = self._loop.call_later(debt_s - _BURST_S, self._read_again)

    def _pass_on(self, n_bytes: int, events: list[OutputEvent]) -> float:
        """Emit a batch. Answers for how many seconds the pipe has brought more than its share."""
        now_s = self._loop.time()
        cost_s = max(len(events) / _EVENTS_PER_S, n_bytes / _BYTES_PER_S)
        self._paid_at_s = max(self._paid_at_s, now_s) + cost_s
        if events:
            self._emit(events)
        return self._paid_at_s - now_s

    def _read_again(self) -> None:
        self._pause = None
        self._loop.add_reader(self._fd, self._readable)

    def fileno(self) -> int:
        """The reading end, to ask the kernel about; -1 once it is closed."""
        return self._fd

    @property
    def has_open_event(self) -> bool:
        """Whether a part of an event has come, and not its end."""
        return bool(self._cutter.rest)

    def finish_event(self, *, read: bool = True) -> None:
        """Take what has been written, at most what the pipe holds, and end the event still open.

        ``read``: False where the caller knows that nothing is in the pipe.
        """
        if self._fd < 0:
            return
        data = b""
        if read:
            with suppress(BlockingIOError):
                data = os.read(self._fd, _PIPE_BYTES)
        events = self._cutter.feed(data) if data else []
        events += self._cutter.finish()
        if data or events:
            self._pass_on(len(data), events)
        self.is_quiet = len(data) < _PIPE_BYTES and self._pause is None

    def close(self) -> None:
        """Close both ends. Safe to call twice."""
        self.close_write_end()
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
