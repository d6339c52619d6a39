"""Spans of invocations, and the document that carries them (OTLP over HTTP, in JSON). Pure.

Source: OpenTelemetry protocol specification, OTLP/HTTP and its JSON encoding; semantic conventions
for functions as a service and for AWS Lambda.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo import __version__
from alonzo.environments.values import Invocation, Outcome
from alonzo.invoke.directory import Target
from alonzo.model.arns import FunctionRef

_ROOT = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24})")
_PARENT = re.compile(r"Parent=([0-9a-f]{16})(?:;|$)")

_SERVER, _ERROR = 2, 2


@dataclass(frozen=True, slots=True)
class Span:
    """One invocation. Times are epoch seconds; ids are in hex.

    ``parent`` is the caller's span, if it named one.
    """

    trace_id: str
    id: str
    parent: str | None
    function: str
    version: str
    invoked_arn: str
    region: str
    account: str
    request_id: str
    began_at_s: float
    ended_at_s: float
    cold: bool
    error_type: str | None


def span_of(
    ref: FunctionRef,
    target: Target,
    invocation: Invocation,
    outcome: Outcome,
    began_at_s: float,
    ended_at_s: float,
    *,
    is_event: bool,
) -> Span:
    """The span of an attempt.

    It is the parent that the invocation's trace header names, so what the function calls belongs
    below it. The attempts of an event share that header: there each has an id of its own.
    """
    root = _ROOT.search(invocation.trace_header)
    assert root is not None, "the header is one of ours"
    key, own = ref.key, parent_of(invocation.trace_header)
    if own is None or is_event:
        own = invocation.attempt_id.replace("-", "")[-16:]
    return Span(
        root[1] + root[2],
        own,
        parent_of(invocation.caller_trace),
        key.name,
        target.version.version,
        invocation.invoked_arn,
        key.region,
        key.account,
        invocation.request_id,
        began_at_s,
        ended_at_s,
        outcome.usage.init_ms is not None or outcome.usage.restore_ms is not None,
        outcome.error_type,
    )


def parent_of(trace_header: str | None) -> str | None:
    """The span that a trace header names."""
    found = None if trace_header is None else _PARENT.search(trace_header)
    return None if found is None else found[1]


def document(spans: Iterable[Span]) -> bytes:
    """The body of an export request."""
    resource = {"service.name": "alonzo", "service.version": __version__, "cloud.provider": "aws"}
    return orjson.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _attributes(resource)},
                    "scopeSpans": [
                        {
                            "scope": {"name": "alonzo.invoke", "version": __version__},
                            "spans": [_span(span) for span in spans],
                        }
                    ],
                }
            ]
        }
    )


def _span(span: Span) -> dict[str, Any]:
    attributes = {
        "faas.name": span.function,
        "faas.version": span.version,
        "faas.invocation_id": span.request_id,
        "faas.coldstart": span.cold,
        "aws.lambda.invoked_arn": span.invoked_arn,
        "cloud.region": span.region,
        "cloud.account.id": span.account,
    }
    if span.error_type is not None:
        attributes["error.type"] = span.error_type
    shown: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.id,
        "name": span.function,
        "kind": _SERVER,
        "startTimeUnixNano": str(round(span.began_at_s * 1_000_000) * 1000),
        "endTimeUnixNano": str(round(span.ended_at_s * 1_000_000) * 1000),
        "attributes": _attributes(attributes),
        "status": {} if span.error_type is None else {"code": _ERROR},
    }
    if span.parent is not None:
        shown["parentSpanId"] = span.parent
    return shown


def _attributes(values: Mapping[str, str | bool]) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "value": {"boolValue": value} if isinstance(value, bool) else {"stringValue": value},
        }
        for key, value in values.items()
    ]
