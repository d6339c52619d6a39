"""Where lines and figures go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, overload

from alonzo.model.arns import FunctionRef
from alonzo.model.metering import Attempt, LambdaMetric, ReservedEnvironments


class LogEvent(NamedTuple):
    """One log event. ``timestamp_ms`` is epoch milliseconds; the message has no final newline."""

    timestamp_ms: int
    message: str


class LogStream(NamedTuple):
    """Where log events go. The group and the stream are made when first written to.

    ``role_arn`` is the role that writes, on behalf of ``function_name``; without one nobody is
    asked whether this may be.
    """

    account: str
    region: str
    group: str
    name: str
    role_arn: str = ""
    function_name: str = ""


class LogPermit(NamedTuple):
    """What a role may do about its log: make the group, make the stream, put events into it."""

    group: bool
    stream: bool
    events: bool


class LogRights(Protocol):
    """Knows who may write where. Implemented by ``services/iam``."""

    async def permit(self, stream: LogStream) -> LogPermit:
        """What the stream's role may do. From memory, mostly."""
        ...


class LateEvents(Sequence[LogEvent]):
    """A few short log events, whose texts are made when somebody looks.

    Whoever writes them is in a hurry: ``lines(*about)`` makes the texts, perhaps in another thread.
    """

    __slots__ = ("_parts",)

    def __init__(
        self, at_s: float, lines: Callable[..., Sequence[str]], about: tuple[object, ...]
    ) -> None:
        """``at_s``: epoch seconds."""
        self._parts = [(at_s, lines, about)]

    def add(
        self, at_s: float, lines: Callable[..., Sequence[str]], about: tuple[object, ...]
    ) -> None:
        """Further events, while nobody has looked."""
        self._parts.append((at_s, lines, about))

    def pairs(self, end: str = "") -> list[tuple[int, str]]:
        """Timestamp and message of each, with that at its end."""
        return [
            (int(at_s * 1000), line + end)
            for at_s, lines, about in self._parts
            for line in lines(*about)
        ]

    def __iter__(self) -> Iterator[LogEvent]:
        return iter([LogEvent(*pair) for pair in self.pairs()])

    def __len__(self) -> int:
        return len(self.pairs())

    @overload
    def __getitem__(self, index: int) -> LogEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LogEvent]: ...
    def __getitem__(self, index: int | slice) -> LogEvent | Sequence[LogEvent]:
        return list(self)[index]


class FoundValue(NamedTuple):
    """Values of a metric that a filter has found among the log events of one minute.

    ``minute_s`` is epoch seconds, ``counts`` how often each value came. ``dimensions`` are in order
    of their names.
    """

    account: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str
    minute_s: int
    counts: dict[float, int]


class LogSink(Protocol):
    """Takes the log of environments. Implemented by ``services/logs``."""

    @property
    def batch(self) -> object:
        """Stands for what is queued: another one as soon as anybody may have looked at it."""
        ...

    def write_nowait(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        """Queue events for the next durable batch, at most a fraction of a second later.

        Past the sink's bound the oldest queued events are dropped, and a line says how many.
        """
        ...


class Meter(Protocol):
    """Counts what functions use. Implemented by ``services/cloudwatch``."""

    def attempt_nowait(self, attempt: Attempt) -> None:
        """Count an attempt, in the same step of the event loop that writes its REPORT line.

        Both are then durable in one commit, a fraction of a second later.
        """
        ...


class FunctionMetrics(Protocol):
    """Takes values of Lambda's own metrics. Implemented by ``services/cloudwatch``."""

    def add_nowait(
        self,
        metric: LambdaMetric,
        ref: FunctionRef,
        value: float = 1.0,
        *,
        executed_version: str | None = None,
    ) -> None:
        """Count a value, which is not below zero, for the function as it was addressed.

        ``executed_version``: what ran, where a version did. Durable a fraction of a second later.
        """
        ...

    def add_of_region_nowait(
        self, metric: LambdaMetric, account: str, region: str, value: float
    ) -> None:
        """Count a value that is no function's but the region's."""
        ...

    def reserved_nowait(self, reserved: ReservedEnvironments, milliseconds: int) -> None:
        """Count environments that were kept reserved for so long, up to now."""
        ...
