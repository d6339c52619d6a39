"""The operations on groups of schedules, and on their tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from alonzo.lib.clock import Clock, utc
from alonzo.model.context import RequestContext
from alonzo.services.scheduler import limits
from alonzo.services.scheduler.errors import (
    default_group,
    group_exists,
    invalid,
    no_group,
    quota_exceeded,
)
from alonzo.services.scheduler.names import (
    DEFAULT_GROUP,
    group_arn,
    group_of_arn,
    read_token,
    write_token,
)
from alonzo.services.scheduler.records import (
    Group,
    Place,
    Q,
    group_from,
    prefix_range,
    save_group,
    try_group,
)
from alonzo.store.base import Connection, Store

Answer = Mapping[str, Any]
Tags = Mapping[str, str]

#: Schedules that one unit of work deletes with their group.
_DELETED_MAX = 500


class GroupOperations:
    """Operations by their names in the service model."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create_schedule_group(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """CreateScheduleGroup. The same request again, with its token, finds what it has made."""
        place, name = Place(context.account, context.region), params["Name"]
        if name == DEFAULT_GROUP:
            raise default_group()
        now_s, token = self._clock.now_s(), params.get("ClientToken") or ""
        made = Group(name, now_s, now_s, _with(dict[str, str](), params.get("Tags")), token)

        def work(conn: Connection) -> None:
            live = try_group(conn, place, name)
            if live is not None:
                if live.token != token or live.tags != made.tags:
                    raise group_exists(name)
                return
            row = conn.one(Q.count_groups, place.keys)
            # The default group is one of them.
            if row is not None and row["n"] + 1 >= limits.GROUPS_MAX:
                raise quota_exceeded("schedule groups")
            save_group(conn, place, made)

        await self._store.tx(work)
        return {"ScheduleGroupArn": group_arn(*place, name)}

    async def get_schedule_group(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """GetScheduleGroup."""
        place = Place(context.account, context.region)
        return _shown(place, await self._read(place, params["Name"]))

    async def delete_schedule_group(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """DeleteScheduleGroup, with its schedules. Interrupted half-way, it leaves some of them."""
        place, name = Place(context.account, context.region), params["Name"]
        if name == DEFAULT_GROUP:
            raise default_group()

        keys = place.keys | {"name": name}

        def delete_some(conn: Connection) -> bool:
            _need(conn, place, name)
            some = keys | {"limit": _DELETED_MAX}
            if conn.execute(Q.delete_some_schedules, some) == _DELETED_MAX:
                return False
            conn.execute(Q.delete_group, keys)
            return True

        while not await self._store.tx(delete_some):
            pass  # Between two units others get their turn.
        return {}

    async def list_schedule_groups(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListScheduleGroups, the default group among them, by name."""
        place = Place(context.account, context.region)
        size: int = params.get("MaxResults") or limits.PAGE_MAX
        (after,) = read_token(params.get("NextToken"), 1)
        prefix: str = params.get("NamePrefix") or ""
        values = place.keys | prefix_range(prefix) | {"after": after, "limit": size + 1}
        rows = await self._store.read(lambda conn: conn.all(Q.list_groups, values))
        found = [group_from(row) for row in rows]
        if DEFAULT_GROUP.startswith(prefix) and after < DEFAULT_GROUP:
            found = sorted([*found, Group(DEFAULT_GROUP)], key=lambda group: group.name)
        page, more = found[:size], len(found) > size
        answer: dict[str, Any] = {"ScheduleGroups": [_shown(place, group) for group in page]}
        return answer | ({"NextToken": write_token(page[-1].name)} if more else {})

    async def list_tags_for_resource(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """ListTagsForResource."""
        place, name = _tagged(context, params)
        group = await self._read(place, name)
        return {"Tags": [{"Key": key, "Value": value} for key, value in group.tags.items()]}

    async def tag_resource(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """TagResource."""

        def change(tags: Tags) -> Tags:
            return _with(tags, params["Tags"])

        await self._retag(context, params, change)
        return {}

    async def untag_resource(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """UntagResource. Keys that are not there are no error."""
        gone: set[str] = set(params["TagKeys"])

        def change(tags: Tags) -> Tags:
            return {key: value for key, value in tags.items() if key not in gone}

        await self._retag(context, params, change)
        return {}

    async def _retag(
        self, context: RequestContext, params: dict[str, Any], change: Callable[[Tags], Tags]
    ) -> None:
        place, name = _tagged(context, params)
        if name == DEFAULT_GROUP:
            raise default_group()
        now_s = self._clock.now_s()

        def work(conn: Connection) -> None:
            group = _need(conn, place, name)
            save_group(conn, place, replace(group, tags=change(group.tags), modified_at_s=now_s))

        await self._store.tx(work)

    async def _read(self, place: Place, name: str) -> Group:
        return await self._store.read(lambda conn: _need(conn, place, name))


def _need(conn: Connection, place: Place, name: str) -> Group:
    group = try_group(conn, place, name)
    if group is None:
        raise no_group(name)
    return group


def _tagged(context: RequestContext, params: Mapping[str, Any]) -> tuple[Place, str]:
    place = Place(context.account, context.region)
    name = group_of_arn(params["ResourceArn"])
    # Another account's, or another region's, is none of these.
    if params["ResourceArn"] != group_arn(*place, name):
        raise no_group(name)
    return place, name


def _with(tags: Tags, more: Any) -> dict[str, str]:
    found = {**tags, **{each["Key"]: each["Value"] for each in more or ()}}
    if len(found) > limits.TAGS_MAX:
        raise invalid(f"A schedule group can have no more than {limits.TAGS_MAX} tags.")
    return found


def _shown(place: Place, group: Group) -> dict[str, Any]:
    dates = {
        "CreationDate": group.created_at_s,
        "LastModificationDate": group.modified_at_s,
    }
    return {
        "Arn": group_arn(*place, group.name),
        "Name": group.name,
        "State": "ACTIVE",
        **{name: utc(at_s) for name, at_s in dates.items() if at_s is not None},
    }
