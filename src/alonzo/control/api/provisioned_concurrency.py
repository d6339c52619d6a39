"""Keep environments ready for a version or an alias. Source: Lambda API; recorded texts.

Here it is stored; the data plane makes it so, and says what has become of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control import aliases, paging
from alonzo.control import records as functions
from alonzo.control.api.addressing import (
    addressed,
    function_not_found,
    get_function_record,
    unqualified,
)
from alonzo.control.concurrency import unreserved
from alonzo.control.provisioned import records, rules
from alonzo.control.provisioned.records import ProvisionedRecord
from alonzo.control.records import VersionRecord
from alonzo.control.tools import Tools
from alonzo.model.arns import LATEST, FunctionKey, FunctionRef
from alonzo.model.context import RequestContext
from alonzo.model.errors import not_found
from alonzo.model.provisioned import AllocationStatus
from alonzo.store.base import Connection


async def put_provisioned_concurrency_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PutProvisionedConcurrencyConfig. It is under way when this answers, whatever was before."""
    ref = addressed(context, params)
    qualifier = ref.qualifier or LATEST
    record = ProvisionedRecord(
        ref.key,
        qualifier,
        params["ProvisionedConcurrentExecutions"],
        tools.ids.uuid(),
        tools.clock.now_s(),
    )
    if qualifier == LATEST:
        raise rules.unpublished()

    def store(db: Connection) -> None:
        version = _version(db, ref)
        if rules.is_alias(qualifier):
            alias = aliases.find(db, ref.key, qualifier)
            assert alias is not None
            rules.check_alias(alias)
        rules.check_version(version)
        _check_amount(tools, db, record)
        rules.check_free(qualifier, records.users_of_version(db, ref.key, version.version))
        records.put(db, record, is_alias=rules.is_alias(qualifier))

    await tools.store.tx(store)
    allocation = tools.provisioned.allocation(ref.key, qualifier, record.revision_id)
    # However fast that was: a caller waits for the end of what it sees begin.
    under_way = replace(allocation, status=AllocationStatus.IN_PROGRESS, reason=None)
    return rules.described(record, under_way)


async def get_provisioned_concurrency_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetProvisionedConcurrencyConfig."""
    ref = addressed(context, params)
    qualifier = rules.check_published(ref)

    def read(db: Connection) -> ProvisionedRecord:
        _version(db, ref)
        record = records.find(db, ref.key, qualifier)
        if record is None:
            raise rules.missing()
        return record

    return _described(tools, await tools.store.read(read))


async def list_provisioned_concurrency_configs(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListProvisionedConcurrencyConfigs, by qualifier."""
    ref = unqualified(context, params)
    size = paging.page_size(params)
    after = paging.read_marker("ListProvisionedConcurrencyConfigs", params)[0]

    def read(db: Connection) -> list[ProvisionedRecord]:
        get_function_record(db, ref)
        return records.page(db, ref.key, after=after, rows_max=size + 1)

    shown, last = paging.split_page(await tools.store.read(read), size)
    answer: dict[str, Any] = {
        "ProvisionedConcurrencyConfigs": [
            {"FunctionArn": record.key.qualified(record.qualifier), **_described(tools, record)}
            for record in shown
        ]
    }
    if last is not None:
        answer["NextMarker"] = paging.write_marker(
            "ListProvisionedConcurrencyConfigs", (last.qualifier, "")
        )
    return answer


async def delete_provisioned_concurrency_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteProvisionedConcurrencyConfig. None that is there is no error, its version must be."""
    ref = addressed(context, params)
    qualifier = rules.check_published(ref)

    def store(db: Connection) -> None:
        _version(db, ref)
        records.delete(db, ref.key, qualifier)

    await tools.store.tx(store)


def _version(db: Connection, ref: FunctionRef) -> VersionRecord:
    """The version that ``ref`` means, which names one or an alias of one.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    qualifier = ref.qualifier or LATEST
    if rules.is_alias(qualifier):
        alias = aliases.find(db, ref.key, qualifier)
        if alias is None:
            raise not_found(f"Cannot find alias arn: {ref.key.qualified(qualifier)}")
        qualifier = alias.version
    version = functions.find_version(db, ref.key, qualifier)
    if version is None:
        raise function_not_found(ref)
    return version


def _check_amount(tools: Tools, db: Connection, record: ProvisionedRecord) -> None:
    function = get_function_record(db, FunctionRef(record.key, None))
    before = records.find(db, record.key, record.qualifier)
    held = 0 if before is None else before.requested
    rules.check_amount(
        record.requested,
        beside=records.total(db, record.key) - held,
        reserved=function.reserved_concurrency,
        unreserved=_unreserved(tools, db, record.key) + held,
        account=tools.settings.concurrency,
    )


def _unreserved(tools: Tools, db: Connection, key: FunctionKey) -> int:
    usage = functions.find_usage(db, account=key.account, region=key.region)
    return unreserved(usage, account=tools.settings.concurrency)


def _described(tools: Tools, record: ProvisionedRecord) -> Mapping[str, Any]:
    allocation = tools.provisioned.allocation(record.key, record.qualifier, record.revision_id)
    return rules.described(record, allocation)
