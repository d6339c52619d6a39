"""Operations on subscription filters and metric filters.

Source: CloudWatch Logs API reference, each operation; the quotas are in ``limits.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.errors import AwsError
from alonzo.services.logs import filter_pattern, records
from alonzo.services.logs.errors import filter_not_found, invalid, too_many_filters
from alonzo.services.logs.filter_pattern.extraction import values_reader
from alonzo.services.logs.filters import (
    METRIC,
    SUBSCRIPTION,
    FilterBook,
    metric_filter_from,
    subscription_from,
)
from alonzo.services.logs.limits import (
    DESCRIBE_PAGE_MAX,
    METRIC_DIMENSIONS_MAX,
    METRIC_FILTERS_MAX,
    SUBSCRIPTION_FILTERS_MAX,
)
from alonzo.services.logs.positions import opaque_token, read_opaque_token
from alonzo.services.logs.pushing import use_of
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import NAME_END, GroupKey
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Connection, Row, Store

_FUNCTION = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[^:]+):(?P<account>\d{12}):function:[\w-]+(:[\w$-]+)?"
)
_VENDOR = re.compile(r"arn:aws[a-zA-Z-]*:(?P<vendor>[a-z0-9-]+):")
_COUNTS_MAX = {SUBSCRIPTION: SUBSCRIPTION_FILTERS_MAX, METRIC: METRIC_FILTERS_MAX}
#: Rows read at a time while a listing over all groups looks for those that fit.
_FETCH = 200

#: Members of requests that change what events are looked at in ways that are not built.
_REFUSED = {
    "applyOnTransformedLogs": "Transformed logs are not supported.",
    "fieldSelectionCriteria": "fieldSelectionCriteria is not supported.",
    "emitSystemFields": "emitSystemFields is not supported.",
    "emitSystemFieldDimensions": "emitSystemFieldDimensions is not supported.",
}


class FilterOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(
        self,
        store: Store,
        writer: LogWriter,
        book: FilterBook,
        calls: ServiceCalls,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._store = store
        self._writer = writer
        self._book = book
        self._calls = calls
        self._clock = clock
        self._ids = ids

    async def put_subscription_filter(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """PutSubscriptionFilter. The function must let CloudWatch Logs in already."""
        key, name = _key(context, params), params["filterName"]
        destination: str = params["destinationArn"]
        _check_members(params)
        _check_destination(context, destination, params.get("roleArn"))
        document = {
            "filterPattern": params["filterPattern"],
            "destinationArn": destination,
            "distribution": params.get("distribution", "ByLogStream"),
        }
        subscription_from(name, document)
        # What was written before may have made the group.
        await self._writer.flush()
        await self._store.read(lambda conn: records.need_group(conn, key))
        try:
            await self._calls.check_invoke(destination, use_of(key, destination, self._ids))
        except AwsError as error:
            raise invalid(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs "
                "permission to execute your function."
            ) from error
        await self._put(key, SUBSCRIPTION, name, document)

    async def put_metric_filter(self, context: RequestContext, params: dict[str, Any]) -> None:
        """PutMetricFilter."""
        key, name = _key(context, params), params["filterName"]
        _check_members(params)
        transformation: Mapping[str, Any] = params["metricTransformations"][0]
        _check_transformation(transformation)
        document = {
            "filterPattern": params["filterPattern"],
            "metricTransformations": [dict(transformation)],
        }
        metric_filter_from(name, document)
        await self._put(key, METRIC, name, document)

    async def delete_subscription_filter(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """DeleteSubscriptionFilter. What has matched before is delivered still."""
        await self._delete(_key(context, params), SUBSCRIPTION, params["filterName"])

    async def delete_metric_filter(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteMetricFilter."""
        await self._delete(_key(context, params), METRIC, params["filterName"])

    async def describe_subscription_filters(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeSubscriptionFilters."""
        rows, token = await self._of_group(_key(context, params), SUBSCRIPTION, params)
        found = [_described(row, params["logGroupName"]) for row in rows]
        return {"subscriptionFilters": found, **token}

    async def describe_metric_filters(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeMetricFilters, of one group or, by their metric, of all."""
        name, namespace = params.get("metricName"), params.get("metricNamespace")
        if (name is None) != (namespace is None):
            raise invalid("metricName and metricNamespace must be given together.")
        group = params.get("logGroupName")
        if group is not None:
            rows, token = await self._of_group(_key(context, params), METRIC, params)
            found = [_described(row, group) for row in rows]
            if name is not None:
                found = [each for each in found if _is_of(each, namespace, name)]
            return {"metricFilters": found, **token}
        if params.get("filterNamePrefix"):
            raise invalid("filterNamePrefix needs a logGroupName.")
        return await self._of_all(context, params, namespace, name)

    async def test_metric_filter(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """TestMetricFilter."""
        del context
        matches = filter_pattern.parse(params["filterPattern"])
        read = values_reader(params["filterPattern"])
        return {
            "matches": [
                {"eventNumber": at, "eventMessage": message, "extractedValues": read(message)}
                for at, message in enumerate(params["logEventMessages"], 1)
                if matches is None or matches(message)
            ]
        }

    async def _put(self, key: GroupKey, kind: str, name: str, document: dict[str, Any]) -> None:
        now_ms = int(self._clock.now_s() * 1000)

        def work(conn: Connection) -> None:
            group = records.need_group(conn, key)
            where = {"group_id": group.id, "kind": kind}
            if conn.one(Q.find_filter, {**where, "name": name}) is None:
                row = conn.one(Q.count_filters, where)
                if row is not None and row["n"] >= _COUNTS_MAX[kind]:
                    raise too_many_filters()
            text = orjson.dumps(document).decode()
            values = {**where, "name": name, "created_ms": now_ms, "document": text}
            conn.execute(Q.put_filter, values)

        await self._change(key, work)

    async def _delete(self, key: GroupKey, kind: str, name: str) -> None:
        def work(conn: Connection) -> None:
            group = records.need_group(conn, key)
            where = {"group_id": group.id, "kind": kind, "name": name}
            if not conn.execute(Q.delete_filter, where):
                raise filter_not_found(kind)

        await self._change(key, work)

    async def _change(self, key: GroupKey, work: Callable[[Connection], None]) -> None:
        # Events of before the call are for the filters of before it.
        await self._writer.flush()
        await self._store.tx(work)
        await self._book.refresh(key)

    async def _of_group(
        self, key: GroupKey, kind: str, params: Mapping[str, Any]
    ) -> tuple[list[Row], dict[str, str]]:
        prefix = params.get("filterNamePrefix", "")
        limit: int = params.get("limit", DESCRIBE_PAGE_MAX)
        token = params.get("nextToken")
        after = "" if token is None else read_opaque_token(token)

        def work(conn: Connection) -> list[Row]:
            group = records.need_group(conn, key)
            return conn.all(
                Q.list_filters_of_group,
                {
                    "group_id": group.id,
                    "kind": kind,
                    "after": after,
                    "prefix": prefix,
                    "prefix_end": prefix + NAME_END,
                    "limit": limit + 1,
                },
            )

        await self._writer.flush()
        rows = await self._store.read(work)
        following = {"nextToken": opaque_token(rows[limit - 1]["name"])} if rows[limit:] else {}
        return rows[:limit], following

    async def _of_all(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        namespace: str | None,
        name: str | None,
    ) -> Mapping[str, Any]:
        limit: int = params.get("limit", DESCRIBE_PAGE_MAX)
        token = params.get("nextToken")
        # No name of a group or a filter holds a colon.
        group, _, after = ("" if token is None else read_opaque_token(token)).partition(":")
        where = {"account": context.account, "region": context.region, "kind": METRIC}

        def work(conn: Connection) -> Mapping[str, Any]:
            page: list[Mapping[str, Any]] = []
            place = {"after_group": group, "after": after, "limit": _FETCH}
            while rows := conn.all(Q.list_filters, {**where, **place}):
                for row in rows:
                    shown = _described(row, row["group_name"])
                    if name is not None and not _is_of(shown, namespace, name):
                        continue
                    if len(page) == limit:
                        last = page[-1]
                        text = f"{last['logGroupName']}:{last['filterName']}"
                        return {"metricFilters": page, "nextToken": opaque_token(text)}
                    page.append(shown)
                place |= {"after_group": rows[-1]["group_name"], "after": rows[-1]["name"]}
            return {"metricFilters": page}

        return await self._store.read(work)


def _key(context: RequestContext, params: Mapping[str, Any]) -> GroupKey:
    return GroupKey(context.account, context.region, params["logGroupName"])


def _described(row: Row, group: str) -> Mapping[str, Any]:
    return {
        "filterName": row["name"],
        "logGroupName": group,
        "creationTime": row["created_ms"],
        "applyOnTransformedLogs": False,
        **orjson.loads(row["document"]),
    }


def _is_of(shown: Mapping[str, Any], namespace: str | None, name: str) -> bool:
    given = shown["metricTransformations"][0]
    return (given["metricNamespace"], given["metricName"]) == (namespace, name)


def _check_members(params: Mapping[str, Any]) -> None:
    for member, refusal in _REFUSED.items():
        if params.get(member):
            raise invalid(refusal)


def _check_destination(context: RequestContext, arn: str, role_arn: str | None) -> None:
    """Refuse what is no function of the account and region.

    Two texts are recorded, the last is ours.
    """
    vendor = _VENDOR.match(arn)
    if vendor is None:
        raise invalid(f"Invalid destination ARN: {arn[:256]}")
    if vendor["vendor"] != "lambda":
        raise invalid(f"Invalid destination. Vendor {vendor['vendor']} not supported.")
    if role_arn is not None:
        raise invalid("destinationArn for vendor lambda cannot be used with roleArn")
    found = _FUNCTION.fullmatch(arn)
    if found is None or (found["region"], found["account"]) != (context.region, context.account):
        raise invalid("The destination must be a function of this account and region.")


def _check_transformation(given: Mapping[str, Any]) -> None:
    namespace, dimensions = given["metricNamespace"], given.get("dimensions", {})
    if not namespace or not given["metricName"] or namespace.startswith("AWS/"):
        raise invalid("Invalid metric transformation: a metric name and a namespace are required.")
    if len(dimensions) > METRIC_DIMENSIONS_MAX:
        raise invalid(
            "Invalid metric transformation: a filter has at most "
            f"{METRIC_DIMENSIONS_MAX} dimensions."
        )
    if any(not source.startswith("$") for source in dimensions.values()):
        raise invalid(
            "Invalid metric transformation: dimension values must be fields of the event."
        )
    if dimensions and given.get("defaultValue") is not None:
        raise invalid(
            "Invalid metric transformation: dimensions and default value are mutually exclusive "
            "properties."
        )
