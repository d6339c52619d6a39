"""The error documents that the platform itself makes, and the cleaning of error types.

Source: recorded responses of AWS Lambda, and the runtime interface emulator's ``fatalerror``.
"""

from __future__ import annotations

import json
import re

import orjson

from alonzo.sandbox.base import ExitStatus

_TYPE = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")

_SIGNALS = {
    1: "hangup", 2: "interrupt", 3: "quit", 4: "illegal instruction", 5: "trace/breakpoint trap",
    6: "aborted", 7: "bus error", 8: "floating point exception", 9: "killed",
    10: "user defined signal 1", 11: "segmentation fault", 12: "user defined signal 2",
    13: "broken pipe", 14: "alarm clock", 15: "terminated",
}  # fmt: skip


def clean_error_type(text: str | None) -> str:
    """The type as telemetry records it: kept when well formed, else its family's unknown."""
    if text is not None and _TYPE.fullmatch(text):
        return text
    return (
        "Function.Unknown"
        if text is not None and text.startswith("Function.")
        else ("Runtime.Unknown")
    )


def error_document(error_type: str, message: str, request_id: str) -> bytes:
    """A document as the platform writes it: the type first."""
    text = f"RequestId: {request_id} Error: {message}"
    return json.dumps(
        {"errorType": error_type, "errorMessage": text}, separators=(",", ":")
    ).encode()


def timeout_document(request_id: str, timeout_s: float) -> bytes:
    """The document of a call that ran into the function's timeout."""
    return error_document(
        "Sandbox.Timedout", f"Task timed out after {timeout_s:.2f} seconds", request_id
    )


def without_cause(document: bytes) -> bytes:
    """What its caller gets of an error that was sent with its cause; that is for traces."""
    try:
        found = orjson.loads(document)
        kept = {name: found[name] for name in ("errorMessage", "errorType") if name in found}
        stack = found.get("stackTrace")
        kept |= {"stackTrace": stack} if stack else {}
        # Both may be of any kind, and too deep to be written.
        return json.dumps(kept, separators=(",", ":")).encode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return b'"Invalid error body"'


def too_large_document(limit_bytes: int) -> bytes:
    """The document of a response past the limit."""
    message = f"Response payload size exceeded maximum allowed payload size ({limit_bytes} bytes)."
    document = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
    return json.dumps(document, separators=(",", ":")).encode()


def describe_exit(status: ExitStatus) -> tuple[str, str]:
    """Error type and message of a runtime process that ended by itself."""
    if status.out_of_memory:
        return "Runtime.OutOfMemory", "Runtime exited with error: signal: killed"
    if status.signal is not None:
        name = _SIGNALS.get(status.signal, f"signal {status.signal}")
        return "Runtime.ExitError", f"Runtime exited with error: signal: {name}"
    if status.code:
        return "Runtime.ExitError", f"Runtime exited with error: exit status {status.code}"
    return "Runtime.ExitError", "Runtime exited without providing a reason"
