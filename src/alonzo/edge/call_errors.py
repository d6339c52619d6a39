"""Errors of calls, in the protocol of the service that a call is for as far as that is known."""

from __future__ import annotations

import logging

from alonzo.edge.answers import bare_error, sent_as_form
from alonzo.edge.call import Call
from alonzo.edge.http1.incoming import BodyTooLargeError
from alonzo.edge.http1.response import Response
from alonzo.edge.invoke_http import invocation_type, is_invoke, is_stream
from alonzo.edge.protocols import codec_for
from alonzo.edge.routing import Router
from alonzo.edge.s3.gate import SERVICE as S3
from alonzo.model.errors import AwsError
from alonzo.model.payloads import PayloadLimits, payload_too_large

log = logging.getLogger("alonzo.edge")

#: What clients get for a failure of ours. Source: Lambda API; AWS common errors.
_FAILURES = {
    "lambda": ("ServiceException", "An error occurred and the request cannot be processed."),
}
_FAILURE = (
    "InternalFailure",
    "The request processing has failed because of an unknown error, exception or failure.",
)


def failure_of(call: Call) -> AwsError:
    """What is told of a failure of ours: nothing but that it was ours."""
    code, message = _FAILURES.get(call.service or "", _FAILURE)
    return AwsError(code, message, status=500)


def protocol_of(call: Call) -> str:
    """The protocol whose codes a refusal takes; where no service is known, it looks so."""
    if call.service is None:
        return "query" if sent_as_form(call.request) else "rest-json"
    protocol = str(codec_for(call.service, call.request).service.protocol)
    return S3 if call.service == S3 else protocol


def too_large(
    call: Call, large: BodyTooLargeError, router: Router, payloads: PayloadLimits
) -> AwsError:
    """The error for a body that was longer than it may be."""
    head = call.head
    if call.service == "lambda" and (
        is_invoke(head.method, head.raw_path) or is_stream(head.method, head.raw_path)
    ):
        return payload_too_large(large.n_bytes, invocation_type(head), payloads)
    operation = call.service and router.operation_name(call.request, call.service)
    which = f"the {operation} operation" if operation else "this operation"
    return AwsError(
        "RequestEntityTooLargeException",
        f"Request must be smaller than {large.bytes_max} bytes for {which}",
        status=413,
    )


def render_error(call: Call, error: AwsError) -> Response:
    """An error as the service's clients read it."""
    request = call.request
    if call.service is None:
        status = error.status or 400
        return call.response(bare_error(request, status, error.code, error.message))
    codec = codec_for(call.service, request)
    return call.response(codec.render_error(error, call.request_id, call.operation))


def render_failure(call: Call) -> Response:
    """What a client hears of a failure of ours, whatever else fails."""
    error = failure_of(call)
    try:
        return render_error(call, error)
    except Exception:
        log.exception("edge.render_failed", extra={"request_id": call.request_id})
        return call.response(bare_error(call.request, 500, error.code, error.message))
