"""The lines that the platform writes into a function's log, as text or as JSON.

Source: Lambda developer guide, log formats; recorded logs (tabs and the trailing tab included).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.environments.values import Usage
from alonzo.lib.clock import iso_ms

_LEVELS = {"DEBUG": 0, "INFO": 1, "WARN": 2}


@dataclass(frozen=True, slots=True)
class PlatformLines:
    """Writes the platform's lines in the format that the function's logging configuration asks for.

    Each method answers a line without its end, or None where the level filters it out.
    """

    function_name: str
    version: str
    json_format: bool
    system_level: str = "INFO"

    def init_start(self, now_s: float, *, name: str, arn: str) -> str | None:
        """The first line of an environment whose runtime has a version."""
        if not self.json_format:
            return f"INIT_START Runtime Version: {name}\tRuntime Version ARN: {arn}"
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "functionName": self.function_name,
            "functionVersion": self.version,
            "runtimeVersion": name,
            "runtimeVersionArn": arn,
        }
        return self._json(now_s, "INFO", "platform.initStart", record)

    def init_done(
        self, now_s: float, *, init_ms: float, phase: str, error_type: str | None
    ) -> tuple[str | None, ...]:
        """How an initialisation ended. In text only one that failed has a line."""
        status = _status(error_type)
        if self.json_format:
            level = "DEBUG" if error_type is None else "WARN"
            facts = {"initializationType": "on-demand", "phase": phase, **status}
            report = {**facts, "metrics": {"durationMs": round(init_ms, 3)}}
            return (
                self._json(now_s, level, "platform.initRuntimeDone", facts),
                self._json(now_s, level, "platform.initReport", report),
            )
        if error_type is None:
            return ()
        error = f"Error Type: {status['errorType']}\t" if "errorType" in status else ""
        return (
            f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\t"
            f"Status: {status['status']}\t{error}",
        )

    def start(self, now_s: float, request_id: str) -> str | None:
        """The line before an invocation's own output."""
        if not self.json_format:
            return f"START RequestId: {request_id} Version: {self.version}"
        record = {"requestId": request_id, "version": self.version}
        return self._json(now_s, "INFO", "platform.start", record)

    def end(self, now_s: float, request_id: str, error_type: str | None, ms: float) -> str | None:
        """The line after an invocation's own output."""
        if not self.json_format:
            return f"END RequestId: {request_id}"
        level = "DEBUG" if error_type is None else "WARN"
        metrics = {"durationMs": round(ms, 3)}
        record = {"requestId": request_id, **_status(error_type), "metrics": metrics}
        return self._json(now_s, level, "platform.runtimeDone", record)

    def report(
        self, now_s: float, request_id: str, usage: Usage, error_type: str | None
    ) -> str | None:
        """The accounts of an invocation."""
        if not self.json_format:
            init = "" if usage.init_ms is None else f"Init Duration: {usage.init_ms:.2f} ms\t"
            return (
                f"REPORT RequestId: {request_id}\tDuration: {usage.duration_ms:.2f} ms\t"
                f"Billed Duration: {usage.billed_ms} ms\tMemory Size: {usage.memory_mib} MB\t"
                f"Max Memory Used: {usage.peak_memory_mib} MB\t{init}{_text_status(error_type)}"
            )
        metrics: dict[str, float] = {
            "durationMs": round(usage.duration_ms, 3),
            "billedDurationMs": usage.billed_ms,
            "memorySizeMB": usage.memory_mib,
            "maxMemoryUsedMB": usage.peak_memory_mib,
        }
        if usage.init_ms is not None:
            metrics["initDurationMs"] = round(usage.init_ms, 3)
        record = {"requestId": request_id, **_status(error_type), "metrics": metrics}
        level = "INFO" if error_type is None else "WARN"
        return self._json(now_s, level, "platform.report", record)

    def _json(self, now_s: float, level: str, kind: str, record: Mapping[str, Any]) -> str | None:
        if _LEVELS[level] < _LEVELS[self.system_level]:
            return None
        document = {"time": iso_ms(now_s), "type": kind, "record": record}
        return json.dumps(document, separators=(",", ":"))


def _status(error_type: str | None) -> dict[str, str]:
    if error_type is None:
        return {"status": "success"}
    if error_type == "Sandbox.Timedout":
        return {"status": "timeout"}
    return {"status": "error", "errorType": error_type}


def _text_status(error_type: str | None) -> str:
    """An exception of the handler is its own affair: only errors that have a type show a status."""
    if error_type == "Sandbox.Timedout":
        return "Status: timeout"
    if error_type is not None and not error_type.endswith(".Unknown"):
        return f"Status: error\tError Type: {error_type}"
    return ""
