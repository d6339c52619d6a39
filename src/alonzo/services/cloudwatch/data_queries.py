"""GetMetricData: the queries of a request, checked, and worked out one after another.

A query is a metric with a statistic, or an expression over other queries. What an expression needs
is read once for a page of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.services.cloudwatch.errors import invalid_query
from alonzo.services.cloudwatch.expressions.evaluator import Evaluator
from alonzo.services.cloudwatch.expressions.parser import ExpressionError, Name, Node, names, parse
from alonzo.services.cloudwatch.expressions.values import Series, Span, Value
from alonzo.services.cloudwatch.limits import DATA_QUERIES_MAX
from alonzo.services.cloudwatch.reading import Budget, Question, read_points_of_all_units
from alonzo.services.cloudwatch.rules import check_period, first_period_at
from alonzo.services.cloudwatch.series import Metric, dimensions_of_request
from alonzo.services.cloudwatch.statistics import (
    SIMPLE,
    compute,
    needs_distribution,
    parse_extended,
)
from alonzo.store.base import Connection

_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """A metric, a statistic and a period."""

    id: str
    label: str
    shown: bool
    metric: Metric
    statistic: str
    period_s: int
    unit: str | None


@dataclass(frozen=True, slots=True)
class ExpressionQuery:
    """An expression over the queries that ``needs`` names."""

    id: str
    label: str
    shown: bool
    node: Node
    needs: frozenset[str]


Query = MetricQuery | ExpressionQuery


def parse_queries(
    account: str, region: str, members: Iterable[Mapping[str, Any]]
) -> dict[str, Query]:
    """The queries of a request by their ids, in its order.

    Raises:
        AwsError: one of them cannot be.
    """
    listed = list(members)
    if not listed:
        raise invalid_query("The collection MetricDataQueries must not be empty.")
    if len(listed) > DATA_QUERIES_MAX:
        raise invalid_query(
            "The collection MetricDataQueries must not have a size greater than "
            f"{DATA_QUERIES_MAX}."
        )
    queries: dict[str, Query] = {}
    for at, member in enumerate(listed, 1):
        path = f"MetricDataQueries.member.{at}"
        query = _parse_query(account, region, member, path)
        if query.id in queries:
            raise invalid_query(f"The values for parameter id in {path} are not unique.")
        queries[query.id] = query
    if not any(query.shown for query in queries.values()):
        raise invalid_query("At least one of the queries must have ReturnData set to true.")
    _check_order(queries)
    return queries


def _parse_query(account: str, region: str, member: Mapping[str, Any], path: str) -> Query:
    query_id = member["Id"]
    if _ID.fullmatch(query_id) is None:
        raise invalid_query(
            f"The value {query_id} for parameter {path}.Id is not matching the expected pattern "
            "^[a-z][a-zA-Z0-9_]*$."
        )
    stat, expression = member.get("MetricStat"), member.get("Expression")
    if (stat is None) == (expression is None):
        raise invalid_query(
            f"Exactly one of the parameters {path}.MetricStat and {path}.Expression must be "
            "specified."
        )
    if expression is not None:
        shown = member.get("ReturnData") is not False
        return _parse_expression(query_id, member.get("Label") or query_id, shown, expression)
    return _parse_metric(account, region, member, member["MetricStat"], path)


def _parse_metric(
    account: str, region: str, member: Mapping[str, Any], stat: Mapping[str, Any], path: str
) -> MetricQuery:
    if member.get("AccountId") not in (None, account):
        raise invalid_query(f"{path}.AccountId: metrics of other accounts cannot be read.")
    metric: Mapping[str, Any] = stat["Metric"]
    if not metric.get("Namespace") or not metric.get("MetricName"):
        raise invalid_query(f"{path}.MetricStat.Metric needs a Namespace and a MetricName.")
    if stat["Stat"] not in SIMPLE and parse_extended(stat["Stat"]) is None:
        raise invalid_query(
            f"The value {stat['Stat'][:128]} for parameter {path}.MetricStat.Stat is not supported."
        )
    return MetricQuery(
        member["Id"],
        member.get("Label") or metric["MetricName"],
        member.get("ReturnData") is not False,
        Metric(
            account,
            region,
            metric["Namespace"],
            metric["MetricName"],
            dimensions_of_request(metric.get("Dimensions")),
        ),
        stat["Stat"],
        check_period(stat["Period"], f"{path}.MetricStat.Period"),
        stat.get("Unit"),
    )


def _parse_expression(query_id: str, label: str, shown: bool, text: str) -> ExpressionQuery:
    if text.lstrip().upper().startswith("SELECT"):
        raise _refused(query_id, ExpressionError("Metrics Insights queries are not built"))
    try:
        node = parse(text)
    except ExpressionError as error:
        raise _refused(query_id, error) from error
    needs = frozenset(name for name in names(node) if name not in ("REPEAT", "LINEAR"))
    return ExpressionQuery(query_id, label, shown, node, needs)


def _check_order(queries: Mapping[str, Query]) -> None:
    """Refuse expressions that name each other in a circle, or what is not there."""
    done: set[str] = set()
    open_: set[str] = set()

    def visit(query_id: str) -> None:
        query = queries[query_id]
        if query_id in done or isinstance(query, MetricQuery):
            return
        if query_id in open_ or len(open_) > 50:
            raise _refused(query_id, ExpressionError("expressions lead in a circle, or too far"))
        open_.add(query_id)
        for name in sorted(query.needs):
            if name not in queries:
                raise _refused(query_id, ExpressionError(f"there is no query with the id {name}"))
            visit(name)
        open_.discard(query_id)
        done.add(query_id)

    for query_id in queries:
        visit(query_id)


def _refused(query_id: str, error: ExpressionError) -> Exception:
    return invalid_query(f"Error in expression '{query_id}': {error}.")


class Answers:
    """Works out queries, each once. Runs inside one unit of work that reads."""

    def __init__(
        self,
        conn: Connection,
        queries: Mapping[str, Query],
        *,
        start_s: float,
        end_s: float,
        now_s: float,
    ) -> None:
        self._conn = conn
        self._queries = queries
        self._start_s = start_s
        self._end_s = end_s
        self._now_s = now_s
        self._known: dict[str, Value] = {}
        self._budget = Budget()
        periods = [q.period_s for q in queries.values() if isinstance(q, MetricQuery)]
        self._first_s = first_period_at(start_s, min(periods, default=60), now_s)

    def series(self, query_id: str) -> list[Series]:
        """The series of a query, each with its label.

        Raises:
            AwsError: its expression cannot be worked out.
        """
        value = self._value(query_id)
        query = self._queries[query_id]
        many = value if isinstance(value, list) else [value]
        found = [each for each in many if isinstance(each, Series)]
        if isinstance(query, ExpressionQuery) and len(found) == 1:
            return [Series(found[0].period_s, query.label, found[0].values)]
        return found

    def _value(self, query_id: str) -> Value:
        if query_id not in self._known:
            query = self._queries[query_id]
            if isinstance(query, MetricQuery):
                self._known[query_id] = self._read(query)
            else:
                self._known[query_id] = self._evaluate(query)
        return self._known[query_id]

    def _read(self, query: MetricQuery) -> Series:
        question = Question(
            query.metric,
            first_period_at(self._start_s, query.period_s, self._now_s),
            # Whole periods only: one that began in time counts to its end.
            int(-(-self._end_s // 1)),
            query.period_s,
            query.unit,
            needs_distribution(query.statistic),
        )
        points = read_points_of_all_units(self._conn, question, self._budget)
        values = {at: compute(query.statistic, point) for at, point in points.items()}
        known = {at: value for at, value in values.items() if value is not None}
        return Series(query.period_s, query.label, known)

    def _evaluate(self, query: ExpressionQuery) -> Value:
        span = Span(self._first_s, int(-(-self._end_s // 1)))
        evaluator = Evaluator(self._find, self._metrics, span)
        try:
            many = evaluator.series(query.node)
        except ExpressionError as error:
            raise _refused(query.id, error) from error
        # A single name is an alias of what it names, a list stays one.
        return many[0] if len(many) == 1 and not isinstance(query.node, Name) else many

    def _find(self, query_id: str) -> Value | None:
        return self._value(query_id) if query_id in self._queries else None

    def _metrics(self) -> dict[str, Series]:
        found: dict[str, Series] = {}
        for query in self._queries.values():
            if isinstance(query, MetricQuery):
                value = self._value(query.id)
                assert isinstance(value, Series)
                found[query.id] = value
        return found
