"""Admission before any function code runs, and which events run. Pure.

Source: Lambda API, ``Invoke``; recorded error texts.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import orjson

from alonzo.model.errors import AwsError, invalid_parameter
from alonzo.model.invocations import InvocationType
from alonzo.model.payloads import PayloadLimits, payload_too_large

_ROOT = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")
_SAMPLED = re.compile(r"(?:^|;)\s*Sampled=([01])(?:;|\s|$)")


def check_payload(kind: InvocationType, payload: bytes, limits: PayloadLimits) -> bytes:
    """The event as the function will get it: JSON, and ``{}`` where there is none.

    Raises:
        RequestEntityTooLargeException: it is longer than its kind may be.
        InvalidRequestContentException: it is not JSON.
    """
    if len(payload) > limits.of(kind):
        raise payload_too_large(len(payload), kind, limits)
    if not payload:
        return b"{}"
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as err:
        raise AwsError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {err}",
            members={"Type": "User"},
        ) from err
    return payload


def check_tenant(isolated: bool, tenant_id: str | None) -> None:
    """A tenant is named if, and only if, the function keeps its tenants apart.

    Source: Lambda developer guide, tenant isolation; the texts are ours.
    """
    if isolated and tenant_id is None:
        raise invalid_parameter("The function isolates tenants: name one in X-Amz-Tenant-Id.")
    if tenant_id is not None and not isolated:
        raise invalid_parameter(
            "The function does not isolate tenants: leave X-Amz-Tenant-Id out of the request."
        )


def trace_header(
    incoming: str | None,
    now_s: float,
    random_hex: str,
    lineage: str,
    *,
    samples: Callable[[], bool] | None = None,
) -> str:
    """The trace header of an invocation: the caller's root, or a new one, with a new parent.

    ``random_hex`` has 40 hex digits; ``lineage`` is that of this call (``recursion.py``).
    What the caller has decided of sampling holds. Where it left that open, ``samples`` is asked:
    the function has active tracing; without one, nobody samples.
    Source: Lambda developer guide, X-Ray, sampling.
    """
    if incoming is not None and (decided := _SAMPLED.search(incoming)) is not None:
        sampled = decided[1]
    else:
        sampled = "1" if samples is not None and samples() else "0"
    root = None if incoming is None else _ROOT.search(incoming)
    text = f"Root=1-{int(now_s):08x}-{random_hex[:24]}" if root is None else root[0]
    return f"{text};Parent={random_hex[24:40]};Sampled={sampled};Lineage={lineage}"
