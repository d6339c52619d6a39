"""The operations that list alarms, and what happened to them.

Source: CloudWatch API reference, each operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alonzo.lib.clock import Clock, utc
from alonzo.model.context import RequestContext
from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.changing import RULE, children_of, parents_of
from alonzo.services.cloudwatch.alarms.records import (
    COMPOSITE,
    METRIC,
    Alarm,
    AlarmKey,
    Q,
    alarm_from,
)
from alonzo.services.cloudwatch.errors import invalid_combination, invalid_token
from alonzo.services.cloudwatch.series import dimensions_of_request
from alonzo.services.cloudwatch.tokens import fingerprint, make_token, read_token
from alonzo.store.base import Connection, Store

Params = dict[str, Any]

_PAGE_MAX = 100
_FETCH = 500
#: Sorts behind every name.
_END = "\U0010ffff"
_LATEST_S = 1e12
#: Parameters of DescribeAlarms that go with any other.
_PAGING = frozenset({"MaxRecords", "NextToken"})
_RELATIVES = ("ChildrenOfAlarmName", "ParentsOfAlarmName")
#: Where an answer lists alarms, by their kind.
_SHOWN = {METRIC: "MetricAlarms", COMPOSITE: "CompositeAlarms"}


class AlarmListing:
    """One coroutine for each operation."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def describe_alarms(self, context: RequestContext, params: Params) -> Mapping[str, Any]:
        """DescribeAlarms. Without types it lists metric alarms, but relatives of any kind."""
        given = params.keys() - _PAGING
        relative = next((each for each in _RELATIVES if params.get(each)), None)
        if relative is not None and len(given) > 1:
            raise invalid_combination(
                f"{relative} can be given with MaxRecords and NextToken alone."
            )
        names, prefix = params.get("AlarmNames"), params.get("AlarmNamePrefix")
        if names and prefix:
            raise invalid_combination("AlarmNamePrefix and AlarmNames are mutually exclusive.")
        limit: int = params.get("MaxRecords") or _PAGE_MAX
        question = {k: v for k, v in params.items() if k not in _PAGING}
        mark = fingerprint([context.account, context.region, question])
        token = params.get("NextToken")
        after: str = "" if not token else read_token(token, mark, str)[0]
        types = params.get("AlarmTypes") or ([METRIC] if relative is None else _SHOWN)
        wanted = None if not names else frozenset(names)

        def work(db: Connection) -> tuple[list[Alarm], bool]:
            only = wanted
            if relative is not None:
                only = _relatives(db, context, relative, params[relative])
            page: list[Alarm] = []
            for alarm in _alarms(db, context, prefix or "", after):
                fits = alarm.kind in types and (only is None or alarm.key.name in only)
                if fits and _fits(alarm, params):
                    if len(page) == limit:
                        return page, True
                    page.append(alarm)
            return page, False

        page, more = await self._store.read(work)
        answer: dict[str, Any] = {member: [] for member in _SHOWN.values()}
        for alarm in page:
            answer[_SHOWN[alarm.kind]].append(_summary(alarm, relative))
        if more:
            answer["NextToken"] = make_token(mark, page[-1].key.name)
        return answer

    async def describe_alarms_for_metric(
        self, context: RequestContext, params: Params
    ) -> Mapping[str, Any]:
        """DescribeAlarmsForMetric. Alarms that watch expressions are not among them."""
        dimensions = dimensions_of_request(params.get("Dimensions"))
        same = ("MetricName", "Namespace")
        narrowing = ("Statistic", "ExtendedStatistic", "Period", "Unit")

        def fits(alarm: Alarm) -> bool:
            given = alarm.members
            return (
                alarm.kind == METRIC
                and all(given.get(name) == params[name] for name in same)
                and dimensions_of_request(given.get("Dimensions")) == dimensions
                and all(params.get(name) in (None, given.get(name)) for name in narrowing)
            )

        found = await self._store.read(
            lambda db: [each for each in _alarms(db, context, "", "") if fits(each)]
        )
        return {"MetricAlarms": [_described(alarm) for alarm in found]}

    async def describe_alarm_history(
        self, context: RequestContext, params: Params
    ) -> Mapping[str, Any]:
        """DescribeAlarmHistory: without types, of metric alarms."""
        types = [each for each in params.get("AlarmTypes") or [METRIC] if each in _SHOWN]
        if not types:
            return {"AlarmHistoryItems": []}
        forward = params.get("ScanBy") == "TimestampAscending"
        limit: int = params.get("MaxRecords") or _PAGE_MAX
        question = {k: v for k, v in params.items() if k not in ("NextToken", "MaxRecords")}
        mark = fingerprint([context.account, context.region, question])
        edge = (0.0, 0) if forward else (_LATEST_S, 0)
        if params.get("NextToken"):
            at, last_id = read_token(params["NextToken"], mark, str, int)
            try:
                edge = (float(at), last_id)
            except ValueError:
                raise invalid_token() from None
        name = params.get("AlarmName")
        statement = {
            (False, False): Q.history_of_region,
            (False, True): Q.history_of_region_ascending,
            (True, False): Q.history_of_alarm,
            (True, True): Q.history_of_alarm_ascending,
        }[name is not None, forward]
        start, end = params.get("StartDate"), params.get("EndDate")
        values = {
            "account": context.account,
            "region": context.region,
            "name": name,
            "start_s": 0.0 if start is None else start.timestamp(),
            "end_s": _LATEST_S if end is None else end.timestamp(),
            "kind": params.get("HistoryItemType") or "",
            "type": types[0],
            "other_type": types[-1],
            "edge_s": edge[0],
            "edge_id": edge[1],
            "limit": limit + 1,
        }
        rows = await self._store.read(lambda db: db.all(statement, values))
        answer: dict[str, Any] = {
            "AlarmHistoryItems": [
                {
                    "AlarmName": row["name"],
                    "AlarmType": row["alarm_type"],
                    "Timestamp": utc(row["at_s"]),
                    "HistoryItemType": row["kind"],
                    "HistorySummary": row["summary"],
                    "HistoryData": row["data"],
                }
                for row in rows[:limit]
            ]
        }
        if len(rows) > limit:
            last = rows[limit - 1]
            answer["NextToken"] = make_token(mark, repr(float(last["at_s"])), last["id"])
        return answer


def _alarms(db: Connection, context: RequestContext, prefix: str, after: str) -> Iterator[Alarm]:
    where = {
        "account": context.account,
        "region": context.region,
        "prefix": prefix,
        "prefix_end": prefix + _END,
        "limit": _FETCH,
    }
    while True:
        rows = db.all(Q.list_alarms, {**where, "after": after})
        yield from map(alarm_from, rows)
        if len(rows) < _FETCH:
            return
        after = rows[-1]["name"]


def _fits(alarm: Alarm, params: Params) -> bool:
    if params.get("StateValue") not in (None, alarm.facts.state):
        return False
    prefix: str | None = params.get("ActionPrefix")
    if prefix is None:
        return True
    listed: list[list[str]] = [alarm.members.get(each) or [] for each in records.ACTIONS.values()]
    return any(arn.startswith(prefix) for actions in listed for arn in actions)


def _described(alarm: Alarm) -> Mapping[str, Any]:
    facts = alarm.facts
    shown: dict[str, Any] = {
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        **alarm.members,
        "AlarmName": alarm.key.name,
        "AlarmArn": alarm.key.arn,
        "AlarmConfigurationUpdatedTimestamp": utc(alarm.updated_at_s),
        "StateValue": facts.state.value,
        "StateReason": facts.reason,
        "StateUpdatedTimestamp": utc(facts.updated_at_s),
        "StateTransitionedTimestamp": utc(facts.since_s),
    }
    if facts.data is not None:
        shown["StateReasonData"] = facts.data
    if facts.hold is not None:
        shown["ActionsSuppressedBy"] = facts.hold.by.value
        shown["ActionsSuppressedReason"] = facts.hold.reason
    if alarm.kind == METRIC and not alarm.members.get("Metrics"):
        shown.setdefault("Dimensions", [])
    return shown


def _relatives(db: Connection, context: RequestContext, relative: str, name: str) -> frozenset[str]:
    """The names of an alarm's children, or of its parents."""
    key = AlarmKey(context.account, context.region, name)
    if relative == "ParentsOfAlarmName":
        return frozenset(parents_of(db, key, RULE))
    alarm = records.find(db, key)
    return frozenset(() if alarm is None else children_of(alarm))


def _summary(alarm: Alarm, relative: str | None) -> Mapping[str, Any]:
    """An alarm as it is listed: in full, or as a relative of another."""
    if relative is None:
        return _described(alarm)
    shown: dict[str, Any] = {"AlarmName": alarm.key.name, "AlarmArn": alarm.key.arn}
    if relative == "ChildrenOfAlarmName":
        shown["StateValue"] = alarm.facts.state.value
        shown["StateUpdatedTimestamp"] = utc(alarm.facts.updated_at_s)
    return shown
