"""What the page is made of: tables with their definitions, and the statistics in them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Value = float | int | str | None
Row = dict[str, Value]


@dataclass(slots=True)
class Section:
    """One table: what it shows, and a row of named values for each line.

    ``noise_cores`` is how many processors others used while the generator worked, ``took_s`` how
    long it all took with preparations.
    """

    title: str
    definition: str
    rows: list[Row] = field(default_factory=list[Row])
    name: str = ""
    noise_cores: float | None = None
    took_s: float | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to look."""

    warm_count: int
    seconds: float
    cold_functions: int
    imports: int
    libraries: tuple[tuple[str, ...], ...]
    at_once: tuple[int, ...]
    clients: tuple[int, ...]
    rounds: int
    large_count: int
    starts: int
    sends: int
    waiting: tuple[int, ...]
    groups_each: int


QUICK = Effort(
    warm_count=4000,
    seconds=0.6,
    cold_functions=10,
    imports=3,
    libraries=(("numpy",),),
    at_once=(1, 50),
    clients=(1, 16, 64),
    rounds=3,
    large_count=6,
    starts=2,
    sends=100,
    waiting=(1_000, 10_000),
    groups_each=3,
)
FULL = Effort(
    warm_count=20_000,
    seconds=4.0,
    cold_functions=50,
    imports=12,
    libraries=(("numpy",), ("numpy", "pandas")),
    at_once=(1, 50, 100, 500),
    clients=(1, 16, 64),
    rounds=10,
    large_count=30,
    starts=5,
    sends=1_000,
    waiting=(1_000, 10_000, 100_000),
    groups_each=10,
)


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least the share ``q`` of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def times(latencies_s: Sequence[float]) -> Row:
    """How many, and their distribution in milliseconds."""
    ms = [1000 * value for value in latencies_s]
    if not ms:
        return {"n": 0}
    return {
        "n": len(ms),
        "p50 ms": quantile(ms, 0.5),
        "p99 ms": quantile(ms, 0.99),
        "max ms": max(ms),
    }


def add_ratios(rows: Sequence[Row], column: str, key: str = "server") -> None:
    """Say how the last row's ``column`` relates to those above it."""
    *baselines, ours = rows
    for baseline in baselines:
        ours[f"/ {baseline[key]}"] = ratio(ours[column], baseline[column])


def ratio(ours: Value, theirs: Value) -> str | None:
    """How many times the other one; None if there is nothing to compare."""
    if not isinstance(ours, float | int) or not isinstance(theirs, float | int) or not theirs:
        return None
    return f"{ours / theirs:.2g}x"
