"""The journal's documents: what one flush has counted, as bytes and back. Pure.

``{"attempts": […], "figures": […], "points": […], "reserved": […]}``, zlib over JSON, each entry a
list in the order of the tuples below. An entry's figures are of one minute. Nothing here is older
than a minute or two: a document is folded and deleted soon, so its form may change with a release
if the fold still reads the one before.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import orjson

from alonzo.services.cloudwatch.series import Metric, dimensions_of


class AttemptsEntry(NamedTuple):
    """Attempts of one version through one qualifier that began in one minute.

    ``durations`` are the milliseconds of the REPORT lines; their number is that of the attempts.
    ``streamed_bytes`` are those that cost something.
    """

    account: str
    region: str
    function: str
    qualifier: str | None
    version: str
    architecture: str
    memory_mib: int
    tmp_mib: int
    provisioned: bool
    start_s: int
    errors: int
    billed_ms: int
    streamed_bytes: int
    durations: list[float]
    extensions: list[float]


class FigureEntry(NamedTuple):
    """Values of one of Lambda's metrics. Without a function it is the region's."""

    name: str
    account: str
    region: str
    function: str | None
    qualifier: str | None
    version: str | None
    start_s: int
    pairs: list[tuple[float, float]]


class PointEntry(NamedTuple):
    """A point of any metric: ``values`` and ``counts``, or else the four figures of ``summary``."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: list[tuple[str, str]]
    unit: str
    period_s: int
    start_s: int
    values: list[float]
    counts: list[float] | None
    summary: tuple[float, float, float, float] | None

    @property
    def metric(self) -> Metric:
        """The metric that it is of."""
        dimensions = dimensions_of((name, value) for name, value in self.dimensions)
        return Metric(self.account, self.region, self.namespace, self.name, dimensions)


class ReservedEntry(NamedTuple):
    """Milliseconds of environments that were reserved as provisioned concurrency."""

    account: str
    region: str
    function: str
    version: str
    architecture: str
    memory_mib: int
    tmp_mib: int
    start_s: int
    reserved_ms: int


def _plain(entry: object) -> list[object]:
    """A named tuple as a list: orjson does not take it for one."""
    assert isinstance(entry, tuple)
    return list(cast("tuple[object, ...]", entry))


@dataclass(slots=True)
class Document:
    """What one flush has counted."""

    attempts: Sequence[AttemptsEntry] = field(default_factory=list[AttemptsEntry])
    figures: Sequence[FigureEntry] = field(default_factory=list[FigureEntry])
    points: Sequence[PointEntry] = field(default_factory=list[PointEntry])
    reserved: Sequence[ReservedEntry] = field(default_factory=list[ReservedEntry])

    def __bool__(self) -> bool:
        return bool(self.attempts or self.figures or self.points or self.reserved)

    def encode(self) -> bytes:
        """The document as the journal has it."""
        return zlib.compress(
            orjson.dumps(
                {
                    "attempts": self.attempts,
                    "figures": self.figures,
                    "points": self.points,
                    "reserved": self.reserved,
                },
                default=_plain,
            ),
            1,
        )

    @classmethod
    def decode(cls, body: bytes) -> Document:
        """What was encoded."""
        raw: Mapping[str, list[list[Any]]] = orjson.loads(zlib.decompress(body))
        return cls(
            [AttemptsEntry(*each) for each in raw["attempts"]],
            [FigureEntry(*each) for each in raw["figures"]],
            [PointEntry(*each) for each in raw["points"]],
            [ReservedEntry(*each) for each in raw["reserved"]],
        )
