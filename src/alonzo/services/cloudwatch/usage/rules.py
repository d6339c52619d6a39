"""Usage by groups, and its price. Pure.

Amounts are exact: milliseconds times MiB are whole numbers, money is decimal.
Source of the prices and of what they apply to: ``prices.json``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

#: What usage can be grouped by. The last three are times: starts of a day, hour or minute.
GROUPS = (
    *("region", "function", "version", "architecture", "memory", "provisioned"),
    *("day", "hour", "minute"),
)
GRAINS_S = {"day": 86_400, "hour": 3600, "minute": 60}
#: Columns of the store that have another name.
_COLUMNS = {"memory": "memory_mib", "provisioned": "provisioned"}

FREE_STORAGE_MIB = 512
_MIB_PER_GB = 1024
_BYTES_PER_GB = 1 << 30
_MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one architecture, per GB-second."""

    duration: Decimal
    provisioned_reserved: Decimal
    provisioned_duration: Decimal
    ephemeral_storage: Decimal


@dataclass(frozen=True, slots=True)
class Prices:
    """A price list."""

    date: str
    source: str
    region: str
    notes: str
    per_million_requests: Decimal
    streamed_per_gb: Decimal
    architectures: Mapping[str, Rates]

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Prices:
        """Read ``prices.json``."""
        return cls(
            document["date"],
            document["source"],
            document["region"],
            document["notes"],
            Decimal(document["per_million_requests"]),
            Decimal(document["streamed_per_gb"]),
            {
                name: Rates(**{kind: Decimal(rate) for kind, rate in rates.items()})
                for name, rates in document["architectures"].items()
            },
        )


@dataclass(slots=True)
class Line:
    """The usage of one group. Memory times time is in MiB-milliseconds."""

    requests: int = 0
    errors: int = 0
    billed_ms: int = 0
    memory_mib_ms: int = 0
    reserved_mib_ms: int = 0
    storage_mib_ms: int = 0
    streamed_bytes: int = 0
    cost: Decimal = Decimal(0)

    def add(self, row: Mapping[str, Any], prices: Prices) -> None:
        """Count a row of ``function_usage``."""
        memory_mib, billed_ms = row["memory_mib"], row["billed_ms"]
        storage_mib = max(0, row["tmp_mib"] - FREE_STORAGE_MIB)
        line = Line(
            row["requests"],
            row["errors"],
            billed_ms,
            billed_ms * memory_mib,
            row["reserved_ms"] * memory_mib,
            billed_ms * storage_mib,
            row["streamed_bytes"],
        )
        cost = _cost(line, row["architecture"], prices, provisioned=bool(row["provisioned"]))
        self.requests += line.requests
        self.errors += line.errors
        self.billed_ms += line.billed_ms
        self.memory_mib_ms += line.memory_mib_ms
        self.reserved_mib_ms += line.reserved_mib_ms
        self.storage_mib_ms += line.storage_mib_ms
        self.streamed_bytes += line.streamed_bytes
        self.cost += cost

    def as_document(self) -> dict[str, Any]:
        """The figures as they are shown; money and GB-seconds as decimal texts."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "billed_ms": self.billed_ms,
            "gb_seconds": _text(gb_seconds(self.memory_mib_ms)),
            "provisioned_gb_seconds": _text(gb_seconds(self.reserved_mib_ms)),
            "storage_gb_seconds": _text(gb_seconds(self.storage_mib_ms)),
            "streamed_bytes": self.streamed_bytes,
            "cost_usd": _text(self.cost.quantize(Decimal("1e-10"))),
        }


def gb_seconds(mib_ms: int) -> Decimal:
    """MiB-milliseconds as GB-seconds, exactly: a GB of Lambda's is 1,024 MiB."""
    return Decimal(mib_ms) / (_MIB_PER_GB * _MS_PER_S)


def _cost(line: Line, architecture: str, prices: Prices, *, provisioned: bool) -> Decimal:
    rates = prices.architectures[architecture]
    duration = rates.provisioned_duration if provisioned else rates.duration
    return (
        line.requests * prices.per_million_requests / 1_000_000
        + gb_seconds(line.memory_mib_ms) * duration
        + gb_seconds(line.reserved_mib_ms) * rates.provisioned_reserved
        + gb_seconds(line.storage_mib_ms) * rates.ephemeral_storage
        + Decimal(line.streamed_bytes) / _BYTES_PER_GB * prices.streamed_per_gb
    )


def _text(number: Decimal) -> str:
    return format(number.normalize(), "f")


def group(
    rows: Iterable[Mapping[str, Any]], groups: tuple[str, ...], prices: Prices
) -> tuple[dict[tuple[Any, ...], Line], Line]:
    """Usage by the values of ``groups``, in order, and all of it together."""
    lines: dict[tuple[Any, ...], Line] = {}
    everything = Line()
    for row in rows:
        key = tuple(_value(row, name) for name in groups)
        lines.setdefault(key, Line()).add(row, prices)
        everything.add(row, prices)
    return dict(sorted(lines.items(), key=lambda each: tuple(map(str, each[0])))), everything


def _value(row: Mapping[str, Any], name: str) -> Any:
    if name in GRAINS_S:
        return row["grain_start_s"]
    value = row[_COLUMNS.get(name, name)]
    return bool(value) if name == "provisioned" else value


def grain_s(groups: tuple[str, ...]) -> int:
    """The finest of the times that is grouped by; longer than any time if none is."""
    return min((GRAINS_S[name] for name in groups if name in GRAINS_S), default=1 << 40)
