"""When a version's runtime is updated. Source: Lambda API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import records
from alonzo.control.api.addressing import addressed, function_not_found
from alonzo.control.records import VersionRecord
from alonzo.control.runtime_management import DEFAULT, plan_runtime_management, shown
from alonzo.control.tools import Tools
from alonzo.model.arns import LATEST, FunctionRef, runtime_version_arn
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection


async def put_runtime_management_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PutRuntimeManagementConfig, of ``$LATEST`` or a version; a new version inherits it."""
    ref = addressed(context, params)

    def store(db: Connection) -> Mapping[str, Any]:
        record = _version(db, ref)
        config = plan_runtime_management(params, _own_arn(record))
        records.set_runtime_management(db, ref.key, record.version, config)
        return _answer(ref, record, config)

    return await tools.store.tx(store)


async def get_runtime_management_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetRuntimeManagementConfig."""
    ref = addressed(context, params)
    record = await tools.store.read(lambda db: _version(db, ref))
    return _answer(ref, record, record.runtime_management or DEFAULT)


def _version(db: Connection, ref: FunctionRef) -> VersionRecord:
    """The version; an alias does not stand for one here. Source: Lambda API."""
    record = records.find_version(db, ref.key, ref.qualifier or LATEST)
    if record is None:
        raise function_not_found(ref)
    return record


def _own_arn(record: VersionRecord) -> str:
    return runtime_version_arn(record.key.region, record.configuration["Runtime"])


def _answer(
    ref: FunctionRef, record: VersionRecord, config: Mapping[str, str]
) -> Mapping[str, Any]:
    return {"FunctionArn": ref.arn, **shown(config, _own_arn(record))}
