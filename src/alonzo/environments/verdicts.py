"""What the caller of an invocation hears, by what became of it. Pure.

Each verdict is a payload and an error type; the type is None for success.
"""

from __future__ import annotations

from alonzo.environments import errors
from alonzo.environments.inits import TIMEOUT
from alonzo.environments.signals import Failed, Lost, Signal, TimedOut
from alonzo.environments.values import Reply


def judge_reply(reply: Reply, bytes_max: int) -> tuple[bytes, str | None]:
    """The runtime has answered. ``bytes_max`` is the limit of this response."""
    if reply.too_large or len(reply.payload) > bytes_max:
        return errors.too_large_document(bytes_max), "Function.ResponseSizeTooLarge"
    if reply.error_type is None:
        return reply.payload, None
    return reply.payload, errors.clean_error_type(reply.error_type)


def judge_end(signal: Signal, request_id: str, timeout_s: float) -> tuple[bytes, str] | None:
    """The runtime is lost; None: the environment was ended, and nobody is to hear of it so."""
    match signal:
        case Lost(status):
            error_type, message = errors.describe_exit(status)
        case Failed(error_type, message):
            pass
        case TimedOut():
            return errors.timeout_document(request_id, timeout_s), TIMEOUT
        case _:
            return None
    return errors.error_document(error_type, message, request_id), error_type
