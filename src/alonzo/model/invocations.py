"""One invocation, from the door to the environment and back.

Neither record is frozen: that would treble the cost of making it, for each call. Nobody changes
one all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alonzo.model.context import Principal


class InvocationType(StrEnum):
    """How the caller wants the function run. Source: Lambda API, ``Invoke``."""

    REQUEST_RESPONSE = "RequestResponse"
    EVENT = "Event"
    DRY_RUN = "DryRun"


@dataclass(slots=True)
class InvokeRequest:
    """One ``Invoke`` call.

    ``account`` is the function's: another one than the principal's only if the name says so and
    the authorizer was asked. ``function_name`` and ``qualifier`` are as the caller wrote them.
    ``client_context`` is the decoded JSON text. ``payload`` is kept byte for byte. ``is_record``:
    the payload is the record of another event, and this function its destination.
    """

    request_id: str
    account: str
    region: str
    function_name: str
    qualifier: str | None
    invocation_type: InvocationType
    payload: bytes
    principal: Principal
    log_tail: bool = False
    client_context: str | None = None
    trace_header: str | None = None
    tenant_id: str | None = None
    is_record: bool = False


@dataclass(slots=True)
class InvokeResult:
    """What ``Invoke`` answers. ``function_error`` is None or ``Unhandled``; ``log_tail`` raw."""

    status: int
    payload: bytes = b""
    executed_version: str | None = None
    function_error: str | None = None
    log_tail: bytes | None = None
    trace_header: str | None = None
