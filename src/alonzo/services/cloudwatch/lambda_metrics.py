"""Lambda's own metrics and the usage of functions, from what was counted of them. Pure.

Each figure is shown under these sets of dimensions, as far as the metric has them:

* none: the whole region;
* FunctionName;
* FunctionName and Resource: ``name``, or ``name:alias``, or ``name:version`` as it was addressed;
* FunctionName, Resource and ExecutedVersion, for calls through an alias.

Times are those at which attempts began. Source: Lambda developer guide, types of metrics.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from alonzo.model.metering import FREE_STREAMED_BYTES, Attempt, LambdaMetric
from alonzo.services.cloudwatch.journal import AttemptsEntry, FigureEntry, ReservedEntry
from alonzo.services.cloudwatch.points import Point
from alonzo.services.cloudwatch.series import Dimensions, Metric, Slot, start_of

NAMESPACE = "AWS/Lambda"
MINUTE_S = 60

_COUNT, _MS, _PERCENT = "Count", "Milliseconds", "Percent"
_REGION, _FUNCTION, _RESOURCE, _VERSION = range(4)
_ALL = (_REGION, _FUNCTION, _RESOURCE, _VERSION)
_OF_FUNCTION = (_REGION, _FUNCTION, _RESOURCE)
#: Provisioned concurrency is of a version or an alias: its shares cannot be added up.
_OF_RESOURCE = (_RESOURCE, _VERSION)


class Facts(NamedTuple):
    """The unit of a metric, and the sets of dimensions that it is shown under."""

    unit: str
    shown: tuple[int, ...]


FACTS: Mapping[LambdaMetric, Facts] = {
    LambdaMetric.INVOCATIONS: Facts(_COUNT, _ALL),
    LambdaMetric.ERRORS: Facts(_COUNT, _ALL),
    LambdaMetric.THROTTLES: Facts(_COUNT, _ALL),
    LambdaMetric.DURATION: Facts(_MS, _ALL),
    LambdaMetric.POST_RUNTIME_EXTENSIONS_DURATION: Facts(_MS, _ALL),
    LambdaMetric.CONCURRENT_EXECUTIONS: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.UNRESERVED_CONCURRENT_EXECUTIONS: Facts(_COUNT, (_REGION,)),
    LambdaMetric.PROVISIONED_CONCURRENT_EXECUTIONS: Facts(_COUNT, _ALL),
    LambdaMetric.PROVISIONED_CONCURRENCY_UTILIZATION: Facts(_PERCENT, _OF_RESOURCE),
    LambdaMetric.PROVISIONED_CONCURRENCY_INVOCATIONS: Facts(_COUNT, _ALL),
    LambdaMetric.PROVISIONED_CONCURRENCY_SPILLOVER_INVOCATIONS: Facts(_COUNT, _ALL),
    LambdaMetric.ASYNC_EVENTS_RECEIVED: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.ASYNC_EVENT_AGE: Facts(_MS, _OF_FUNCTION),
    LambdaMetric.ASYNC_EVENTS_DROPPED: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.DEAD_LETTER_ERRORS: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.DESTINATION_DELIVERY_FAILURES: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.RECURSIVE_INVOCATIONS_DROPPED: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.ITERATOR_AGE: Facts(_MS, _OF_FUNCTION),
    LambdaMetric.URL_REQUEST_COUNT: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.URL_4XX_COUNT: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.URL_5XX_COUNT: Facts(_COUNT, _OF_FUNCTION),
    LambdaMetric.URL_REQUEST_LATENCY: Facts(_MS, _OF_FUNCTION),
}


class UsageKey(NamedTuple):
    """What usage is counted by; the columns of ``function_usage`` of the same names."""

    account: str
    region: str
    function: str
    version: str
    architecture: str
    memory_mib: int
    tmp_mib: int
    provisioned: bool
    start_s: int


class UsageFigures(NamedTuple):
    """What was used."""

    requests: int = 0
    errors: int = 0
    billed_ms: int = 0
    reserved_ms: int = 0
    streamed_bytes: int = 0

    def plus(self, other: UsageFigures) -> UsageFigures:
        """Both together."""
        return UsageFigures(*map(sum, zip(self, other, strict=True)))


def group_attempts(attempts: Iterable[Attempt]) -> list[AttemptsEntry]:
    """Attempts by version, qualifier and the minute they began in."""
    # By the identity of the record: it has one for each generation, and hashing it is dear.
    groups: defaultdict[tuple[int, str, int, bool], list[Attempt]] = defaultdict(list)
    for each in attempts:
        start_s = start_of(each.began_at_s, MINUTE_S)
        groups[id(each.version), each.invoked_arn, start_s, each.provisioned].append(each)
    return [_entry(group, start_s) for (_, _, start_s, _), group in groups.items()]


def _entry(group: list[Attempt], start_s: int) -> AttemptsEntry:
    version, parts = group[0].version, group[0].invoked_arn.split(":")
    return AttemptsEntry(
        version.key.account,
        version.key.region,
        version.key.name,
        parts[7] if len(parts) > 7 else None,
        version.version,
        version.architecture,
        version.memory_mib,
        version.tmp_mib,
        group[0].provisioned,
        start_s,
        sum(each.failed for each in group),
        sum(each.billed_ms for each in group),
        sum(max(0, each.streamed_bytes - FREE_STREAMED_BYTES) for each in group),
        # Rounded as the REPORT line rounds them: the sums agree.
        [round(each.duration_ms, 2) for each in group],
        [round(each.extensions_ms, 2) for each in group if each.extensions_ms is not None],
    )


def points_of_attempts(entry: AttemptsEntry) -> Iterator[tuple[Slot, Point]]:
    """The points that attempts add to, under every set of dimensions."""
    attempts, errors = len(entry.durations), entry.errors
    failed = Point.of_same(0.0, attempts)
    if errors:
        counts = [float(attempts - errors), float(errors)]
        failed = Point.of_values([0.0, 1.0], counts) if counts[0] else Point.of_same(1.0, errors)
    figures = {
        LambdaMetric.INVOCATIONS: Point.of_same(1.0, attempts),
        LambdaMetric.ERRORS: failed,
        LambdaMetric.THROTTLES: Point.of_same(0.0, attempts),
        LambdaMetric.DURATION: Point.of_values(entry.durations),
    }
    if entry.extensions:
        figures[LambdaMetric.POST_RUNTIME_EXTENSIONS_DURATION] = Point.of_values(entry.extensions)
    sets = _dimension_sets(entry.function, entry.qualifier, entry.version)
    for name, point in figures.items():
        for which in FACTS[name].shown:
            if which in sets:
                metric = Metric(entry.account, entry.region, NAMESPACE, name, sets[which])
                slot = Slot(metric, FACTS[name].unit, MINUTE_S, entry.start_s)
                yield slot, point.copy()


def points_of_figure(entry: FigureEntry) -> Iterator[tuple[Slot, Point]]:
    """The points that another figure adds to."""
    values = [value for value, _ in entry.pairs]
    point = Point.of_values(values, [count for _, count in entry.pairs])
    facts = FACTS[LambdaMetric(entry.name)]
    sets: Mapping[int, Dimensions] = {_REGION: ()}
    shown = facts.shown
    if entry.function is not None:
        sets = _dimension_sets(entry.function, entry.qualifier, entry.version)
        # What is counted by itself for the region must not be added up as well.
        if entry.name in OWN_REGION_FIGURES:
            shown = tuple(which for which in shown if which != _REGION)
    for which in shown:
        if which in sets:
            metric = Metric(entry.account, entry.region, NAMESPACE, entry.name, sets[which])
            yield Slot(metric, facts.unit, MINUTE_S, entry.start_s), point.copy()


#: Peaks: the region's is not one of its functions' peaks.
OWN_REGION_FIGURES = frozenset({LambdaMetric.CONCURRENT_EXECUTIONS})


def _dimension_sets(
    function: str, qualifier: str | None, version: str | None
) -> dict[int, Dimensions]:
    name = ("FunctionName", function)
    resource = ("Resource", function if qualifier is None else f"{function}:{qualifier}")
    sets: dict[int, Dimensions] = {_REGION: (), _FUNCTION: (name,), _RESOURCE: (name, resource)}
    if version is not None and is_alias(qualifier):
        sets[_VERSION] = (("ExecutedVersion", version), name, resource)
    return sets


def is_alias(qualifier: str | None) -> bool:
    """Whether a qualifier is an alias: no version number, and no ``$LATEST``."""
    return qualifier is not None and not qualifier.isdecimal() and not qualifier.startswith("$")


def usage_of_attempts(entry: AttemptsEntry) -> tuple[UsageKey, UsageFigures]:
    """What attempts used."""
    key = UsageKey(
        entry.account,
        entry.region,
        entry.function,
        entry.version,
        entry.architecture,
        entry.memory_mib,
        entry.tmp_mib,
        entry.provisioned,
        entry.start_s,
    )
    figures = UsageFigures(
        len(entry.durations), entry.errors, entry.billed_ms, 0, entry.streamed_bytes
    )
    return key, figures


def usage_of_reserved(entry: ReservedEntry) -> tuple[UsageKey, UsageFigures]:
    """What was reserved, used or not."""
    key = UsageKey(*entry[:7], True, entry.start_s)
    return key, UsageFigures(reserved_ms=entry.reserved_ms)
