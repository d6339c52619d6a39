"""Calls that come from no client are told to the audit log like any other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.deliveries import ServiceCall
from alonzo.model.errors import AwsError
from alonzo.model.ports.audit import AuditEvent, AuditLog


async def noted(
    audit: AuditLog | None,
    context: RequestContext,
    call: ServiceCall,
    run: Callable[[], Awaitable[Mapping[str, Any] | None]],
    *,
    invoked_by: str = "",
) -> Mapping[str, Any] | None:
    """Make the call that ``run`` makes, and tell what came of it.

    Raises:
        AwsError: the call's own.
    """
    if audit is None or not audit.wants(call.service, call.operation):
        return await run()

    def note(result: Mapping[str, Any] | None, error: AwsError | None) -> None:
        audit.note_nowait(
            AuditEvent(
                call.service,
                call.operation,
                context.request_id,
                context.account,
                context.region,
                context.principal,
                invoked_by or context.source_ip,
                params=call.params,
                result=result,
                error=None if error is None else (error.code, error.message),
                invoked_by=invoked_by,
            )
        )

    try:
        result = await run()
    except AwsError as error:
        note(None, error)
        raise
    note(result, None)
    return result
