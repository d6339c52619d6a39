"""Code signing configurations. Source: Lambda API; recorded texts where noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control import documents, paging
from alonzo.control import rules as function_rules
from alonzo.control.code_signing import records, rules
from alonzo.control.code_signing.records import ConfigKey, ConfigRecord
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionKey
from alonzo.model.context import RequestContext
from alonzo.model.errors import conflict
from alonzo.store.base import Connection


async def create_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """CreateCodeSigningConfig."""
    config_id = f"csc-{tools.ids.hex(rules.ID_CHARS)[-rules.ID_CHARS :]}"
    record = ConfigRecord(
        key=ConfigKey(context.account, context.region, config_id),
        document=rules.plan_document({}, params, modified=_now(tools)),
        tags=function_rules.plan_tags({}, params.get("Tags") or {}),
    )
    await tools.store.tx(lambda db: records.insert(db, record))
    return {"CodeSigningConfig": _described(record)}


async def get_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetCodeSigningConfig."""
    arn = params["CodeSigningConfigArn"]
    record = await tools.store.read(lambda db: get_config(db, context, arn))
    return {"CodeSigningConfig": _described(record)}


async def update_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """UpdateCodeSigningConfig: it concerns what functions get from now on."""

    def store(db: Connection) -> ConfigRecord:
        record = get_config(db, context, params["CodeSigningConfigArn"])
        document = rules.plan_document(record.document, params, modified=_now(tools))
        updated = replace(record, document=document)
        records.save(db, updated)
        return updated

    return {"CodeSigningConfig": _described(await tools.store.tx(store))}


async def delete_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteCodeSigningConfig. One that a function has stays."""
    arn = params["CodeSigningConfigArn"]

    def store(db: Connection) -> None:
        key = get_config(db, context, arn).key
        if records.functions_of(db, key, after="", rows_max=1):
            # AWS documents the rule; this text is ours.
            raise conflict(f"The code signing configuration is in use by a function: {arn}.")
        records.delete(db, key)

    await tools.store.tx(store)


async def list_code_signing_configs(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListCodeSigningConfigs, by id."""
    size = paging.page_size(params)
    after = paging.read_marker("ListCodeSigningConfigs", params)[0]
    rows = await tools.store.read(
        lambda db: records.page(
            db, account=context.account, region=context.region, after=after, rows_max=size + 1
        )
    )
    shown, last = paging.split_page(rows, size)
    answer: dict[str, Any] = {"CodeSigningConfigs": [_described(record) for record in shown]}
    if last is not None:
        answer["NextMarker"] = paging.write_marker("ListCodeSigningConfigs", (last.key.id, ""))
    return answer


async def list_functions_by_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """ListFunctionsByCodeSigningConfig, by name."""
    size = paging.page_size(params)
    after = paging.read_marker("ListFunctionsByCodeSigningConfig", params)[0]

    def read(db: Connection) -> list[FunctionKey]:
        key = get_config(db, context, params["CodeSigningConfigArn"]).key
        return records.functions_of(db, key, after=after, rows_max=size + 1)

    shown, last = paging.split_page(await tools.store.read(read), size)
    answer: dict[str, Any] = {"FunctionArns": [function.arn for function in shown]}
    if last is not None:
        answer["NextMarker"] = paging.write_marker(
            "ListFunctionsByCodeSigningConfig", (last.name, "")
        )
    return answer


def get_config(db: Connection, context: RequestContext, arn: str) -> ConfigRecord:
    """The configuration that an ARN names.

    Raises:
        AwsError: ResourceNotFoundException, or as ``parse_config``.
    """
    record = records.find(db, rules.parse_config(arn, context))
    if record is None:
        raise rules.missing(arn)
    return record


def _now(tools: Tools) -> str:
    return documents.timestamp(tools.clock.now_s())


def _described(record: ConfigRecord) -> dict[str, Any]:
    return {
        **record.document,
        "CodeSigningConfigId": record.key.id,
        "CodeSigningConfigArn": record.key.arn,
    }
