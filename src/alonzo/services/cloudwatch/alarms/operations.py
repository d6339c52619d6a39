"""The operations on alarms.

Source: CloudWatch API reference, each operation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from alonzo.lib.clock import Clock, utc
from alonzo.model.context import RequestContext
from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.evaluation import State
from alonzo.services.cloudwatch.alarms.keeper import AlarmKeeper
from alonzo.services.cloudwatch.alarms.records import Alarm, AlarmKey, Q, StateFacts, alarm_from
from alonzo.services.cloudwatch.alarms.rules import TAGS_MAX, check_alarm
from alonzo.services.cloudwatch.errors import (
    alarm_not_found,
    bad_state_data,
    invalid_combination,
    invalid_query,
    invalid_token,
    resource_not_found,
    too_many_alarms,
)
from alonzo.services.cloudwatch.series import dimensions_of_request
from alonzo.services.cloudwatch.tokens import fingerprint, make_token, read_token
from alonzo.store.base import Connection, Store

Params = dict[str, Any]

#: Alarms that one account may have in one region.
ALARMS_MAX = 5000
_PAGE_MAX = 100
_FETCH = 500
#: Sorts behind every name.
_END = "\U0010ffff"
_LATEST_S = 1e12


class AlarmOperations:
    """One coroutine for each operation."""

    def __init__(self, store: Store, keeper: AlarmKeeper, clock: Clock) -> None:
        self._store = store
        self._keeper = keeper
        self._clock = clock

    async def put_metric_alarm(self, context: RequestContext, params: Params) -> None:
        """PutMetricAlarm. An alarm that is changed keeps its state, and its tags."""
        key = _key(context, params["AlarmName"])
        members = check_alarm(context.account, context.region, params)
        listed: list[dict[str, str]] = params.get("Tags") or []
        tags = {each["Key"]: each["Value"] for each in listed}
        if len(tags) > TAGS_MAX:
            raise invalid_query(f"An alarm can have at most {TAGS_MAX} tags.")
        now_s = self._clock.now_s()

        def work(db: Connection) -> None:
            known = records.find(db, key)
            if known is None:
                where = {"account": key.account, "region": key.region}
                row = db.one(Q.count_alarms, where)
                if row is not None and row["n"] >= ALARMS_MAX:
                    raise too_many_alarms(ALARMS_MAX)
                facts = StateFacts.initial(now_s)
                values = {
                    **key._asdict(),
                    "state": facts.state,
                    "document": records.document_of(members, tags, now_s),
                    "state_document": facts.encode(),
                }
                db.execute(Q.add_alarm, values)
            else:
                document = records.document_of(members, known.tags, now_s)
                db.execute(Q.change_alarm, {"id": known.id, "document": document})
            done = "created" if known is None else "updated"
            _note_configuration(db, key, now_s, done)

        await self._store.tx(work)
        await self._keeper.refresh(key)

    async def delete_alarms(self, context: RequestContext, params: Params) -> None:
        """DeleteAlarms: all of them, or none if one is not there."""
        keys = [_key(context, name) for name in params["AlarmNames"]]
        now_s = self._clock.now_s()

        def work(db: Connection) -> None:
            for key in dict.fromkeys(keys):
                known = records.find(db, key)
                if known is None:
                    raise alarm_not_found(key.name)
                db.execute(Q.delete_alarm, {"id": known.id})
                _note_configuration(db, key, now_s, "deleted")

        await self._store.tx(work)
        for key in keys:
            await self._keeper.refresh(key)

    async def describe_alarms(self, context: RequestContext, params: Params) -> Mapping[str, Any]:
        """DescribeAlarms. There are metric alarms alone."""
        names, prefix = params.get("AlarmNames"), params.get("AlarmNamePrefix")
        if names and prefix:
            raise invalid_combination("AlarmNamePrefix and AlarmNames are mutually exclusive.")
        empty: dict[str, Any] = {"CompositeAlarms": [], "MetricAlarms": [], "LogAlarms": []}
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        if "MetricAlarm" not in types or params.get("ChildrenOfAlarmName"):
            return empty
        if params.get("ParentsOfAlarmName"):
            return empty
        limit: int = params.get("MaxRecords") or _PAGE_MAX
        question = {k: v for k, v in params.items() if k not in ("NextToken", "MaxRecords")}
        mark = fingerprint([context.account, context.region, question])
        token = params.get("NextToken")
        after: str = "" if not token else read_token(token, mark, str)[0]
        wanted = None if not names else frozenset(names)

        def work(db: Connection) -> tuple[list[Alarm], bool]:
            page: list[Alarm] = []
            for alarm in _alarms(db, context, prefix or "", after):
                if (wanted is None or alarm.key.name in wanted) and _fits(alarm, params):
                    if len(page) == limit:
                        return page, True
                    page.append(alarm)
            return page, False

        page, more = await self._store.read(work)
        answer = {**empty, "MetricAlarms": [_described(alarm) for alarm in page]}
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
                all(given.get(name) == params[name] for name in same)
                and dimensions_of_request(given.get("Dimensions")) == dimensions
                and all(params.get(name) in (None, given.get(name)) for name in narrowing)
            )

        found = await self._store.read(
            lambda db: [each for each in _alarms(db, context, "", "") if fits(each)]
        )
        return {"MetricAlarms": [_described(alarm) for alarm in found]}

    async def set_alarm_state(self, context: RequestContext, params: Params) -> None:
        """SetAlarmState. Actions follow as from any other change; the next look may undo it."""
        data = params.get("StateReasonData")
        if data is not None:
            try:
                json.loads(data)
            except ValueError:
                raise bad_state_data() from None
        key = _key(context, params["AlarmName"])
        facts = StateFacts(
            State(params["StateValue"]), params["StateReason"], data, self._clock.now_s()
        )
        if not await self._keeper.set_state(key, facts):
            raise alarm_not_found(key.name)

    async def enable_alarm_actions(self, context: RequestContext, params: Params) -> None:
        """EnableAlarmActions. Names of no alarm are passed over."""
        await self._set_enabled(context, params["AlarmNames"], enabled=True)

    async def disable_alarm_actions(self, context: RequestContext, params: Params) -> None:
        """DisableAlarmActions. Names of no alarm are passed over."""
        await self._set_enabled(context, params["AlarmNames"], enabled=False)

    async def _set_enabled(
        self, context: RequestContext, names: list[str], *, enabled: bool
    ) -> None:
        keys = [_key(context, name) for name in names]
        now_s = self._clock.now_s()

        def work(db: Connection) -> None:
            for key in keys:
                known = records.find(db, key)
                if known is None or known.members.get("ActionsEnabled", True) is enabled:
                    continue
                members = {**known.members, "ActionsEnabled": enabled}
                document = records.document_of(members, known.tags, now_s)
                db.execute(Q.change_alarm, {"id": known.id, "document": document})
                _note_configuration(db, key, now_s, "updated")

        await self._store.tx(work)
        for key in keys:
            await self._keeper.refresh(key)

    async def describe_alarm_history(
        self, context: RequestContext, params: Params
    ) -> Mapping[str, Any]:
        """DescribeAlarmHistory."""
        if "MetricAlarm" not in (params.get("AlarmTypes") or ["MetricAlarm"]):
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
            "edge_s": edge[0],
            "edge_id": edge[1],
            "limit": limit + 1,
        }
        rows = await self._store.read(lambda db: db.all(statement, values))
        answer: dict[str, Any] = {
            "AlarmHistoryItems": [
                {
                    "AlarmName": row["name"],
                    "AlarmType": "MetricAlarm",
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

    async def tag_resource(self, context: RequestContext, params: Params) -> Mapping[str, Any]:
        """TagResource."""
        added = {each["Key"]: each["Value"] for each in params["Tags"]}
        return await self._retag(context, params, lambda tags: {**tags, **added})

    async def untag_resource(self, context: RequestContext, params: Params) -> Mapping[str, Any]:
        """UntagResource."""
        gone = frozenset(params["TagKeys"])
        return await self._retag(
            context, params, lambda tags: {k: v for k, v in tags.items() if k not in gone}
        )

    async def list_tags_for_resource(
        self, context: RequestContext, params: Params
    ) -> Mapping[str, Any]:
        """ListTagsForResource."""
        key = _key_of_arn(context, params["ResourceARN"])
        alarm = await self._store.read(lambda db: records.find(db, key))
        if alarm is None:
            raise resource_not_found(key.arn)
        return {"Tags": [{"Key": name, "Value": value} for name, value in alarm.tags.items()]}

    async def _retag(
        self,
        context: RequestContext,
        params: Params,
        change: Callable[[Mapping[str, str]], dict[str, str]],
    ) -> Mapping[str, Any]:
        key = _key_of_arn(context, params["ResourceARN"])

        def work(db: Connection) -> None:
            alarm = records.find(db, key)
            if alarm is None:
                raise resource_not_found(key.arn)
            tags = change(alarm.tags)
            if len(tags) > TAGS_MAX:
                raise invalid_query(f"An alarm can have at most {TAGS_MAX} tags.")
            document = records.document_of(alarm.members, tags, alarm.updated_at_s)
            db.execute(Q.change_tags, {"id": alarm.id, "document": document})

        await self._store.tx(work)
        return {}


def _key(context: RequestContext, name: str) -> AlarmKey:
    return AlarmKey(context.account, context.region, name)


def _key_of_arn(context: RequestContext, arn: str) -> AlarmKey:
    start = AlarmKey(context.account, context.region, "").arn
    if not arn.startswith(start) or arn == start:
        raise resource_not_found(arn)
    return _key(context, arn.removeprefix(start))


def _note_configuration(db: Connection, key: AlarmKey, now_s: float, done: str) -> None:
    alarm = records.find(db, key)
    kind = {"created": "Create", "updated": "Update", "deleted": "Delete"}[done]
    data: dict[str, Any] = {"configurationType": kind}
    if alarm is not None:
        data["alarmArn"] = key.arn
        data["updatedConfiguration"] = {"alarmName": key.name, **alarm.members}
    records.note(db, key, now_s, "ConfigurationUpdate", f'Alarm "{key.name}" {done}', data)


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
        "StateTransitionedTimestamp": utc(facts.updated_at_s),
    }
    if facts.data is not None:
        shown["StateReasonData"] = facts.data
    if not alarm.members.get("Metrics"):
        shown.setdefault("Dimensions", [])
    return shown
