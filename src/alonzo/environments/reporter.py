"""Everything that is told about one environment: into its log, and to those who subscribed.

One record is the source of both. Where nobody subscribes and the log is text, which is the usual
case, no record is made, and what follows an invocation is one write.

The system log level filters JSON logs only, the application's likewise, and neither telemetry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alonzo.environments import report
from alonzo.environments.journal import Journal
from alonzo.environments.output import OutputEvent, is_shown
from alonzo.environments.report import Record
from alonzo.environments.telemetry.hub import Telemetry
from alonzo.environments.values import Invocation, Usage
from alonzo.lib.clock import Clock, iso_ms
from alonzo.model.functions import ServingVersion
from alonzo.model.limits import MIB
from alonzo.model.metering import Attempt
from alonzo.model.ports.logs import Meter


@dataclass(frozen=True, slots=True)
class OpenReport:
    """An invocation that is answered and not over: extensions are at work.

    ``begin_s`` is of the monotonic clock, ``done_at_s`` of the other.
    """

    request_id: str
    usage: Usage
    error_type: str | None
    begin_s: float
    done_at_s: float


class Reporter:
    """Tells about one environment. ``telemetry`` is None while nobody can be listening."""

    def __init__(
        self,
        version: ServingVersion,
        journal: Journal,
        *,
        clock: Clock,
        meter: Meter | None = None,
        initialization_type: str = "on-demand",
    ) -> None:
        self.telemetry: Telemetry | None = None
        self._version = version
        self._journal = journal
        self._clock = clock
        self._meter = meter
        self._invoked_arn = ""
        self._trace = ""
        self._initialization_type = initialization_type
        self._json = version.log_format == "JSON"
        self._level = report.LEVELS[version.system_log_level or "INFO"]
        # The level that lines of the function need to get into its log; None: all of them do.
        self._application_level = (version.application_log_level or "INFO") if self._json else None
        self._failed_in_init = False
        self._second = 0
        self._second_text = ""

    def _tell(self, kind: str, record: Record, text: str | None) -> None:
        """Write a record into the log, as its format has it, and hand it to subscribers."""
        now_s = self._clock.now_s()
        if self.telemetry is not None:
            self.telemetry.publish(now_s, kind, record)
        if self._json:
            text = self._json_line(now_s, kind, record)
        if text is not None:
            self._journal.write_lines(now_s, text)

    def _json_line(self, now_s: float, kind: str, record: Record) -> str | None:
        if report.LEVELS[report.level_of(kind, record)] < self._level:
            return None
        return report.json_line(self._time(now_s), kind, record)

    def _time(self, now_s: float) -> str:
        """``iso_ms(now_s)``, whose greater part stays the same for a second."""
        second = int(now_s)
        if second != self._second:
            self._second, self._second_text = second, iso_ms(now_s)[:-4]
        return f"{self._second_text}{int(now_s * 1000) % 1000:03d}Z"

    # Initialisation

    def init_start(self, phase: str, runtime_version: tuple[str, str] | None) -> None:
        """An init begins; ``phase`` is ``init`` or ``invoke``. The version is name and ARN."""
        version = self._version
        record: Record = {
            "initializationType": self._initialization_type,
            "phase": phase,
            "functionName": version.key.name,
            "functionVersion": version.version,
        }
        text = None
        if runtime_version is not None:
            record["runtimeVersion"], record["runtimeVersionArn"] = runtime_version
            text = report.init_start_text(*runtime_version) if phase == "init" else None
        record["instanceMaxMemory"] = version.memory_mib * MIB
        self._tell("platform.initStart", record, text)

    def init_done(self, *, init_ms: float, phase: str, error_type: str | None) -> None:
        """An init has ended. One of an invocation that failed is the failure of that."""
        self._failed_in_init = phase == "invoke" and error_type is not None
        facts = {
            "initializationType": self._initialization_type,
            "phase": phase,
            **report.status_of(error_type),
        }
        self._tell("platform.initRuntimeDone", facts, None)
        text = None
        if error_type is not None or self._initialization_type != "on-demand":
            text = report.init_report_text(init_ms, phase, error_type)
        metrics = {"durationMs": round(init_ms, 3)}
        self._tell("platform.initReport", {**facts, "metrics": metrics}, text)

    def restore_start(self, runtime_version: tuple[str, str] | None) -> None:
        """An environment is made from a snapshot."""
        record: Record = {
            "functionName": self._version.key.name,
            "functionVersion": self._version.version,
        }
        text = None
        if runtime_version is not None:
            record["runtimeVersion"], record["runtimeVersionArn"] = runtime_version
            text = report.restore_start_text(*runtime_version)
        record["instanceMaxMemory"] = self._version.memory_mib * MIB
        self._tell("platform.restoreStart", record, text)

    def restore_done(self, *, restore_ms: float, error_type: str | None) -> None:
        """A restore has ended."""
        facts = report.status_of(error_type)
        self._tell("platform.restoreRuntimeDone", dict(facts), None)
        record = {**facts, "metrics": {"durationMs": round(restore_ms, 3)}}
        text = report.restore_report_text(restore_ms, error_type)
        self._tell("platform.restoreReport", record, text)

    def extension(
        self, name: str, state: str, events: Sequence[str], error_type: str | None
    ) -> None:
        """What has become of an extension at the end of init."""
        record = report.extension_record(name, state, events, error_type)
        text = report.extension_text(name, state, events, error_type)
        self._tell("platform.extension", record, text)

    def subscription(self, api: str, name: str, types: Sequence[str], *, again: bool) -> None:
        """An extension has subscribed to an API: ``Telemetry`` or ``Logs``."""
        state = "Already subscribed" if again else "Subscribed"
        record: Record = {"name": name, "state": state, "types": list(types)}
        text = report.subscription_text(api, name, state, types)
        self._tell(f"platform.{api.lower()}Subscription", record, text)

    # Invocations

    def start(self, invocation: Invocation) -> None:
        """An event is about to be handed to the runtime."""
        request_id, trace_header = invocation.request_id, invocation.trace_header
        self._invoked_arn = invocation.invoked_arn
        # Only a trace that is recorded is named at the end.
        self._trace = trace_header if "Sampled=1" in trace_header else ""
        version = self._version.version
        if not self._json and self.telemetry is None:
            self._journal.write_late(self._clock.now_s(), report.start_lines, request_id, version)
            return
        record = report.start_record(request_id, version, trace_header, invocation.tenant_id)
        self._tell("platform.start", record, *report.start_lines(request_id, version))

    def finished(
        self,
        request_id: str,
        usage: Usage,
        error_type: str | None,
        produced_bytes: int,
        spans: Sequence[Record] = (),
    ) -> None:
        """An invocation is over: ``done`` and ``report`` in one write."""
        if self._json or self.telemetry is not None:
            self.done(request_id, error_type, usage.duration_ms, produced_bytes, spans)
            self.report(request_id, usage, error_type)
        else:
            self._journal.write_late(
                self._clock.now_s(),
                report.end_lines,
                request_id,
                usage,
                error_type,
                self._trace,
                self._failed_in_init,
            )
            self._count(usage, error_type, None)

    def done(
        self,
        request_id: str,
        error_type: str | None,
        duration_ms: float,
        produced_bytes: int,
        spans: Sequence[Record] = (),
    ) -> None:
        """The runtime is done with an event; extensions may still be at work.

        ``spans``: of a response that came in pieces.
        """
        if self.telemetry is not None:
            now_s = self._clock.now_s()
            if error_type in report.FAULTS:
                self.telemetry.publish(now_s, "platform.fault", report.fault_text(request_id))
            self.telemetry.publish(now_s, "platform.end", {"requestId": request_id})
            if error_type is None and not spans:  # It came in one piece.
                latency_s = duration_ms / 1000
                spans = report.response_spans(now_s - latency_s, latency_s, 0.0)
        record = report.done_record(request_id, error_type, duration_ms, produced_bytes, spans)
        self._tell("platform.runtimeDone", record, report.end_text(request_id))

    def report(
        self,
        request_id: str,
        usage: Usage,
        error_type: str | None,
        *,
        extensions_since_s: float | None = None,
        extensions_ms: float = 0.0,
    ) -> None:
        """The accounts of an invocation, and how long extensions kept it open, if there were any.

        ``extensions_since_s``: epoch seconds.
        """
        record = report.report_record(request_id, usage, error_type)
        if extensions_since_s is not None:
            record["spans"] = [
                {
                    "name": "extensionOverhead",
                    "start": iso_ms(extensions_since_s),
                    "durationMs": round(extensions_ms, 3),
                }
            ]
        if self._trace:
            record["tracing"] = report.tracing_record(self._trace)
        text = report.report_text(
            request_id, usage, error_type, self._trace, in_init=self._failed_in_init
        )
        self._tell("platform.report", record, text)
        self._count(usage, error_type, None if extensions_since_s is None else extensions_ms)

    def _count(self, usage: Usage, error_type: str | None, extensions_ms: float | None) -> None:
        """Meter an attempt: nothing may be awaited between its REPORT line and this."""
        if self._meter is not None:
            self._meter.attempt_nowait(
                Attempt(
                    self._version,
                    self._invoked_arn,
                    self._clock.now_s() - usage.duration_ms / 1000,
                    usage.duration_ms,
                    usage.billed_ms,
                    error_type is not None,
                    extensions_ms,
                    usage.provisioned,
                    usage.streamed_bytes,
                )
            )

    # Output

    def function_output(self, events: Sequence[OutputEvent]) -> None:
        """The function, or its runtime, has printed something."""
        self._publish("function", events, structured=self._json)
        level = self._application_level
        if level is not None:
            events = [event for event in events if is_shown(event[0], level)]
        if events:
            self._journal.write_output(events)

    def extension_output(self, events: Sequence[OutputEvent]) -> None:
        """An external extension has printed something."""
        self._publish("extension", events, structured=self._json)
        self._journal.write_output(events)

    def _publish(self, kind: str, events: Sequence[OutputEvent], *, structured: bool) -> None:
        if self.telemetry is not None:
            now_s = self._clock.now_s()
            for text, at_s in events:
                at_s = now_s if at_s is None else self._journal.within_life_s(at_s, now_s)
                self.telemetry.publish(at_s, kind, text, structured=structured)
