"""What a client of a function URL hears when there is no answer of the function. Pure.

Source: recorded answers of function URLs; where a comment says so, the form is ours.
"""

from __future__ import annotations

from typing import Any

import orjson

from alonzo.edge.function_urls.result import Answer, Headers
from alonzo.edge.sigv4.refusals import AuthFailure, refuse
from alonzo.model.errors import AwsError

_HELP = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"

_JSON = ("content-type", "application/json")

#: The function failed, took too long, or answered what is no response.
BAD_GATEWAY = Answer(502, [_JSON], b"Internal Server Error")

#: Refusals of the invoker that the client hears as such. All others are a 502: that a function
#: cannot run is no business of whoever calls its URL.
_PASSED_ON = {"TooManyRequestsException": 429, "RequestEntityTooLargeException": 413}


class RefusedError(Exception):
    """A call goes no further. ``answer`` is what its client hears."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def unknown_url() -> Answer:
    """There is no such URL."""
    return _refusal(403, "AccessDeniedException", {"Message": None})


def forbidden() -> Answer:
    """The caller may not call."""
    message = f"Forbidden. For troubleshooting Function URL authorization issues, see: {_HELP}"
    return _refusal(403, "AccessDeniedException", {"Message": message})


def unauthenticated(failure: AuthFailure) -> Answer:
    """The signature is wrong, in the words of the Lambda API."""
    error = refuse(failure, "rest-json")
    return _refusal(error.status or 403, error.code, {"message": error.message})


def too_large(bytes_max: int) -> Answer:
    """The request, or the event that it becomes, is over the limit. The form is ours."""
    message = f"Request must be smaller than {bytes_max} bytes for the InvokeFunction operation"
    return _refusal(413, "RequestEntityTooLargeException", {"message": message})


def not_invoked(error: AwsError) -> Answer:
    """The invoker refused the call before any code ran."""
    status = _PASSED_ON.get(error.code)
    if status is None:
        return BAD_GATEWAY
    answer = _refusal(status, error.code, {**error.members, "message": error.message})
    answer.headers.extend((name.lower(), value) for name, value in error.headers.items())
    return answer


def _refusal(status: int, code: str, document: dict[str, Any]) -> Answer:
    headers: Headers = [_JSON, ("x-amzn-errortype", code)]
    return Answer(status, headers, orjson.dumps(document))
