"""The code signing configuration of a function. Source: Lambda API; recorded texts where noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control.api.addressing import get_function_record, unqualified
from alonzo.control.code_signing import records, rules
from alonzo.control.code_signing.records import ConfigRecord
from alonzo.control.tools import Tools
from alonzo.model.arns import FunctionKey
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection


async def put_function_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PutFunctionCodeSigningConfig: it concerns the code that comes next, not what is there."""
    ref = unqualified(context, params)
    arn = params["CodeSigningConfigArn"]

    def store(db: Connection) -> None:
        config = config_for_function(db, context, arn)
        get_function_record(db, ref)
        records.attach(db, ref.key, config.key)

    await tools.store.tx(store)
    return {"CodeSigningConfigArn": arn, "FunctionName": ref.key.name}


async def get_function_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetFunctionCodeSigningConfig. Recorded: a function without one gets an empty answer."""
    ref = unqualified(context, params)

    def read(db: Connection) -> ConfigRecord | None:
        get_function_record(db, ref)
        return records.find_attached(db, ref.key)

    config = await tools.store.read(read)
    if config is None:
        return {}
    return {"CodeSigningConfigArn": config.key.arn, "FunctionName": ref.key.name}


async def delete_function_code_signing_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteFunctionCodeSigningConfig. Recorded: a function without one is no error."""
    ref = unqualified(context, params)

    def store(db: Connection) -> None:
        get_function_record(db, ref)
        records.detach(db, ref.key)

    await tools.store.tx(store)


def admit_new(
    db: Connection, context: RequestContext, params: Mapping[str, Any]
) -> ConfigRecord | None:
    """The configuration that CreateFunction asks for, if it takes the function's code.

    Raises:
        AwsError: as ``config_for_function``, or CodeVerificationFailedException.
    """
    arn = params.get("CodeSigningConfigArn")
    config = config_for_function(db, context, arn) if arn else None
    rules.check_unsigned(config, params["FunctionName"])
    return config


def check_update(db: Connection, key: FunctionKey, params: Mapping[str, Any]) -> None:
    """Refuse an update that brings code or layers, where signatures are enforced.

    Raises:
        AwsError: CodeVerificationFailedException.
    """
    rules.check_unsigned(records.find_attached(db, key), params["FunctionName"])


def config_for_function(db: Connection, context: RequestContext, arn: str) -> ConfigRecord:
    """The configuration that a function is to get.

    Raises:
        AwsError: CodeSigningConfigNotFoundException, or AccessDeniedException.
    """
    record = records.find(db, rules.parse_config(arn, context))
    if record is None:
        raise rules.missing_for_function(arn)
    return record
