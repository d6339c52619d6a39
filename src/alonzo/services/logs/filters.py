"""Filters of log groups: what they look for, and all of them in memory.

Every write asks for the filters of its group, so they are kept, parsed, by group; operations that
change one bring the book up to date before they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from alonzo.services.logs import filter_pattern
from alonzo.services.logs.filter_pattern.extraction import Reader, value_reader
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import GroupKey
from alonzo.store.base import Connection, Row, Store

SUBSCRIPTION, METRIC = "subscription", "metric"


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """What sends matching events to a function. ``matches`` None: every event does."""

    name: str
    destination_arn: str
    matches: Callable[[str], bool] | None


@dataclass(frozen=True, slots=True)
class Transformation:
    """What becomes a value of a metric. ``dimensions`` are names and where their values are."""

    namespace: str
    metric: str
    unit: str
    read: Reader
    default: float | None
    dimensions: Mapping[str, Reader]


@dataclass(slots=True)
class MetricFilter:
    """What counts matching events. ``reported_s`` is the last minute that has had a value."""

    name: str
    matches: Callable[[str], bool] | None
    transformation: Transformation
    reported_s: int = -1


@dataclass(slots=True)
class GroupFilters:
    """The filters of one group."""

    subscriptions: list[SubscriptionFilter] = field(default_factory=list[SubscriptionFilter])
    metrics: list[MetricFilter] = field(default_factory=list[MetricFilter])


def subscription_from(name: str, document: Mapping[str, Any]) -> SubscriptionFilter:
    """A filter as PutSubscriptionFilter's parameters describe it.

    Raises:
        InvalidParameterException: the pattern is none.
    """
    return SubscriptionFilter(
        name, document["destinationArn"], filter_pattern.parse(document["filterPattern"])
    )


def metric_filter_from(name: str, document: Mapping[str, Any]) -> MetricFilter:
    """A filter as PutMetricFilter's parameters describe it.

    Raises:
        InvalidParameterException: the pattern is none, or does not have the values that it needs.
    """
    pattern: str = document["filterPattern"]
    given: Mapping[str, Any] = document["metricTransformations"][0]
    return MetricFilter(
        name,
        filter_pattern.parse(pattern),
        Transformation(
            given["metricNamespace"],
            given["metricName"],
            given.get("unit", "None"),
            value_reader(pattern, given["metricValue"]),
            given.get("defaultValue"),
            {
                name: value_reader(pattern, source)
                for name, source in given.get("dimensions", {}).items()
            },
        ),
    )


class FilterBook:
    """The filters of all groups."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._groups: dict[GroupKey, GroupFilters] = {}

    async def open(self) -> None:
        """Read them all, before the first event."""
        rows = await self._store.read(lambda conn: conn.all(Q.all_filters))
        by_group: dict[GroupKey, list[Row]] = {}
        for row in rows:
            key = GroupKey(row["account"], row["region"], row["group_name"])
            by_group.setdefault(key, []).append(row)
        self._groups = {key: _parsed(found) for key, found in by_group.items()}

    async def refresh(self, key: GroupKey) -> None:
        """Read those of one group again: they have changed, or the group is gone."""
        rows = await self._store.read(lambda conn: filters_of(conn, key))
        if rows:
            self._groups[key] = _parsed(rows)
        else:
            self._groups.pop(key, None)

    def of(self, key: GroupKey) -> GroupFilters | None:
        """Those of a group, or None if it has none."""
        return self._groups.get(key)


def filters_of(conn: Connection, key: GroupKey) -> list[Row]:
    """The filters of a group as stored."""
    where = {"account": key.account, "region": key.region, "group_name": key.name}
    return conn.all(Q.filters_of_group, where)


def _parsed(rows: Sequence[Row]) -> GroupFilters:
    found = GroupFilters()
    for row in rows:
        document = orjson.loads(row["document"])
        if row["kind"] == SUBSCRIPTION:
            found.subscriptions.append(subscription_from(row["name"], document))
        else:
            found.metrics.append(metric_filter_from(row["name"], document))
    return found
