"""What becomes of a function that calls itself in a loop. Source: Lambda API.

The data plane enforces it; see ``invoke/recursion.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import records
from alonzo.control.api.addressing import get_function_record, unqualified
from alonzo.control.tools import Tools
from alonzo.model.context import RequestContext
from alonzo.store.base import Connection


async def put_function_recursion_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """PutFunctionRecursionConfig."""
    ref = unqualified(context, params)
    wanted: str = params["RecursiveLoop"]

    def store(db: Connection) -> None:
        get_function_record(db, ref)
        records.set_recursive_loop(db, ref.key, wanted)

    await tools.store.tx(store)
    return {"RecursiveLoop": wanted}


async def get_function_recursion_config(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetFunctionRecursionConfig."""
    ref = unqualified(context, params)
    record = await tools.store.read(lambda db: get_function_record(db, ref))
    return {"RecursiveLoop": record.recursive_loop}
