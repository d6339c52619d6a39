"""Function URLs: one for a function, one for each of its aliases. Source: Lambda API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import aliases, paging
from alonzo.control.api.addressing import addressed, get_version, unqualified
from alonzo.control.function_urls import records, rules
from alonzo.control.function_urls.records import UrlRecord
from alonzo.control.records import find_function
from alonzo.control.refusals import no_such_resource
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionRef
from alonzo.model.context import RequestContext
from alonzo.model.function_urls import BUFFERED
from alonzo.store.base import Connection


async def create_function_url_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """CreateFunctionUrlConfig: the id is new, cannot be guessed, and stays until it is deleted."""
    ref = addressed(context, params)
    now_s = tools.clock.now_s()
    plain = UrlRecord(
        id=tools.ids.hex(16),
        key=ref.key,
        alias=ref.qualifier,
        auth_type=params["AuthType"],
        invoke_mode=BUFFERED,
        cors=None,
        created_at_s=now_s,
        modified_at_s=now_s,
    )
    record = rules.applied(plain, params, now_s=now_s)

    def store(db: Connection) -> None:
        if find_function(db, ref.key) is None:
            raise rules.function_missing()
        if ref.qualifier is not None and aliases.find(db, ref.key, ref.qualifier) is None:
            raise rules.function_missing()
        if records.find(db, ref) is not None:
            raise rules.exists(ref.arn)
        rules.check_tenants(get_version(db, ref).configuration)
        records.insert(db, record)

    await tools.store.tx(store)
    return rules.created(record, context.endpoint)


async def get_function_url_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetFunctionUrlConfig."""
    ref = addressed(context, params)
    record = await tools.store.read(lambda db: _found(db, ref))
    return rules.described(record, context.endpoint)


async def update_function_url_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """UpdateFunctionUrlConfig: what the request leaves out stays as it is."""
    ref = addressed(context, params)
    now_s = tools.clock.now_s()

    def store(db: Connection) -> UrlRecord:
        record = _found(db, ref)
        updated = rules.applied(record, params, now_s=now_s)
        if updated is not record:
            records.save(db, updated)
        return updated

    return rules.described(await tools.store.tx(store), context.endpoint)


async def delete_function_url_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteFunctionUrlConfig. A URL that is made anew has another id."""
    ref = addressed(context, params)
    await tools.store.tx(lambda db: records.delete(db, _found(db, ref)))


async def list_function_url_configs(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListFunctionUrlConfigs: the function's own first, then those of its aliases by name."""
    ref = unqualified(context, params)
    size = paging.page_size(params)
    marker = params.get("Marker")
    after = paging.read_marker("ListFunctionUrlConfigs", params)[0] if marker else None

    def read(db: Connection) -> list[UrlRecord]:
        if find_function(db, ref.key) is None:
            raise rules.function_missing()
        return records.page(db, ref.key, after=after, rows_max=size + 1)

    shown, last = paging.split_page(await tools.store.read(read), size)
    answer: dict[str, Any] = {
        "FunctionUrlConfigs": [rules.described(record, context.endpoint) for record in shown]
    }
    if last is not None:
        answer["NextMarker"] = paging.write_marker("ListFunctionUrlConfigs", (last.alias or "", ""))
    return answer


def _found(db: Connection, ref: FunctionRef) -> UrlRecord:
    record = records.find(db, ref)
    if record is None:
        raise no_such_resource()
    return record
