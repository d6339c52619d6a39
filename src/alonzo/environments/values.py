"""What goes into an environment and what comes out of it.

What is made anew for every invocation is not frozen: that would treble the cost of making it.
Nobody changes it all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alonzo.environments.intake import Intake
from alonzo.model.limits import (
    DESCRIPTORS_MAX,
    INIT_TIMEOUT_S,
    PROCESSES_MAX,
    RESPONSE_BYTES_MAX,
    SCALING_MAX,
    SCALING_PERIOD_S,
    SHUTDOWN_EXTERNAL_S,
    SHUTDOWN_INTERNAL_S,
)

#: Memory that buys one whole processor. Source: Lambda developer guide, memory and computing power.
MIB_PER_CPU = 1769


@dataclass(slots=True)
class Invocation:
    """One attempt to run a function.

    ``invoked_arn`` is the ARN as the caller addressed it. ``attempt_id`` differs between attempts
    of the same request. ``log_tail`` asks for the last part of the log in the outcome.
    ``caller_trace`` is the trace header that the caller sent; None for an event. ``intake``
    takes a response that comes in pieces; None: the outcome has it whole.
    """

    request_id: str
    attempt_id: str
    invoked_arn: str
    payload: bytes
    trace_header: str
    client_context: str | None = None
    tenant_id: str | None = None
    log_tail: bool = False
    caller_trace: str | None = None
    intake: Intake | None = None


@dataclass(slots=True)
class Usage:
    """What an attempt used; durations in milliseconds, memory in MiB.

    ``restore_ms``: a snapshot was restored for it, in place of an init. ``provisioned``: it ran on
    provisioned concurrency. ``streamed_bytes``: the length of a response that came in pieces.
    """

    duration_ms: float
    billed_ms: int
    init_ms: float | None
    memory_mib: int
    peak_memory_mib: int
    restore_ms: float | None = None
    provisioned: bool = False
    streamed_bytes: int = 0


def billed_ms(duration_ms: float, init_ms: float | None, restore_ms: float | None) -> int:
    """What of an attempt is paid for. A restore is rounded up by itself, an init is not.

    Source: recorded REPORT lines.
    """
    return math.ceil(duration_ms + (init_ms or 0)) + math.ceil(restore_ms or 0)


@dataclass(slots=True)
class Outcome:
    """How an attempt ended.

    ``error_type`` is None for success; else the type that the platform records, and ``payload`` is
    the error document.
    """

    payload: bytes
    error_type: str | None
    usage: Usage
    log_tail: bytes | None = None


@dataclass(slots=True)
class Reply:
    """What a runtime answered: a result, or an error document with its type.

    ``too_large`` says that the payload was over the limit of responses; it is empty then.
    """

    payload: bytes
    error_type: str | None = None
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """How environments are kept. AWS's values are the defaults; each may be set higher.

    ``shutdown_internal_s``, ``shutdown_external_s``: how long an environment's end may take with
    internal extensions only, and with an external one; without any it takes none.
    ``freeze_after_s``: an environment that stays idle this long is frozen. AWS freezes at once; the
    short wait keeps a busy one from being frozen and thawed between two calls. It grows up to
    sixteen times where that happens all the same (``freezer.py``).
    ``keep_alive_s``: an idle environment ends after this. ``age_s_max``: no environment serves
    longer, which also bounds the life of its credentials.
    ``parked_floor``: sandboxes kept ready for each runtime in use; demand adds to it.
    ``parked_max``: all that are ready together; ``parked_memory_share``: the part of the host's
    available memory that they may take.
    ``scaling_max``: environments that a function may gain in ``scaling_period_s``, each way: on
    demand, and provisioned.
    ``snap_start_ready``: environments of a version with SnapStart that are ready to be restored.
    ``cpu_limited``: after init an environment has the share of a processor that its memory buys.
    """

    init_timeout_s: float = INIT_TIMEOUT_S
    shutdown_internal_s: float = SHUTDOWN_INTERNAL_S
    shutdown_external_s: float = SHUTDOWN_EXTERNAL_S
    freeze_after_s: float = 0.02
    keep_alive_s: float = 600.0
    age_s_max: float = 6 * 3600.0
    environments_max: int = 1000
    processes_max: int = PROCESSES_MAX
    descriptors_max: int = DESCRIPTORS_MAX
    response_bytes_max: int = RESPONSE_BYTES_MAX
    endpoint_port: int = 4566
    parked_floor: int = 2
    parked_max: int = 128
    parked_memory_share: float = 0.1
    scaling_max: int = SCALING_MAX
    scaling_period_s: float = SCALING_PERIOD_S
    snap_start_ready: int = 1
    cpu_limited: bool = True
