"""What an account may use and uses. Source: Lambda API, GetAccountSettings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import records
from alonzo.control.concurrency import unreserved
from alonzo.control.tools import Tools
from alonzo.model.context import RequestContext


async def get_account_settings(
    tools: Tools, context: RequestContext, params: dict[str, Any]
) -> Mapping[str, Any]:
    """GetAccountSettings."""
    del params
    settings = tools.settings
    usage = await tools.store.read(
        lambda db: records.find_usage(db, account=context.account, region=context.region)
    )
    return {
        "AccountLimit": {
            "TotalCodeSize": settings.code_storage_bytes_max,
            "CodeSizeUnzipped": settings.unzipped_bytes_max,
            "CodeSizeZipped": settings.zip_bytes_max,
            "ConcurrentExecutions": settings.concurrency,
            "UnreservedConcurrentExecutions": unreserved(usage, account=settings.concurrency),
        },
        "AccountUsage": {
            "TotalCodeSize": usage.code_bytes,
            "FunctionCount": usage.functions,
        },
    }
