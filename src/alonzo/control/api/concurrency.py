"""Reserve concurrency for a function. Source: Lambda API; recorded texts.

The data plane enforces it: a reservation is the function's ceiling, and nobody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import records
from alonzo.control.api.addressing import get_function_record, unqualified
from alonzo.control.concurrency import check_reservation
from alonzo.control.provisioned import records as provisioned_records
from alonzo.control.provisioned import rules as provisioned_rules
from alonzo.control.tools import Tools
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection


async def put_function_concurrency(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PutFunctionConcurrency. Changes no revision, and may run beside an update."""
    ref = unqualified(context, params)
    wanted: int = params["ReservedConcurrentExecutions"]

    def store(db: Connection) -> None:
        reserved = get_function_record(db, ref).reserved_concurrency
        provisioned = provisioned_records.total(db, ref.key)
        provisioned_rules.check_reservation(wanted, provisioned)
        usage = records.find_usage(db, account=ref.key.account, region=ref.key.region)
        held = provisioned if reserved is None else reserved
        others = usage.reserved + usage.provisioned - held
        check_reservation(wanted, others=others, account=tools.settings.concurrency)
        records.set_reserved_concurrency(db, ref.key, wanted)

    await tools.store.tx(store)
    return {"ReservedConcurrentExecutions": wanted}


async def get_function_concurrency(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetFunctionConcurrency: an empty document where none is reserved."""
    ref = unqualified(context, params)
    record = await tools.store.read(lambda db: get_function_record(db, ref))
    if record.reserved_concurrency is None:
        return {}
    return {"ReservedConcurrentExecutions": record.reserved_concurrency}


async def delete_function_concurrency(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> None:
    """DeleteFunctionConcurrency. Nothing reserved is no error."""
    ref = unqualified(context, params)

    def store(db: Connection) -> None:
        if get_function_record(db, ref).reserved_concurrency is not None:
            records.set_reserved_concurrency(db, ref.key, None)

    await tools.store.tx(store)
