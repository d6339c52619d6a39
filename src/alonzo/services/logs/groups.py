"""Operations on log groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.model.context import RequestContext
from alonzo.services.logs import records
from alonzo.services.logs.errors import (
    deletion_protected,
    group_exists,
    invalid,
    too_many_tags,
)
from alonzo.services.logs.filters import FilterBook
from alonzo.services.logs.group_search import search
from alonzo.services.logs.limits import DESCRIBE_PAGE_MAX, TAGS_MAX
from alonzo.services.logs.policies import PolicyBook
from alonzo.services.logs.positions import opaque_token, read_opaque_token
from alonzo.services.logs.records import Group, Q
from alonzo.services.logs.rules import (
    NAME_END,
    GroupKey,
    check_retention,
    group_by_identifier,
    group_of,
)
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Connection, Store

#: Groups read by one query while a listing looks for those that fit.
_FETCH = 200
#: A class whose events AWS keeps only on their way to another service.
_DELIVERY = "DELIVERY"


class GroupOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(
        self,
        store: Store,
        writer: LogWriter,
        book: FilterBook,
        policies: PolicyBook,
        clock: Clock,
    ) -> None:
        self._store = store
        self._writer = writer
        self._book = book
        self._policies = policies
        self._clock = clock

    async def create_log_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """CreateLogGroup."""
        key = _key(context, params)
        if key.name.lower().startswith("aws/"):
            raise invalid("Log groups starting with AWS/ are reserved for AWS.")
        if params.get("kmsKeyId"):
            raise invalid(
                "The specified KMS key does not exist or is not allowed to be used with "
                f"LogGroup '{key.arn}'"
            )
        log_class = params.get("logGroupClass", "STANDARD")
        if log_class == _DELIVERY:
            raise invalid("The log group class DELIVERY is not supported.")
        tags = params.get("tags", {})
        if len(tags) > TAGS_MAX:
            raise too_many_tags(key.arn)
        document = {
            "tags": tags,
            "class": log_class,
            "protected": params.get("deletionProtectionEnabled", False),
        }
        now_ms = int(self._clock.now_s() * 1000)

        def work(conn: Connection) -> None:
            if not records.insert_group(conn, key, created_ms=now_ms, document=document):
                raise group_exists()

        # What was written before belongs to the group that it was written for.
        await self._writer.flush()
        await self._store.tx(work)

    async def delete_log_group(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteLogGroup. Interrupted half-way, it leaves the group with fewer events."""
        key = _key(context, params)

        def delete_some(conn: Connection) -> bool:
            group = records.need_group(conn, key)
            if group.protected:
                raise deletion_protected()
            limit = records.DELETED_CHUNKS_MAX
            scope = {"group_id": group.id, "limit": limit}
            for statement in (Q.delete_some_chunks_of_group, Q.delete_some_streams_of_group):
                if conn.execute(statement, scope) == limit:
                    return False
            conn.execute(Q.delete_group, {"group_id": group.id})
            return True

        await self._writer.flush()
        while not await self._store.tx(delete_some):
            pass
        await self._book.refresh(key)
        await self._policies.refresh(key.account, key.region)

    async def describe_log_groups(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeLogGroups. Of other accounts there are none to include."""
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix and pattern:
            raise invalid(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
            )
        limit = params.get("limit", DESCRIBE_PAGE_MAX)
        token = params.get("nextToken")
        after = "" if token is None else read_opaque_token(token)
        wanted = _wanted_names(context, params)
        log_class = params.get("logGroupClass")
        if log_class == "ESSENTIALS":
            log_class = "INFREQUENT_ACCESS"

        def fits(group: Group) -> bool:
            return (
                (wanted is None or group.name in wanted)
                and (not pattern or pattern in group.name)
                and (log_class is None or _listed_as(group) == log_class)
            )

        def work(conn: Connection) -> Mapping[str, Any]:
            page: list[Mapping[str, Any]] = []
            last = ""
            for group in _groups(conn, context, prefix=prefix or "", after=after):
                if not fits(group):
                    continue
                if len(page) == limit:
                    return {"logGroups": page, "nextToken": opaque_token(last)}
                filters = self._book.of(GroupKey(context.account, context.region, group.name))
                counted = 0 if filters is None else len(filters.metrics)
                page.append(_described(context, group, counted, brief=bool(pattern)))
                last = group.name
            return {"logGroups": page}

        await self._writer.flush()
        return await self._store.read(work)

    async def list_log_groups(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """ListLogGroups: names, ARNs and classes."""
        limit = params.get("limit", DESCRIBE_PAGE_MAX)
        token = params.get("nextToken")
        after = "" if token is None else read_opaque_token(token)
        log_class, fits = params.get("logGroupClass"), search(params)

        def work(conn: Connection) -> Mapping[str, Any]:
            page: list[Mapping[str, Any]] = []
            for group in _groups(conn, context, prefix="", after=after):
                if log_class not in (None, group.log_class) or not fits(group.name, group.tags):
                    continue
                if len(page) == limit:
                    return {"logGroups": page, "nextToken": opaque_token(page[-1]["logGroupName"])}
                key = GroupKey(context.account, context.region, group.name)
                page.append(
                    {
                        "logGroupName": group.name,
                        "logGroupArn": key.arn,
                        "logGroupClass": group.log_class,
                    }
                )
            return {"logGroups": page}

        await self._writer.flush()
        return await self._store.read(work)

    async def put_retention_policy(self, context: RequestContext, params: dict[str, Any]) -> None:
        """PutRetentionPolicy. Expired events are hidden at once, and deleted by the reaper."""
        days = params["retentionInDays"]
        check_retention(days)
        await self._set_retention(_key(context, params), days)

    async def delete_retention_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """DeleteRetentionPolicy."""
        await self._set_retention(_key(context, params), None)

    async def _set_retention(self, key: GroupKey, days: int | None) -> None:
        def work(conn: Connection) -> None:
            group = records.need_group(conn, key)
            conn.execute(Q.set_retention, {"group_id": group.id, "days": days})

        await self._writer.flush()
        await self._store.tx(work)

    async def put_log_group_deletion_protection(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """PutLogGroupDeletionProtection."""
        key = group_of(params, account=context.account, region=context.region)

        def work(conn: Connection) -> None:
            group = records.need_group(conn, key)
            records.save_document(conn, group, protected=params["deletionProtectionEnabled"])

        await self._writer.flush()
        await self._store.tx(work)


def _key(context: RequestContext, params: Mapping[str, Any]) -> GroupKey:
    return GroupKey(context.account, context.region, params["logGroupName"])


def _listed_as(group: Group) -> str:
    """The class that finds a group: a search for either of the two lesser ones finds both."""
    return "INFREQUENT_ACCESS" if group.log_class == "ESSENTIALS" else group.log_class


def _wanted_names(context: RequestContext, params: Mapping[str, Any]) -> set[str] | None:
    identifiers = params.get("logGroupIdentifiers")
    if identifiers is None:
        return None
    return {
        group_by_identifier(identifier, account=context.account, region=context.region).name
        for identifier in identifiers
    }


def _groups(
    conn: Connection, context: RequestContext, *, prefix: str, after: str
) -> Iterator[Group]:
    while True:
        rows = conn.all(
            Q.list_groups,
            {
                "account": context.account,
                "region": context.region,
                "prefix": prefix,
                "prefix_end": prefix + NAME_END,
                "after": after,
                "limit": _FETCH,
            },
        )
        yield from map(records.group_from, rows)
        if len(rows) < _FETCH:
            return
        after = rows[-1]["name"]


def _described(
    context: RequestContext, group: Group, metric_filters: int, *, brief: bool
) -> Mapping[str, Any]:
    """A LogGroup. ``brief`` is what AWS answers to a search by pattern. Recorded from AWS."""
    key = GroupKey(context.account, context.region, group.name)
    shown: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": metric_filters,
        "arn": f"{key.arn}:*",
        "logGroupArn": key.arn,
        "logGroupClass": group.log_class,
    }
    if group.retention_days is not None:
        shown["retentionInDays"] = group.retention_days
    if not brief:
        shown["storedBytes"] = group.stored_bytes
        shown["deletionProtectionEnabled"] = group.protected
    return shown
