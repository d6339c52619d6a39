"""The log of one environment: its stream, and the tail of the invocation in flight."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from alonzo.lib.clock import Clock, utc
from alonzo.model.functions import ServingVersion
from alonzo.model.limits import LOG_TAIL_BYTES
from alonzo.model.ports.logs import LateEvents, LogEvent, LogSink, LogStream


def stream_name(version: ServingVersion, now_s: float, suffix: str) -> str:
    """``2026/11/20/[$LATEST]<32 hex>``; a group of the user's own also names the function."""
    day = utc(now_s).strftime("%Y/%m/%d")
    own = version.log_group == f"/aws/lambda/{version.key.name}"
    return f"{day}/{'' if own else version.key.name}[{version.version}]{suffix}"


class Journal:
    """Takes an environment's log lines in order. It is made when the environment is."""

    def __init__(
        self, version: ServingVersion, sink: LogSink, *, clock: Clock, suffix: str
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._born_at_s = clock.now_s()
        self.stream = LogStream(
            version.key.account,
            version.key.region,
            version.log_group,
            stream_name(version, self._born_at_s, suffix),
            version.role,
            version.key.name,
        )
        self._tail: bytes | None = None
        # What was written last, if more may be added, and the sink's batch that it is in.
        self._late: LateEvents | None = None
        self._batch: object = None

    def write_lines(self, now_s: float, *lines: str) -> None:
        """Add lines of the platform's, all of this moment, in one write."""
        self._late = None
        now_ms = int(now_s * 1000)
        self._sink.write_nowait(self.stream, [LogEvent(now_ms, line) for line in lines])
        if self._tail is not None:
            self._tail = _last_bytes(self._tail, [(line, None) for line in lines])

    def write_late(self, now_s: float, lines: Callable[..., Sequence[str]], *about: object) -> None:
        """Add the lines ``lines(*about)``, whose texts need not be made at once.

        Two such writes become one where nothing came between them and the first still waits.
        """
        late, self._late = self._late, None
        if self._tail is not None:
            self.write_lines(now_s, *lines(*about))
        elif late is not None and self._batch is self._sink.batch:
            late.add(now_s, lines, about)
        else:
            self._late = LateEvents(now_s, lines, about)
            self._sink.write_nowait(self.stream, self._late)
            self._batch = self._sink.batch

    def write_output(self, events: Sequence[tuple[str, float | None]]) -> None:
        """Add what a process printed: texts, each with its epoch seconds or None for now.

        The time is the function's word: it counts only within the life of the environment.
        """
        self._late = None
        now_s = self._clock.now_s()
        now_ms = int(now_s * 1000)
        batch = [
            LogEvent(now_ms if at_s is None else int(self.within_life_s(at_s, now_s) * 1000), text)
            for text, at_s in events
        ]
        self._sink.write_nowait(self.stream, batch)
        if self._tail is not None:
            self._tail = _last_bytes(self._tail, events)

    def within_life_s(self, at_s: float, now_s: float) -> float:
        """A stated time, moved into the life of the environment. Epoch seconds."""
        return min(max(at_s, self._born_at_s), now_s)

    def start_tail(self) -> None:
        """From now on keep the last part of what is written."""
        self._tail = b""

    def take_tail(self) -> bytes | None:
        """The last 4 KiB since ``start_tail``, or None if it was not called."""
        tail, self._tail = self._tail, None
        return tail


def _last_bytes(tail: bytes, events: Sequence[tuple[str, float | None]]) -> bytes:
    """The tail after these events. Looks at no more of them than it takes."""
    pieces: list[bytes] = []
    missing_bytes = LOG_TAIL_BYTES
    for text, _ in reversed(events):
        if missing_bytes <= 0:
            break
        piece = text[-LOG_TAIL_BYTES:].encode() + b"\n"
        pieces.append(piece)
        missing_bytes -= len(piece)
    return b"".join((tail, *reversed(pieces)))[-LOG_TAIL_BYTES:]
