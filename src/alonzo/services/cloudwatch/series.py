"""Which metric a point belongs to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

#: Pairs of name and value, in order of the names.
Dimensions = tuple[tuple[str, str], ...]


class Metric(NamedTuple):
    """One metric: the same name with other dimensions is another one."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: Dimensions

    @property
    def stored_dimensions(self) -> str:
        """The dimensions as the store has them."""
        return orjson.dumps(self.dimensions).decode()


class Slot(NamedTuple):
    """Where a point goes: a metric's values in one unit, in the period that begins there."""

    metric: Metric
    unit: str
    period_s: int
    start_s: int


def dimensions_of(pairs: Iterable[tuple[str, str]]) -> Dimensions:
    """Dimensions in their order. Of two with one name the last counts, as in CloudWatch."""
    return tuple(sorted(dict(pairs).items()))


def parse_dimensions(text: str) -> Dimensions:
    """Read ``Metric.stored_dimensions`` back."""
    return tuple((name, value) for name, value in orjson.loads(text))


def dimensions_of_request(members: Iterable[dict[str, Any]] | None) -> Dimensions:
    """The dimensions of a request's ``Dimensions``."""
    return dimensions_of((each["Name"], each["Value"]) for each in members or ())


def shown_dimensions(dimensions: Dimensions) -> list[dict[str, str]]:
    """The dimensions as an answer has them."""
    return [{"Name": name, "Value": value} for name, value in dimensions]


def start_of(at_s: float, period_s: int) -> int:
    """The start of the period that a moment is in."""
    return int(at_s // period_s) * period_s
