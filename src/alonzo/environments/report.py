"""What the platform has to say about an environment: one record, and the line made of it.

A record is what JSON logs and subscribers of telemetry get; the text log has a line for some of
them. Pure: no clock and no I/O; ``reporter.py`` has both.

Source: Lambda developer guide, log formats, log levels and Telemetry API schema; recorded logs
(tabs and the trailing tab included).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import orjson

from alonzo.environments.values import Usage
from alonzo.lib.clock import iso_ms

Record = dict[str, Any]

#: Levels of the system log, by how much they matter.
LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2}

TIMEOUT = "Sandbox.Timedout"

#: A runtime that ends so in the middle of an invocation is a fault, in the old Logs API.
FAULTS = frozenset({"Runtime.ExitError", "Runtime.OutOfMemory"})

_TRACE = re.compile(r"Root=(?P<trace>[^;]+);Parent=(?P<segment>[^;]+);")


def json_line(time: str, kind: str, record: Record) -> str:
    """A line of a JSON log. ``time`` is ISO 8601 with milliseconds."""
    return orjson.dumps({"time": time, "type": kind, "record": record}).decode()


def level_of(kind: str, record: Record) -> str:
    """The level of a record in the system log."""
    good = record.get("status", "success") == "success" and "errorType" not in record
    match kind:
        case "platform.initStart" | "platform.restoreStart":
            return "INFO" if "runtimeVersion" in record else "DEBUG"
        case "platform.initRuntimeDone" | "platform.restoreRuntimeDone" | "platform.runtimeDone":
            return "DEBUG" if good else "WARN"
        case "platform.initReport":
            quiet = "DEBUG" if record["initializationType"] == "on-demand" else "INFO"
            return quiet if good else "WARN"
        case "platform.restoreReport" | "platform.report" | "platform.extension":
            return "INFO" if good else "WARN"
        case "platform.logsDropped":
            return "WARN"
        case _:
            return "INFO"


def status_of(error_type: str | None) -> dict[str, str]:
    """How something ended, as a record's members say it."""
    if error_type is None:
        return {"status": "success"}
    if error_type == TIMEOUT:
        return {"status": "timeout"}
    return {"status": "error", "errorType": error_type}


def _text_status(error_type: str | None, *, in_init: bool = False) -> str:
    """An exception of the handler is its own affair: only errors that have a type show a status.

    So does every failed init.
    """
    if error_type == TIMEOUT:
        return "Status: timeout"
    if error_type is not None and (in_init or not error_type.endswith(".Unknown")):
        return f"Status: error\tError Type: {error_type}"
    return ""


# Initialisation and restore


def init_start_text(name: str, arn: str) -> str:
    """The first line of an environment whose runtime has a version."""
    return f"INIT_START Runtime Version: {name}\tRuntime Version ARN: {arn}"


def init_report_text(init_ms: float, phase: str, error_type: str | None) -> str:
    """How an init ended."""
    status = status_of(error_type)
    error = f"Error Type: {status['errorType']}\t" if "errorType" in status else ""
    return (
        f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\t"
        f"Status: {status['status']}\t{error}"
    )


def restore_start_text(name: str, arn: str) -> str:
    """The first line of an environment that was made from a snapshot."""
    return f"RESTORE_START Runtime Version: {name}\tRuntime Version ARN: {arn}"


def restore_report_text(restore_ms: float, error_type: str | None) -> str:
    """How a restore ended."""
    status = _text_status(error_type)
    return f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms" + (status and f"\t{status}")


# Extensions


def extension_text(name: str, state: str, events: Sequence[str], error_type: str | None) -> str:
    """What has become of an extension at the end of init."""
    error = "" if error_type is None else f"\tError Type: {error_type}"
    return f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{', '.join(events)}]{error}"


def extension_record(
    name: str, state: str, events: Sequence[str], error_type: str | None
) -> Record:
    """The same as a record."""
    error = {} if error_type is None else {"errorType": error_type}
    return {"name": name, "state": state, "events": list(events), **error}


def subscription_text(api: str, name: str, state: str, types: Sequence[str]) -> str:
    """An extension has subscribed: ``api`` is ``Telemetry`` or ``Logs``."""
    listed = ", ".join(kind.capitalize() for kind in types)
    return f"{api.upper()}\tName: {name}\tState: {state}\tTypes: [{listed}]"


# Invocations


def start_lines(request_id: str, version: str) -> tuple[str]:
    """The line before an invocation's own output."""
    return (f"START RequestId: {request_id} Version: {version}",)


def start_record(request_id: str, version: str, trace_header: str, tenant_id: str | None) -> Record:
    """The same as a record. A trace is named only if it is recorded."""
    record: Record = {"requestId": request_id, "version": version}
    if "Sampled=1" in trace_header:
        record["tracing"] = tracing_record(trace_header)
    if tenant_id is not None:
        record["tenantId"] = tenant_id
    return record


def end_text(request_id: str) -> str:
    """The line after an invocation's own output."""
    return f"END RequestId: {request_id}"


def fault_text(request_id: str) -> str:
    """The runtime ended and left an invocation unanswered. Source: developer guide, Logs API."""
    return f"RequestId: {request_id} Process exited before completing request"


def done_record(
    request_id: str,
    error_type: str | None,
    duration_ms: float,
    produced_bytes: int,
    spans: Sequence[Record] = (),
) -> Record:
    """The runtime is done with an event."""
    metrics = {"durationMs": round(duration_ms, 3), "producedBytes": produced_bytes}
    record: Record = {"requestId": request_id, **status_of(error_type), "metrics": metrics}
    if spans:
        record["spans"] = list(spans)
    return record


def response_spans(began_at_s: float, latency_s: float, duration_s: float) -> tuple[Record, ...]:
    """How long the response to an invocation took to begin, and how long it went on.

    The invocation began at ``began_at_s``, epoch seconds.
    """
    return (
        _span("responseLatency", began_at_s, latency_s),
        _span("responseDuration", began_at_s + latency_s, duration_s),
    )


def _span(name: str, start_s: float, duration_s: float) -> Record:
    return {"name": name, "start": iso_ms(start_s), "durationMs": round(duration_s * 1000, 3)}


def end_lines(
    request_id: str, usage: Usage, error_type: str | None, trace_header: str, in_init: bool
) -> tuple[str, str]:
    """The lines after an invocation's own output, where nothing comes between them."""
    return end_text(request_id), report_text(
        request_id, usage, error_type, trace_header, in_init=in_init
    )


def report_text(
    request_id: str,
    usage: Usage,
    error_type: str | None,
    trace_header: str = "",
    *,
    in_init: bool = False,
) -> str:
    """The accounts of an invocation. ``trace_header`` is that of a trace that is recorded.

    ``in_init``: it failed before its handler was called.
    """
    init = "" if usage.init_ms is None else f"Init Duration: {usage.init_ms:.2f} ms\t"
    if usage.restore_ms is not None:
        init = (
            f"Restore Duration: {usage.restore_ms:.2f} ms\t"
            f"Billed Restore Duration: {math.ceil(usage.restore_ms)} ms\t"
        )
    status = "" if error_type is None else _text_status(error_type, in_init=in_init)
    return (
        f"REPORT RequestId: {request_id}\tDuration: {usage.duration_ms:.2f} ms\t"
        f"Billed Duration: {usage.billed_ms} ms\tMemory Size: {usage.memory_mib} MB\t"
        f"Max Memory Used: {usage.peak_memory_mib} MB\t{init}{status}"
        f"{_xray_text(trace_header) if trace_header else ''}"
    )


def _xray_text(trace_header: str) -> str:
    """The second line of a REPORT whose trace is recorded; with it, the REPORT is one event."""
    found = _TRACE.search(trace_header)
    if found is None:
        return ""
    return f"\nXRAY TraceId: {found['trace']}\tSegmentId: {found['segment']}\tSampled: true\t"


def tracing_record(trace_header: str) -> Record:
    """The trace that an invocation is part of, as a member of its records."""
    return {"type": "X-Amzn-Trace-Id", "value": trace_header}


def report_record(request_id: str, usage: Usage, error_type: str | None) -> Record:
    """The same as a record."""
    metrics: dict[str, float] = {
        "durationMs": round(usage.duration_ms, 3),
        "billedDurationMs": usage.billed_ms,
        "memorySizeMB": usage.memory_mib,
        "maxMemoryUsedMB": usage.peak_memory_mib,
    }
    if usage.init_ms is not None:
        metrics["initDurationMs"] = round(usage.init_ms, 3)
    if usage.restore_ms is not None:
        metrics["restoreDurationMs"] = round(usage.restore_ms, 3)
        metrics["billedRestoreDurationMs"] = math.ceil(usage.restore_ms)
    return {"requestId": request_id, **status_of(error_type), "metrics": metrics}
