"""The operations on alarms.

Source: CloudWatch API reference, each operation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.model.context import RequestContext
from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.actions import configuration_event
from alonzo.services.cloudwatch.alarms.beside import Looked, work_out
from alonzo.services.cloudwatch.alarms.changing import (
    RULE,
    SUPPRESSOR,
    Put,
    above,
    children_of,
    concerns_many,
    link,
    looks_at,
    parents_of,
    settle_put,
    settle_put_beside,
)
from alonzo.services.cloudwatch.alarms.composite.checks import check_composite
from alonzo.services.cloudwatch.alarms.evaluation import State
from alonzo.services.cloudwatch.alarms.keeper import AlarmKeeper
from alonzo.services.cloudwatch.alarms.records import (
    COMPOSITE,
    METRIC,
    Alarm,
    AlarmKey,
    Q,
    StateFacts,
)
from alonzo.services.cloudwatch.alarms.rules import TAGS_MAX, check_alarm
from alonzo.services.cloudwatch.errors import (
    alarm_not_found,
    bad_state_data,
    invalid_query,
    other_kind,
    resource_not_found,
    too_many_alarms,
    too_many_parents,
)
from alonzo.store.base import Connection, Store

Params = dict[str, Any]

#: Alarms that one account may have in one region; ours: composite ones among them.
ALARMS_MAX, COMPOSITES_MAX = 5000, 500
#: Composite alarms that may look at one alarm. Source: PutCompositeAlarm.
PARENTS_MAX = 150


class AlarmOperations:
    """One coroutine for each operation."""

    def __init__(self, store: Store, keeper: AlarmKeeper, clock: Clock) -> None:
        self._store = store
        self._keeper = keeper
        self._outbox = keeper.outbox
        self._clock = clock

    async def put_metric_alarm(self, context: RequestContext, params: Params) -> None:
        """PutMetricAlarm. An alarm that is changed keeps its state, and its tags."""
        key = _key(context, params["AlarmName"])
        members = check_alarm(context.account, context.region, params)
        tags, now_s = _tags(params), self._clock.now_s()
        await self._store.tx(lambda db: self._put(db, key, METRIC, members, tags, now_s))
        await self._keeper.refresh(key)

    async def put_composite_alarm(self, context: RequestContext, params: Params) -> None:
        """PutCompositeAlarm. It is evaluated at once, and its actions follow."""
        key = _key(context, params["AlarmName"])
        members = check_composite(params)
        tags, now_s = _tags(params), self._clock.now_s()

        def look(db: Connection) -> Looked[tuple[Collection[str], bool]]:
            return Looked((above(db, key).keys(), concerns_many(db, key)))

        def work(db: Connection, looked: tuple[Collection[str], bool]) -> Put | None:
            followers, are_many = looked
            known = records.find(db, key)
            created = self._put(db, key, COMPOSITE, members, tags, now_s)
            alarm = records.find(db, key)
            assert alarm is not None
            _check_children(db, alarm)
            link(db, alarm)
            was_on_cycle = known is not None and looks_at(known, followers)
            put = Put(alarm, created, looks_at(alarm, followers), was_on_cycle)
            if are_many:
                return put
            settle_put(db, self._outbox, put)
            return None

        put = await work_out(self._store, key, look, work)
        if put is not None:
            await settle_put_beside(self._store, self._outbox, put)

    def _put(
        self,
        db: Connection,
        key: AlarmKey,
        kind: str,
        members: Mapping[str, Any],
        tags: Mapping[str, str],
        now_s: float,
    ) -> bool:
        """Write an alarm; whether it is new."""
        known = records.find(db, key)
        if known is None:
            _check_room(db, key, kind)
            facts = StateFacts.initial(now_s)
            values = {
                **key._asdict(),
                "kind": kind,
                "state": facts.state,
                "document": records.document_of(members, tags, now_s),
                "state_document": facts.encode(),
            }
            db.execute(Q.add_alarm, values)
        elif known.kind != kind:
            raise other_kind(key.name, known.kind)
        else:
            document = records.document_of(members, known.tags, now_s)
            db.execute(Q.change_alarm, {"id": known.id, "document": document})
        self._note_put(db, key, now_s, known)
        return known is None

    def _note_put(self, db: Connection, key: AlarmKey, now_s: float, known: Alarm | None) -> None:
        """Tell the history and EventBridge of an alarm that was put."""
        alarm = records.find(db, key)
        assert alarm is not None
        done, kind = ("created", "Create") if known is None else ("updated", "Update")
        data = {
            "configurationType": kind,
            "alarmArn": key.arn,
            "updatedConfiguration": {"alarmName": key.name, **alarm.members},
        }
        _note_configuration(db, alarm, now_s, done, data)
        event = configuration_event(alarm, kind.lower(), now_s, known)
        self._outbox.add(db, [event])

    async def delete_alarms(self, context: RequestContext, params: Params) -> None:
        """DeleteAlarms. Names of no alarm are passed over, unless all of them are."""
        keys = [_key(context, name) for name in dict.fromkeys(params["AlarmNames"])]
        now_s = self._clock.now_s()

        def work(db: Connection) -> None:
            found = [each for each in (records.find(db, key) for key in keys) if each is not None]
            if keys and not found:
                raise alarm_not_found(keys[0].name)
            if sum(each.kind == COMPOSITE for each in found) > 1:
                raise invalid_query("At most one composite alarm can be deleted in one request.")
            _check_unused(db, found)
            for alarm in found:
                db.execute(Q.delete_alarm, {"id": alarm.id})
                _note_configuration(db, alarm, now_s, "deleted", {"configurationType": "Delete"})
                self._outbox.add(db, [configuration_event(alarm, "delete", now_s)])

        await self._store.tx(work)
        for key in keys:
            await self._keeper.refresh(key)

    async def set_alarm_state(self, context: RequestContext, params: Params) -> None:
        """SetAlarmState. Actions follow as from any other change; the next look may undo it."""
        data = params.get("StateReasonData")
        if data is not None:
            try:
                json.loads(data, parse_constant=_no_json)
            except (ValueError, RecursionError):
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
                self._note_put(db, key, now_s, known)

        await self._store.tx(work)
        for key in keys:
            await self._keeper.refresh(key)

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


def _no_json(name: str) -> None:
    """NaN and Infinity, which Python would take."""
    raise ValueError(name)


def _key(context: RequestContext, name: str) -> AlarmKey:
    return AlarmKey(context.account, context.region, name)


def _key_of_arn(context: RequestContext, arn: str) -> AlarmKey:
    start = AlarmKey(context.account, context.region, "").arn
    if not arn.startswith(start) or arn == start:
        raise resource_not_found(arn)
    return _key(context, arn.removeprefix(start))


def _tags(params: Params) -> dict[str, str]:
    listed: list[dict[str, str]] = params.get("Tags") or []
    tags = {each["Key"]: each["Value"] for each in listed}
    if len(tags) > TAGS_MAX:
        raise invalid_query(f"An alarm can have at most {TAGS_MAX} tags.")
    return tags


def _check_room(db: Connection, key: AlarmKey, kind: str) -> None:
    """Refuse a new alarm where there are as many as there may be."""
    where = {"account": key.account, "region": key.region}
    row = db.one(Q.count_alarms, where)
    if row is not None and row["n"] >= ALARMS_MAX:
        raise too_many_alarms(ALARMS_MAX)
    row = db.one(Q.count_alarms_of_kind, {**where, "kind": kind})
    if kind == COMPOSITE and row is not None and row["n"] >= COMPOSITES_MAX:
        raise too_many_alarms(COMPOSITES_MAX, "composite alarms")


def _check_children(db: Connection, alarm: Alarm) -> None:
    """Refuse a rule over alarms that are not there, or that too many look at already."""
    suppressor = alarm.suppressor
    children = children_of(alarm)
    looked_at = [*children, *([] if suppressor is None else [suppressor.alarm])]
    keys = [alarm.key._replace(name=name) for name in looked_at]
    unknown = {key.name for key in keys if db.one(Q.alarm_exists, key._asdict()) is None}
    if alarm.revision == 1:
        # It is there since this request only.
        unknown |= {alarm.key.name} & set(looked_at)
    missing = [name for name in children if name in unknown]
    if missing:
        raise invalid_query(
            f"Could not save the composite alarm as alarms [{', '.join(missing)[:1024]}] in the "
            "alarm rule do not exist"
        )
    if unknown:
        raise invalid_query(f"The actions suppressor {unknown.pop()[:255]} does not exist.")
    for key in keys[: len(children)]:
        values = {**key._asdict(), "role": RULE, "id": alarm.id}
        row = db.one(Q.count_other_parents, values)
        if row is not None and row["n"] + 1 > PARENTS_MAX:
            raise too_many_parents(key.name, PARENTS_MAX)


def _check_unused(db: Connection, alarms: Sequence[Alarm]) -> None:
    """Refuse to delete what other alarms look at, unless they go as well."""
    gone = {each.key.name for each in alarms}
    needed: list[str] = []
    for alarm in alarms:
        users = {*parents_of(db, alarm.key, RULE), *parents_of(db, alarm.key, SUPPRESSOR)}
        on_cycle = alarm.key.name in users
        if users - gone or on_cycle:
            needed.append(alarm.key.name)
    if needed:
        them = "it" if len(needed) == 1 else "them"
        raise invalid_query(
            f"Cannot delete {','.join(needed)} as there are composite alarm(s) depending on {them}."
        )


def _note_configuration(
    db: Connection, alarm: Alarm, now_s: float, done: str, data: Mapping[str, Any]
) -> None:
    summary = f'Alarm "{alarm.key.name}" {done}'
    records.note(
        db, alarm.key, alarm.kind, now_s, kind="ConfigurationUpdate", summary=summary, data=data
    )
