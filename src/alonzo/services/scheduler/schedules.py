"""The operations on schedules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from alonzo.lib.clock import Clock, utc
from alonzo.model.context import RequestContext
from alonzo.model.errors import access_denied
from alonzo.model.ports.identity import RoleTrust
from alonzo.services.scheduler import limits, rules
from alonzo.services.scheduler.errors import (
    no_group,
    no_schedule,
    not_supported,
    quota_exceeded,
    schedule_exists,
    untrusted_role,
)
from alonzo.services.scheduler.names import (
    DEFAULT_GROUP,
    group_arn,
    read_token,
    schedule_arn,
    write_token,
)
from alonzo.services.scheduler.records import (
    Place,
    Q,
    ScheduleRecord,
    prefix_range,
    save_schedule,
    try_group,
    try_schedule,
)
from alonzo.services.scheduler.targets import Offers, check_target, with_defaults
from alonzo.store.base import Connection, Store

Answer = Mapping[str, Any]

#: The principal that the roles of schedules let in.
SERVICE = "scheduler.amazonaws.com"

_SETTINGS = ("ScheduleExpression", "Description", "FlexibleTimeWindow")
_DATES = ("StartDate", "EndDate")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request says of a schedule, checked but for its dates."""

    settings: Mapping[str, Any]
    target: Mapping[str, Any]
    state: str
    token: str
    fingerprint: str


class ScheduleOperations:
    """Operations by their names in the service model."""

    def __init__(self, store: Store, clock: Clock, trust: RoleTrust, offers: Offers) -> None:
        self._store = store
        self._clock = clock
        self._trust = trust
        self._offers = offers

    async def create_schedule(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """CreateSchedule. The same request again, with its token, finds what it has made."""
        place, group, name = _named(context, params)
        wanted = await self._wanted(context, params, group)
        now_s = self._clock.now_s()

        def work(conn: Connection) -> None:
            if try_group(conn, place, group) is None:
                raise no_group(group)
            live = try_schedule(conn, place, group, name)
            if live is not None:
                if (live.token, live.fingerprint) != (wanted.token, wanted.fingerprint):
                    raise schedule_exists(name)
                return
            _check_room(conn, place)
            save_schedule(conn, _made(place, group, name, wanted, now_s))

        await self._store.tx(work)
        return {"ScheduleArn": schedule_arn(*place, group, name)}

    async def update_schedule(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """UpdateSchedule: everything is set anew; what is not given, to its default."""
        place, group, name = _named(context, params)
        wanted = await self._wanted(context, params, group)
        now_s = self._clock.now_s()

        def work(conn: Connection) -> None:
            live = _need(conn, place, group, name)
            save_schedule(conn, _changed(live, wanted, now_s))

        await self._store.tx(work)
        return {"ScheduleArn": schedule_arn(*place, group, name)}

    async def get_schedule(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """GetSchedule."""
        named = _named(context, params)
        record = await self._store.read(lambda conn: _need(conn, *named))
        return {
            "Arn": record.arn,
            "GroupName": record.group,
            "Name": record.name,
            "State": record.state,
            "CreationDate": utc(record.created_at_s),
            "LastModificationDate": utc(record.modified_at_s),
            "Target": record.target,
            **record.settings,
            **{each: utc(record.settings[each]) for each in _DATES if each in record.settings},
        }

    async def delete_schedule(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """DeleteSchedule. What has come due before is handed over all the same."""
        named = _named(context, params)

        def work(conn: Connection) -> None:
            conn.execute(Q.delete_schedule, {"id": _need(conn, *named).id})

        await self._store.tx(work)
        return {}

    async def list_schedules(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListSchedules: of a group or of all, in the order of groups and names."""
        place = Place(context.account, context.region)
        group: str | None = params.get("GroupName")
        size: int = params.get("MaxResults") or limits.PAGE_MAX
        after_group, after = read_token(params.get("NextToken"), 2)
        values = {
            **place.keys,
            **prefix_range(params.get("NamePrefix")),
            "first_group": max(group or "", after_group),
            "last_group": group or "\x7f",
            "after_group": after_group,
            "after": after,
            "state": params.get("State") or "",
            "limit": size + 1,
        }

        def work(conn: Connection) -> list[dict[str, Any]]:
            if group is not None and try_group(conn, place, group) is None:
                raise no_group(group)
            return [_summary(place, row) for row in conn.all(Q.list_schedules, values)]

        found = await self._store.read(work)
        page, more = found[:size], len(found) > size
        answer: dict[str, Any] = {"Schedules": page}
        if more:
            answer["NextToken"] = write_token(page[-1]["GroupName"], page[-1]["Name"])
        return answer

    async def _wanted(
        self, context: RequestContext, params: Mapping[str, Any], group: str
    ) -> _Wanted:
        """Check all that does not depend on what is there already.

        Raises:
            AwsError: ValidationException, AccessDeniedException.
        """
        if params.get("KmsKeyArn") is not None:
            raise not_supported("KmsKeyArn", "schedules are kept as the rest of the data is.")
        target: Mapping[str, Any] = params["Target"]
        zone = params.get("ScheduleExpressionTimezone") or "UTC"
        rules.schedule_of(params["ScheduleExpression"], zone)
        rules.window_s(params["FlexibleTimeWindow"])
        check_target(target, context.region, self._offers)
        role_arn: str = target["RoleArn"]
        if role_arn.split(":")[4] != context.account:
            raise access_denied("Cross-account pass role is not allowed.")
        source = group_arn(context.account, context.region, group)
        if not await self._trust.lets_in(
            role_arn, SERVICE, account=context.account, source_arn=source
        ):
            raise untrusted_role()
        settings = {
            **{name: params[name] for name in _SETTINGS if params.get(name) is not None},
            **{name: params[name].timestamp() for name in _DATES if params.get(name) is not None},
            "ScheduleExpressionTimezone": zone,
            "ActionAfterCompletion": params.get("ActionAfterCompletion") or "NONE",
        }
        return _Wanted(
            settings,
            with_defaults(target),
            params.get("State") or "ENABLED",
            params.get("ClientToken") or "",
            _fingerprint(params),
        )


def _named(context: RequestContext, params: Mapping[str, Any]) -> tuple[Place, str, str]:
    place = Place(context.account, context.region)
    return place, params.get("GroupName") or DEFAULT_GROUP, params["Name"]


def _need(conn: Connection, place: Place, group: str, name: str) -> ScheduleRecord:
    if try_group(conn, place, group) is None:
        raise no_group(group)
    found = try_schedule(conn, place, group, name)
    if found is None:
        raise no_schedule(name)
    return found


def _check_room(conn: Connection, place: Place) -> None:
    row = conn.one(Q.count_schedules, place.keys)
    if row is not None and row["n"] >= limits.SCHEDULES_MAX:
        raise quota_exceeded("schedules")


def _made(place: Place, group: str, name: str, wanted: _Wanted, now_s: float) -> ScheduleRecord:
    record = ScheduleRecord(
        place,
        group,
        name,
        wanted.state,
        now_s,
        now_s,
        0.0,
        None,
        wanted.settings,
        wanted.target,
        wanted.token,
        wanted.fingerprint,
    )
    timing = record.timing
    rules.check(timing, now_s)
    anchor_s = rules.anchor_of(timing, now_s)
    on = wanted.state == "ENABLED"
    tick_at_s = rules.first_tick(timing, anchor_s, now_s) if on else None
    return _ended_if_over(replace(record, anchor_s=anchor_s, tick_at_s=tick_at_s), now_s)


def _changed(live: ScheduleRecord, wanted: _Wanted, now_s: float) -> ScheduleRecord:
    record = replace(
        live,
        state=wanted.state,
        modified_at_s=now_s,
        settings=wanted.settings,
        target=wanted.target,
        is_over=False,
    )
    old, timing = live.timing, record.timing
    rules.check(timing, now_s, known_start_s=old.start_s)
    same = (old.expression, old.timezone, old.start_s) == (
        timing.expression,
        timing.timezone,
        timing.start_s,
    )
    anchor_s = live.anchor_s if same else rules.anchor_of(timing, now_s)
    if wanted.state != "ENABLED":
        tick_at_s = None
    elif not same:
        tick_at_s = rules.first_tick(timing, anchor_s, now_s)
        # The clock may have been set back: no tick comes twice.
        if tick_at_s is not None and tick_at_s <= live.last_s:
            tick_at_s = rules.next_tick(timing, anchor_s, live.last_s)
    elif live.tick_at_s is None or live.is_over:
        tick_at_s = rules.next_tick(timing, anchor_s, max(now_s, live.last_s))
    else:
        # It goes on as it was going; a tick that has just come is still to be seen to.
        tick_at_s = live.tick_at_s if rules.is_within(timing, live.tick_at_s) else None
    return _ended_if_over(replace(record, anchor_s=anchor_s, tick_at_s=tick_at_s), now_s)


def _ended_if_over(record: ScheduleRecord, now_s: float) -> ScheduleRecord:
    """One with nothing left to fire that is to be deleted then: the timer does it at once."""
    wants = record.state == "ENABLED" and record.settings["ActionAfterCompletion"] == "DELETE"
    if record.tick_at_s is not None or not wants:
        return record
    return replace(record, is_over=True, tick_at_s=now_s)


def _summary(place: Place, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Arn": schedule_arn(*place, row["group_name"], row["name"]),
        "GroupName": row["group_name"],
        "Name": row["name"],
        "State": row["state"],
        "CreationDate": utc(row["created_at_s"]),
        "LastModificationDate": utc(row["modified_at_s"]),
        "Target": {"Arn": row["target_arn"]},
    }


def _fingerprint(params: Mapping[str, Any]) -> str:
    """Tells whether two requests ask for the same."""
    said = {name: value for name, value in params.items() if name != "ClientToken"}
    text = orjson.dumps(said, default=_plain, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def _plain(value: object) -> str:
    assert isinstance(value, datetime), "parameters are plain values and dates"
    return value.isoformat()
