"""PutMetricData, GetMetricStatistics, GetMetricData and ListMetrics.

Source: CloudWatch API reference, each operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.lib.clock import Clock, utc
from alonzo.model.context import RequestContext
from alonzo.services.cloudwatch.data_queries import Answers, parse_queries
from alonzo.services.cloudwatch.errors import invalid_combination, invalid_value, missing
from alonzo.services.cloudwatch.expressions.values import Series
from alonzo.services.cloudwatch.folding import Folder
from alonzo.services.cloudwatch.limits import (
    DATA_DATAPOINTS_MAX,
    LIST_PAGE_MAX,
    LISTED_S,
    RECENTLY_ACTIVE_S,
    STATISTICS_DATAPOINTS_MAX,
)
from alonzo.services.cloudwatch.points import Point
from alonzo.services.cloudwatch.reading import Budget, Question, read_points
from alonzo.services.cloudwatch.rules import check_period, entries_of_put, first_period_at
from alonzo.services.cloudwatch.series import (
    Metric,
    dimensions_of_request,
    parse_dimensions,
    shown_dimensions,
)
from alonzo.services.cloudwatch.sink import MetricWriter, Q
from alonzo.services.cloudwatch.statistics import SIMPLE, compute, parse_extended
from alonzo.services.cloudwatch.tokens import fingerprint, make_token, read_token
from alonzo.store.base import Connection, Store

#: Rows that ListMetrics looks at for one page when dimensions filter them.
_LISTED_ROWS_MAX = 5000

Params = dict[str, Any]


class MetricOperations:
    """The operations on metrics."""

    def __init__(self, store: Store, writer: MetricWriter, folder: Folder, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._folder = folder
        self._clock = clock

    async def put_metric_data(self, context: RequestContext, params: Params) -> None:
        """Keep values; they are durable and visible when this returns."""
        points = entries_of_put(context.account, context.region, params, self._clock.now_s())
        await self._folder.check_room(points)
        await self._writer.put(points)

    async def get_metric_statistics(
        self, context: RequestContext, params: Params
    ) -> Mapping[str, Any]:
        """Statistics of one metric, one datapoint for each period and unit that has values."""
        start_s, end_s = _span(params)
        period_s = check_period(params["Period"])
        simple: list[str] = params.get("Statistics") or []
        extended: list[str] = params.get("ExtendedStatistics") or []
        _check_statistics(simple, extended)
        asked = -(-(end_s - start_s) // period_s)
        if asked > STATISTICS_DATAPOINTS_MAX:
            raise invalid_combination(
                f"You have requested up to {int(asked):,} datapoints, which exceeds the limit of "
                f"{STATISTICS_DATAPOINTS_MAX:,}. You may reduce the datapoints requested by "
                "increasing Period, or decreasing the time range."
            )
        question = Question(
            Metric(
                context.account,
                context.region,
                params["Namespace"],
                params["MetricName"],
                dimensions_of_request(params.get("Dimensions")),
            ),
            first_period_at(start_s, period_s, self._clock.now_s()),
            int(-(-end_s // 1)),
            period_s,
            params.get("Unit"),
            bool(extended),
        )
        await self._folder.fold()
        points = await self._store.read(lambda conn: read_points(conn, question, Budget()))
        datapoints = [
            _datapoint(at, unit, point, simple, extended)
            for (at, unit), point in sorted(points.items())
        ]
        return {
            "Label": params["MetricName"],
            "Datapoints": [each for each in datapoints if each is not None],
        }

    async def get_metric_data(self, context: RequestContext, params: Params) -> Mapping[str, Any]:
        """Statistics of many metrics, and expressions over them."""
        start_s, end_s = _span(params)
        queries = parse_queries(context.account, context.region, params["MetricDataQueries"])
        newest_first = params.get("ScanBy") != "TimestampAscending"
        limit = params.get("MaxDatapoints") or DATA_DATAPOINTS_MAX
        if not 1 <= limit <= DATA_DATAPOINTS_MAX:
            raise invalid_value(
                f"The parameter MaxDatapoints must be between 1 and {DATA_DATAPOINTS_MAX}."
            )
        question = {k: v for k, v in params.items() if k not in ("NextToken", "MaxDatapoints")}
        mark = fingerprint([context.account, context.region, question])
        first, offset = 0, 0
        if params.get("NextToken"):
            first, offset = read_token(params["NextToken"], mark, int, int)
        shown = [query.id for query in queries.values() if query.shown]
        await self._folder.fold()
        now_s = self._clock.now_s()

        def work(conn: Connection) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
            answers = Answers(conn, queries, start_s=start_s, end_s=end_s, now_s=now_s)
            return _page(answers, shown, first, offset, limit, newest_first=newest_first)

        results, following = await self._store.read(work)
        answer: dict[str, Any] = {"MetricDataResults": results, "Messages": []}
        if following is not None:
            answer["NextToken"] = make_token(mark, *following)
        return answer

    async def list_metrics(self, context: RequestContext, params: Params) -> Mapping[str, Any]:
        """The metrics that have had values lately, in order, by pages."""
        if params.get("OwningAccount") not in (None, context.account):
            return {"Metrics": []}
        recent = params.get("RecentlyActive")
        if recent not in (None, "PT3H"):
            raise invalid_value(f"The value {recent} for parameter RecentlyActive is invalid.")
        filters: list[Params] = params.get("Dimensions") or []
        wanted = [(each["Name"], each.get("Value")) for each in filters]
        question = {name: value for name, value in params.items() if name != "NextToken"}
        mark = fingerprint([context.account, context.region, question])
        after = ["", "", ""]
        if params.get("NextToken"):
            after = read_token(params["NextToken"], mark, str, str, str)
        kept_s = RECENTLY_ACTIVE_S if recent else LISTED_S
        values = {
            "account": context.account,
            "region": context.region,
            "since_s": int(self._clock.now_s() - kept_s),
        }
        await self._folder.fold()
        found, following = await self._store.read(
            lambda conn: _list(
                conn, values, params.get("Namespace"), params.get("MetricName"), wanted, after
            )
        )
        answer: dict[str, Any] = {"Metrics": found}
        if params.get("IncludeLinkedAccounts"):
            answer["OwningAccounts"] = [context.account] * len(found)
        if following is not None:
            answer["NextToken"] = make_token(mark, *following)
        return answer


def _span(params: Params) -> tuple[float, float]:
    start_s, end_s = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if start_s >= end_s:
        raise invalid_value("The parameter StartTime must be less than the parameter EndTime.")
    return start_s, end_s


def _check_statistics(simple: list[str], extended: list[str]) -> None:
    if not simple and not extended:
        raise missing(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified."
        )
    if simple and extended:
        raise invalid_combination(
            "The parameters Statistics and ExtendedStatistics are mutually exclusive and you have "
            "specified both."
        )
    for name in extended:
        if name in SIMPLE or parse_extended(name) is None:
            raise invalid_value(
                f"The value {name[:128]} for parameter ExtendedStatistics is not supported."
            )


def _datapoint(
    at: int, unit: str, point: Point, simple: list[str], extended: list[str]
) -> dict[str, Any] | None:
    datapoint: dict[str, Any] = {"Timestamp": utc(at), "Unit": unit}
    datapoint |= {name: SIMPLE[name](point) for name in simple}
    if extended:
        values = {name: compute(name, point) for name in extended}
        known = {name: value for name, value in values.items() if value is not None}
        if not known:
            return None
        datapoint["ExtendedStatistics"] = known
    return datapoint


def _page(
    answers: Answers, shown: list[str], first: int, offset: int, limit: int, *, newest_first: bool
) -> tuple[list[dict[str, Any]], tuple[int, int] | None]:
    """Results from one query, and one of its values, on; and where the next page begins."""
    results: list[dict[str, Any]] = []
    room = limit
    for at in range(first, len(shown)):
        passed = 0  # Of the values of this query, whichever series they are in.
        skipped = offset if at == first else 0
        for series in answers.series(shown[at]):
            times = sorted(series.values, reverse=newest_first)
            passed += len(times)
            if times and passed <= skipped:
                continue
            rest = times[max(0, skipped - (passed - len(times))) :]
            part = rest[:room]
            results.append(_result(shown[at], series, part, done=len(part) == len(rest)))
            room -= len(part)
            if len(part) < len(rest):
                return results, (at, passed - len(rest) + len(part))
        if room <= 0 and at + 1 < len(shown):
            return results, (at + 1, 0)
    return results, None


def _result(query_id: str, series: Series, times: list[int], *, done: bool) -> dict[str, Any]:
    return {
        "Id": query_id,
        "Label": series.label,
        "Timestamps": [utc(at) for at in times],
        "Values": [series.values[at] for at in times],
        "StatusCode": "Complete" if done else "PartialData",
    }


def _list(
    conn: Connection,
    values: Params,
    namespace: str | None,
    name: str | None,
    wanted: list[tuple[str, str | None]],
    after: list[str],
) -> tuple[list[dict[str, Any]], list[str] | None]:
    statement = Q.list_metrics
    if namespace is not None:
        statement = Q.list_metrics_of_namespace if name is None else Q.list_metrics_of_name
    values = {
        **values,
        "namespace": namespace,
        "name": name,
        "after_namespace": after[0],
        "after_name": after[1],
        "after_dimensions": after[2],
        "limit": _LISTED_ROWS_MAX,
    }
    rows = conn.all(statement, values)
    found: list[dict[str, Any]] = []
    for row in rows:
        dimensions = parse_dimensions(row["dimensions"])
        if (name in (None, row["name"])) and _matches(dict(dimensions), wanted):
            found.append(
                {
                    "Namespace": row["namespace"],
                    "MetricName": row["name"],
                    "Dimensions": shown_dimensions(dimensions),
                }
            )
            if len(found) == LIST_PAGE_MAX:
                last = row is rows[-1] and len(rows) < _LISTED_ROWS_MAX
                return found, None if last else _place(row)
    return found, _place(rows[-1]) if len(rows) == _LISTED_ROWS_MAX else None


def _place(row: Mapping[str, Any]) -> list[str]:
    return [row["namespace"], row["name"], row["dimensions"]]


def _matches(dimensions: Mapping[str, str], wanted: list[tuple[str, str | None]]) -> bool:
    return all(name in dimensions and value in (None, dimensions[name]) for name, value in wanted)
