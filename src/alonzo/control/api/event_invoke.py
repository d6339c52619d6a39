"""What becomes of events: attempts, ages, destinations. Source: Lambda API; recorded texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control import aliases, paging
from alonzo.control.api.addressing import addressed, get_version, unqualified
from alonzo.control.event_invoke import records, rules
from alonzo.control.event_invoke.records import EventInvokeRecord
from alonzo.control.records import VersionRecord, find_function, find_version
from alonzo.control.targets import forbidden
from alonzo.control.tools import Tools
from alonzo.model.arns import LATEST, FunctionRef
from alonzo.model.context import RequestContext
from alonzo.model.destinations import TargetFault
from alonzo.model.errors import AwsError
from alonzo.store.base import Connection


async def put_function_event_invoke_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PutFunctionEventInvokeConfig: what the request leaves out is not set afterwards."""
    ref = addressed(context, params)
    rules.check_something_set(params)
    empty = EventInvokeRecord(
        ref.key, ref.qualifier or LATEST, None, None, None, None, tools.clock.now_s()
    )
    record = rules.applied(empty, params)
    await _check_targets(tools, ref, record)
    return await tools.store.tx(lambda db: _stored(db, ref, record))


async def update_function_event_invoke_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """UpdateFunctionEventInvokeConfig: what the request leaves out stays as it is."""
    ref = addressed(context, params)
    rules.check_something_set(params)
    now_s = tools.clock.now_s()

    def store(db: Connection) -> Mapping[str, Any]:
        record = rules.applied(_found(db, ref), params)
        return _stored(db, ref, replace(record, modified_at_s=now_s))

    current = await tools.store.read(lambda db: _found(db, ref))
    await _check_targets(tools, ref, rules.applied(current, params))
    return await tools.store.tx(store)


async def get_function_event_invoke_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetFunctionEventInvokeConfig."""
    ref = addressed(context, params)
    return rules.described(await tools.store.read(lambda db: _found(db, ref)))


async def list_function_event_invoke_configs(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListFunctionEventInvokeConfigs, by qualifier."""
    ref = unqualified(context, params)
    size = paging.page_size(params)
    after = paging.read_marker("ListFunctionEventInvokeConfigs", params)[0]

    def read(db: Connection) -> list[EventInvokeRecord]:
        if find_function(db, ref.key) is None:
            raise rules.function_missing()
        return records.page(db, ref.key, after=after, rows_max=size + 1)

    shown, last = paging.split_page(await tools.store.read(read), size)
    answer: dict[str, Any] = {
        "FunctionEventInvokeConfigs": [rules.described(record) for record in shown]
    }
    if last is not None:
        answer["NextMarker"] = paging.write_marker(
            "ListFunctionEventInvokeConfigs", (last.qualifier, "")
        )
    return answer


async def delete_function_event_invoke_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteFunctionEventInvokeConfig."""
    ref = addressed(context, params)

    def store(db: Connection) -> None:
        records.delete(db, ref.key, _found(db, ref).qualifier)

    await tools.store.tx(store)


def _found(db: Connection, ref: FunctionRef) -> EventInvokeRecord:
    record = records.find(db, ref.key, ref.qualifier or LATEST)
    if record is None:
        raise rules.missing(ref.key.qualified(ref.qualifier or LATEST))
    return record


async def _check_targets(tools: Tools, ref: FunctionRef, record: EventInvokeRecord) -> None:
    """Refuse destinations that nothing can be delivered to, or not by the function's role."""
    if record.on_success is None and record.on_failure is None:
        return

    def read(db: Connection) -> str:
        role_arn: str = _configured(db, ref).configuration["Role"]
        rules.check_offered(rules.named_targets(record), tools.targets.offers)
        _check_functions(db, record)
        return role_arn

    role_arn = await tools.store.read(read)
    for arn in rules.named_targets(record):
        fault = await tools.targets.fault(arn, ref.key, role_arn)
        if fault is TargetFault.FORBIDDEN:
            raise forbidden(arn)
        if fault is TargetFault.MISSING:
            raise rules.invalid_target(arn)


def _configured(db: Connection, ref: FunctionRef) -> VersionRecord:
    """The version that a configuration is for; an alias' main one."""
    try:
        return get_version(db, ref)
    except AwsError as err:
        raise rules.function_missing() from err


def _check_functions(db: Connection, record: EventInvokeRecord) -> None:
    """Refuse functions as destinations that do not exist."""
    for target in rules.plan_functions(record):
        try:
            get_version(db, target)
        except AwsError as err:
            raise rules.invalid_target(target.arn) from err


def _stored(db: Connection, ref: FunctionRef, record: EventInvokeRecord) -> Mapping[str, Any]:
    """Store a configuration whose function and destinations exist, and describe it."""
    is_alias = False
    if find_version(db, ref.key, record.qualifier) is None:
        if aliases.find(db, ref.key, record.qualifier) is None:
            raise rules.function_missing()
        is_alias = True
    _check_functions(db, record)
    records.put(db, record, is_alias=is_alias)
    return rules.described(record)
