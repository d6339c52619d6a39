"""What a dead letter says of the event in it. Pure.

The message is the event as it came, with three attributes: ``RequestID``, ``ErrorCode`` (a number:
an HTTP status, 200 if the function itself failed) and ``ErrorMessage``. Source: Lambda developer
guide, dead-letter queues. Without a code, and with this text: *observed* where a reservation is 0,
in public records of AWS's answers. What is said of an event that grew too old unrun is ours.
"""

from __future__ import annotations

import re
from typing import cast

import orjson

from alonzo.invoke.event_life import Condition, Over, Run
from alonzo.model.deliveries import DeadLetter
from alonzo.model.errors import AwsError
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX, DEAD_LETTER_ERROR_BYTES_MAX

_RESERVED_ZERO = (
    "Function not invoked. Function isconfigured with zero reserved concurrent executions"
)
_RATE_EXCEEDED = "Rate Exceeded."
#: What SQS refuses in an attribute: all that XML 1.0 has no place for.
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: The status of each refusal that can end an event, as Lambda's model has it; 500 for all others.
_STATUS = {
    "AccessDeniedException": 403,
    "InvalidParameterValueException": 400,
    "InvalidRuntimeException": 502,
    "InvalidZipFileException": 502,
    "RecursiveInvocationException": 400,
    "ResourceConflictException": 409,
    "ResourceNotFoundException": 404,
    "TooManyRequestsException": 429,
}


def dead_letter(
    request_id: str, over: Over, last: Run | None, refusal: Exception | None
) -> DeadLetter:
    """What is said of an event that is over.

    ``last`` is its last run that ended, ``refusal`` why its last try came to nothing; None if there
    was none.
    """
    code, message = _error(over, last, refusal)
    return DeadLetter(request_id, code, shortened(message))


def shortened(message: str) -> str:
    """As much of a message as a dead letter holds. It is never empty, as no attribute may be.

    Characters that no attribute may have are replaced: a function can raise any text, and its dead
    letter is to arrive.
    """
    fit = _UNFIT.sub("\ufffd", message)
    return fit.encode()[:DEAD_LETTER_ERROR_BYTES_MAX].decode(errors="ignore") or "-"


def _error(over: Over, last: Run | None, refusal: Exception | None) -> tuple[int | None, str]:
    if over.condition is Condition.ZERO_RESERVED_CONCURRENCY:
        return None, _RESERVED_ZERO
    if last is not None:
        return 200, _message(last.payload)
    if isinstance(refusal, AwsError):
        return _STATUS.get(refusal.code, 500), refusal.message
    if refusal is not None:
        return 500, "The function could not be run."
    return 429, _RATE_EXCEEDED


def _message(answer: bytes) -> str:
    """The message in an error document; the answer itself where there is none."""
    message = _stated(answer) if len(answer) <= ASYNC_PAYLOAD_BYTES_MAX else None
    return (
        answer[:DEAD_LETTER_ERROR_BYTES_MAX].decode(errors="replace")
        if message is None
        else message
    )


def _stated(answer: bytes) -> str | None:
    try:
        document: object = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    message = cast("dict[str, object]", document).get("errorMessage")
    return message if isinstance(message, str) else None
