"""Admission before any function code runs, and which events run. Pure.

Source: Lambda API, ``Invoke``; recorded error texts.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping

import orjson

from alonzo.model.errors import AwsError, invalid_parameter
from alonzo.model.invocations import InvocationType
from alonzo.model.limits import (
    ASYNC_PAYLOAD_BYTES_MAX,
    SYNC_PAYLOAD_BYTES_MAX,
)

PAYLOAD_BYTES_MAX = {
    InvocationType.REQUEST_RESPONSE: SYNC_PAYLOAD_BYTES_MAX,
    InvocationType.EVENT: ASYNC_PAYLOAD_BYTES_MAX,
    InvocationType.DRY_RUN: SYNC_PAYLOAD_BYTES_MAX,
}

#: Long enough that a full disk is not hammered, short enough that work goes on soon after it.
STORE_RETRY_S_MAX = 5.0

_ROOT = re.compile(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}")


def check_payload(kind: InvocationType, payload: bytes) -> bytes:
    """The event as the function will get it: JSON, and ``{}`` where there is none.

    Raises:
        RequestEntityTooLargeException: it is longer than its kind may be.
        InvalidRequestContentException: it is not JSON.
    """
    limit = PAYLOAD_BYTES_MAX[kind]
    if len(payload) > limit:
        raise AwsError(
            "RequestEntityTooLargeException",
            f"{len(payload)} byte payload is too large for the {kind} invocation type "
            f"(limit {limit} bytes)",
            status=413,
        )
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


def trace_header(incoming: str | None, now_s: float, random_hex: str, lineage: str) -> str:
    """The trace header of an invocation: the caller's root, or a new one, with a new parent.

    ``random_hex`` has 40 hex digits; ``lineage`` is that of this call (``recursion.py``).
    Source: Lambda developer guide, X-Ray; nobody samples here.
    """
    parent = f"Parent={random_hex[24:40]}"
    if incoming is not None and (root := _ROOT.search(incoming)) is not None:
        sampled = "1" if "Sampled=1" in incoming else "0"
        return f"{root[0]};{parent};Sampled={sampled};Lineage={lineage}"
    return f"Root=1-{int(now_s):08x}-{random_hex[:24]};{parent};Sampled=0;Lineage={lineage}"


def share_slots(waiting: Iterable[str], held: Mapping[str, int], slots: int) -> dict[str, int]:
    """How many more events each waiting function may run, dealt one by one in the given order.

    A function may hold as many slots as are left free beside it: one alone half of them, two a
    third each, and so on. So there is room for a function that comes later, whatever the others do.
    """
    holds = Counter(held)
    free = slots - holds.total()
    shares: Counter[str] = Counter()
    turns = deque(waiting)
    while turns:
        function = turns.popleft()
        if holds[function] < free:
            holds[function] += 1
            shares[function] += 1
            free -= 1
            turns.append(function)
    return dict(shares)


def store_retry_s(failures: int) -> float:
    """How long a step waits after the store has failed it ``failures`` times in a row."""
    return min(0.05 * 2.0 ** min(failures - 1, 9), STORE_RETRY_S_MAX)
