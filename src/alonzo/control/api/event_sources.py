"""Event source mappings: create, read, list, change, delete. Source: Lambda API; recorded texts.

Of sources that do not run here nothing is read: ``LastProcessingResult`` stays "No records
processed".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control import paging
from alonzo.control import rules as function_rules
from alonzo.control.api.addressing import addressed, get_version
from alonzo.control.event_sources import machine, records, rules
from alonzo.control.event_sources.kinds import Kind, kind_of
from alonzo.control.event_sources.machine import Event
from alonzo.control.event_sources.records import MappingKey, MappingRecord
from alonzo.control.event_sources.sources import check_source
from alonzo.control.refusals import no_such_resource
from alonzo.control.tools import Tools
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, invalid_parameter, not_found
from alonzo.store.base import Connection

#: Mappings on one page. Source: Lambda API, ListEventSourceMappings.
PAGE_MAX = 100


async def create_event_source_mapping(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """CreateEventSourceMapping."""
    ref = addressed(context, params)
    kind = kind_of(params)
    key = MappingKey(context.account, context.region, tools.ids.uuid())
    enabled = params.get("Enabled") is not False
    record = MappingRecord(
        key=key,
        function=ref,
        kind=kind,
        source_arn=params.get("EventSourceArn") or None,
        document=rules.plan_creation(kind, params, key.id),
        state=machine.first(enabled),
        enabled=enabled,
        modified_at_s=tools.clock.now_s(),
        tags=function_rules.plan_tags({}, params.get("Tags") or {}),
    )

    def store(db: Connection) -> None:
        _check_function(db, record)
        _check_single(db, record)
        records.insert(db, record)

    await _check_source(tools, record, must_exist=True)
    await tools.store.tx(store)
    return described(record)


async def get_event_source_mapping(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetEventSourceMapping."""
    return described(await tools.store.read(lambda db: _found(db, context, params["UUID"])))


async def list_event_source_mappings(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListEventSourceMappings, by UUID."""
    function = addressed(context, params) if params.get("FunctionName") else None
    size = min(params.get("MaxItems") or PAGE_MAX, PAGE_MAX)
    after = paging.read_marker("ListEventSourceMappings", params)[0]
    rows = await tools.store.read(
        lambda db: records.page(
            db,
            account=context.account,
            region=context.region,
            function=function,
            source_arn=params.get("EventSourceArn") or None,
            after=after,
            rows_max=size + 1,
        )
    )
    shown, last = paging.split_page(rows, size)
    answer: dict[str, Any] = {"EventSourceMappings": [described(record) for record in shown]}
    if last is not None:
        answer["NextMarker"] = paging.write_marker("ListEventSourceMappings", (last.key.id, ""))
    return answer


async def update_event_source_mapping(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """UpdateEventSourceMapping: members left out stay as they are."""
    function = addressed(context, params) if params.get("FunctionName") else None

    def plan(db: Connection) -> MappingRecord:
        record = _found(db, context, params["UUID"])
        machine.check_changeable(record.state, "update")
        wanted = params.get("Enabled")
        enabled = record.enabled if wanted is None else wanted
        given = {**params, "EventSourceArn": record.source_arn}
        updated = replace(
            record,
            function=function or record.function,
            document=rules.plan_update(record.kind, record.document, given),
            state=machine.step(record.state, machine.change(record.enabled, enabled)),
            enabled=enabled,
            modified_at_s=tools.clock.now_s(),
        )
        # A mapping outlives its function, and can be disabled then too.
        if function is not None:
            _check_function(db, updated)
        _check_single(db, updated)
        return updated

    def store(db: Connection) -> MappingRecord:
        updated = plan(db)
        records.save(db, updated)
        return updated

    planned = await tools.store.read(plan)
    # It outlives its source too.
    if planned.enabled:
        await _check_source(tools, planned, must_exist=function is not None)
    return described(await tools.store.tx(store))


async def delete_event_source_mapping(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """DeleteEventSourceMapping: gone soon after the answer."""

    def store(db: Connection) -> MappingRecord:
        record = _found(db, context, params["UUID"])
        machine.check_changeable(record.state, "delete")
        deleting = replace(record, state=machine.step(record.state, Event.DELETE))
        records.save(db, deleting)
        return deleting

    return described(await tools.store.tx(store))


def get_tagged(db: Connection, context: RequestContext, arn: str) -> MappingRecord:
    """The mapping that an ARN names.

    Raises:
        AwsError: ResourceNotFoundException; recorded text.
    """
    _, _, _, region, account, _, mapping_id, *_ = [*arn.split(":"), ""]
    if (account, region) == (context.account, context.region):
        record = records.find(db, MappingKey(account, region, mapping_id))
        if record is not None:
            return record
    raise not_found(f"Event source mapping not found: {arn}")


def described(record: MappingRecord) -> dict[str, Any]:
    """An EventSourceMappingConfiguration."""
    kind: Kind = record.kind
    document: dict[str, Any] = {
        **record.document,
        "UUID": record.key.id,
        "EventSourceMappingArn": record.key.arn,
        "FunctionArn": record.function.arn,
        "LastModified": record.modified_at_s,
        "State": str(record.state),
        "StateTransitionReason": kind.reason,
    }
    if record.source_arn is not None:
        document["EventSourceArn"] = record.source_arn
    if not kind.name.startswith("sqs"):
        document["LastProcessingResult"] = "No records processed"
    return document


def _found(db: Connection, context: RequestContext, mapping_id: str) -> MappingRecord:
    record = records.find(db, MappingKey(context.account, context.region, mapping_id))
    if record is None:
        raise no_such_resource()
    return record


def _check_function(db: Connection, record: MappingRecord) -> None:
    """Refuse a function that is not there, or that cannot have the mapping."""
    try:
        version = get_version(db, record.function)
    except AwsError as err:
        raise invalid_parameter("Function does not exist") from err
    rules.check_function(record.kind, version.configuration)


async def _check_source(tools: Tools, record: MappingRecord, *, must_exist: bool) -> None:
    """Refuse a source that the function cannot read. ``must_exist``: so must the function."""

    def configuration(db: Connection) -> Mapping[str, Any] | None:
        if must_exist:
            _check_function(db, record)
        try:
            return get_version(db, record.function).configuration
        except AwsError:
            return None

    if not tools.sources.offers(record.kind.name):
        return
    function = await tools.store.read(configuration)
    if function is not None:
        await check_source(tools.sources, record, function["Role"], function["Timeout"])


def _check_single(db: Connection, record: MappingRecord) -> None:
    """Refuse a mapping of what the function reads already."""
    same = records.find_same(db, record)
    if same is not None:
        raise rules.duplicate(
            record.kind, record.source_arn, record.document, record.function.arn, same.key.id
        )
