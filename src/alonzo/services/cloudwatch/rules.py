"""What may be put, and what may be asked. Pure.

Source: CloudWatch API reference, PutMetricData, MetricDatum, GetMetricStatistics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from alonzo.services.cloudwatch.errors import invalid_combination, invalid_value, missing
from alonzo.services.cloudwatch.journal import PointEntry
from alonzo.services.cloudwatch.limits import (
    DATA_PER_PUT_MAX,
    DAY_S,
    PERIOD_S_MAX,
    SHORT_PERIODS_S,
    TOO_NEW_S,
    TOO_OLD_S,
    VALUE_MAX,
    VALUES_PER_DATUM_MAX,
)
from alonzo.services.cloudwatch.series import dimensions_of_request, start_of

Params = Mapping[str, Any]

_NAMESPACE = re.compile(r"[^:][^\x00-\x1f\x7f]*")
_DIMENSION = re.compile(r"[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*")


def check_namespace(namespace: str) -> None:
    """Refuse a namespace that only AWS may put into, or that is none."""
    if namespace.startswith("AWS/"):
        raise invalid_value("The value AWS/ for parameter Namespace is invalid.")
    if _NAMESPACE.fullmatch(namespace) is None:
        raise invalid_value(f"The value {namespace} for parameter Namespace is invalid.")


def entries_of_put(
    account: str, region: str, params: Mapping[str, Any], now_s: float
) -> list[PointEntry]:
    """The points of a PutMetricData call.

    Raises:
        AwsError: a datum is not one. Nothing of the call is taken then.
    """
    namespace = params["Namespace"]
    check_namespace(namespace)
    groups: list[tuple[str, list[Params]]] = [("MetricData", params.get("MetricData") or [])]
    for at, each in enumerate(params.get("EntityMetricData") or [], 1):
        groups.append((f"EntityMetricData.member.{at}.MetricData", each.get("MetricData") or []))
    data = sum(len(group) for _, group in groups)
    if not data:
        raise missing("The parameter MetricData is required.")
    if data > DATA_PER_PUT_MAX:
        raise invalid_value(
            f"The collection MetricData must not have a size greater than {DATA_PER_PUT_MAX}."
        )
    return [
        _entry(account, region, namespace, datum, f"{name}.member.{at}", now_s)
        for name, group in groups
        for at, datum in enumerate(group, 1)
    ]


def _entry(
    account: str, region: str, namespace: str, datum: Mapping[str, Any], path: str, now_s: float
) -> PointEntry:
    values, counts, summary = _values(datum, path)
    resolution = datum.get("StorageResolution") or 60
    if resolution not in (1, 60):
        raise invalid_value(
            f"The value {resolution} for parameter {path}.StorageResolution is invalid."
        )
    timestamp = datum.get("Timestamp")
    at_s = now_s if timestamp is None else timestamp.timestamp()
    check_time(at_s, now_s, f"{path}.Timestamp")
    for number, each in enumerate(datum.get("Dimensions") or [], 1):
        _check_dimension(each, f"{path}.Dimensions.member.{number}")
    return PointEntry(
        account,
        region,
        namespace,
        datum["MetricName"],
        list(dimensions_of_request(datum.get("Dimensions"))),
        datum.get("Unit") or "None",
        resolution,
        start_of(at_s, resolution),
        values,
        counts,
        summary,
    )


def check_time(at_s: float, now_s: float, name: str) -> None:
    """Refuse the time of a value that is too far from now."""
    if at_s < now_s - TOO_OLD_S:
        raise invalid_value(
            f"The parameter {name} must specify a time no more than two weeks in the past."
        )
    if at_s > now_s + TOO_NEW_S:
        raise invalid_value(
            f"The parameter {name} must specify a time no more than two hours in the future."
        )


def _check_dimension(dimension: Mapping[str, str], path: str) -> None:
    for member in ("Name", "Value"):
        text = dimension[member]
        if _DIMENSION.fullmatch(text) is None or (member == "Name" and text.startswith(":")):
            raise invalid_value(f"The value {text[:256]} for parameter {path}.{member} is invalid.")


def _values(
    datum: Mapping[str, Any], path: str
) -> tuple[list[float], list[float] | None, tuple[float, float, float, float] | None]:
    given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
    if not given:
        raise missing(
            f"At least one of the parameters {path}.Value, {path}.Values or "
            f"{path}.StatisticValues must be specified."
        )
    if len(given) > 1:
        raise invalid_combination(
            f"The parameters {path}.{given[0]} and {path}.{given[1]} are mutually exclusive and "
            "you have specified both."
        )
    if given[0] == "StatisticValues":
        return [], None, _summary(datum["StatisticValues"], f"{path}.StatisticValues")
    counts = datum.get("Counts")
    if given[0] == "Value":
        if counts is not None:
            raise invalid_combination(
                f"The parameters {path}.Value and {path}.Counts are mutually exclusive and you "
                "have specified both."
            )
        return [_number(datum["Value"], f"{path}.Value")], None, None
    values = datum["Values"]
    if counts is not None and len(counts) != len(values):
        raise invalid_value(
            f"The parameters {path}.Values and {path}.Counts must be of the same size."
        )
    if not values:
        raise missing(f"The parameter {path}.Values must not be empty.")
    if len(values) > VALUES_PER_DATUM_MAX:
        raise invalid_value(
            f"The collection {path}.Values must not have a size greater than "
            f"{VALUES_PER_DATUM_MAX}."
        )
    numbers = [_number(value, f"{path}.Values.member.{at}") for at, value in enumerate(values, 1)]
    if counts is None:
        return numbers, None, None
    return numbers, list(_counts(counts, path)), None


def _counts(counts: list[float], path: str) -> Iterator[float]:
    for at, count in enumerate(counts, 1):
        name = f"{path}.Counts.member.{at}"
        if _number(count, name) <= 0:
            raise invalid_value(f"The value {count} for parameter {name} is invalid.")
        yield count


def _summary(summary: Mapping[str, float], path: str) -> tuple[float, float, float, float]:
    count, total, low, high = (
        _number(summary[name], f"{path}.{name}")
        for name in ("SampleCount", "Sum", "Minimum", "Maximum")
    )
    if count <= 0:
        raise invalid_value(f"The value {count} for parameter {path}.SampleCount is invalid.")
    if low > high:
        raise invalid_combination(
            f"The parameter {path}.Maximum must be greater than {path}.Minimum."
        )
    return count, total, low, high


def _number(value: float, name: str) -> float:
    if not math.isfinite(value) or abs(value) > VALUE_MAX:
        shown = "NaN" if math.isnan(value) else value
        raise invalid_value(f"The value {shown} for parameter {name} is invalid.")
    return value


def check_period(period_s: int, name: str = "Period") -> int:
    """Refuse a period that is none.

    Raises:
        AwsError: it is neither 1, 5, 10, 20, 30 nor a multiple of 60, or it is over a day.
    """
    if period_s in SHORT_PERIODS_S:
        return period_s
    if period_s < 1 or period_s % 60 or period_s > PERIOD_S_MAX:
        raise invalid_value(
            f"The parameter {name} must be 1, 5, 10, 20, 30 or a multiple of 60, up to "
            f"{PERIOD_S_MAX}."
        )
    return period_s


def first_period_at(start_s: float, period_s: int, now_s: float) -> int:
    """Where the first period of a question begins.

    Source: CloudWatch API, GetMetricStatistics, StartTime: it is rounded down to what is kept of
    that time, or to the short period that was asked for.
    """
    age_s = now_s - start_s
    if age_s > 63 * DAY_S:
        grain_s = 3600
    elif age_s > 15 * DAY_S:
        grain_s = 300
    else:
        grain_s = min(60, period_s)
    return start_of(start_s, grain_s)
