"""The platform's own log lines, to the tab, and the records behind them."""

import json
from dataclasses import replace

import pytest

from alonzo.environments import report
from alonzo.environments.journal import Journal
from alonzo.environments.reporter import Reporter
from alonzo.environments.values import Invocation, Usage
from alonzo.lib.clock import ManualClock
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion

WARM = Usage(duration_ms=1.234, billed_ms=2, init_ms=None, memory_mib=128, peak_memory_mib=33)
COLD = Usage(duration_ms=80.0, billed_ms=214, init_ms=133.61, memory_mib=128, peak_memory_mib=40)
KEY = FunctionKey("000000000000", "eu-west-1", "f")
VERSION = ServingVersion(
    KEY, "1", "g", "python3.12", "m.h", "role", "00", log_group="/aws/lambda/f"
)


class Log:
    """Keeps each write apart."""

    def __init__(self):
        self.writes = []

    @property
    def batch(self):
        return object()

    def write_nowait(self, stream, events):
        self.writes.append([event.message for event in events])

    @property
    def lines(self):
        return [line for write in self.writes for line in write]


class Heard:
    """Takes what subscribers would get."""

    def __init__(self):
        self.said = []

    def publish(self, at_s, kind, record, *, structured=False):
        self.said.append((kind, record))

    @property
    def kinds(self):
        return [kind for kind, _ in self.said]


def telling(**version):
    clock, log = ManualClock(1_700_000_000.5), Log()
    version = replace(VERSION, **version)
    journal = Journal(version, log, clock=clock, suffix="0")
    return Reporter(version, journal, clock=clock), log


def an_invocation(trace_header, tenant_id):
    return Invocation("r", "a", "arn", b"{}", trace_header, tenant_id=tenant_id)


def json_telling(**version):
    return telling(log_format="JSON", **version)


def test_text_lines_of_a_warm_invoke_are_two_writes():
    reporter, log = telling()
    reporter.start(an_invocation("Root=1-0;Sampled=1", None))
    reporter.finished("r", WARM, None, 2)
    assert log.writes == [
        ["START RequestId: r Version: 1"],
        [
            "END RequestId: r",
            "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 2 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 33 MB\t",
        ],
    ]


def test_a_cold_start_shows_its_init():
    assert report.report_text("r", COLD, None).endswith(
        "Max Memory Used: 40 MB\tInit Duration: 133.61 ms\t"
    )


@pytest.mark.parametrize(
    ("error_type", "ending"),
    [
        ("Sandbox.Timedout", "\tStatus: timeout"),
        ("Runtime.ExitError", "\tStatus: error\tError Type: Runtime.ExitError"),
        ("Runtime.Unknown", "Max Memory Used: 33 MB\t"),
    ],
)
def test_a_failure_shows_its_status(error_type, ending):
    assert report.report_text("r", WARM, error_type).endswith(ending)


def test_an_init_that_fails_within_an_invocation_is_the_status_of_its_report():
    reporter, log = telling()
    for error_type in ("Runtime.Unknown", None):
        reporter.init_done(init_ms=1, phase="invoke", error_type=error_type)
        reporter.finished("r", WARM, "Runtime.Unknown", 0)
    with_status, without = (line for line in log.lines if line.startswith("REPORT"))
    assert with_status.endswith("\tStatus: error\tError Type: Runtime.Unknown")
    assert "Status" not in without


def test_in_text_only_a_failed_init_has_a_line():
    def done(error_type):
        reporter, log = telling()
        reporter.init_done(init_ms=10_000, phase="init", error_type=error_type)
        return log.lines

    assert done(None) == []
    assert done("Sandbox.Timedout") == [
        "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\t",
    ]
    assert done("Runtime.ExitError") == [
        "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: error\t"
        "Error Type: Runtime.ExitError\t",
    ]


@pytest.mark.parametrize(
    ("level", "error_type", "shown"),
    [("INFO", None, 0), ("DEBUG", None, 2), ("WARN", "Runtime.ExitError", 2)],
)
def test_in_json_the_level_decides_about_init(level, error_type, shown):
    reporter, log = json_telling(system_log_level=level)
    reporter.init_done(init_ms=1, phase="init", error_type=error_type)
    assert len(log.lines) == shown


def test_json_lines_carry_the_same_facts():
    reporter, log = json_telling()
    reporter.report("r", COLD, "Sandbox.Timedout")
    assert json.loads(log.lines[0]) == {
        "time": "2023-11-14T22:13:20.500Z",
        "type": "platform.report",
        "record": {
            "requestId": "r",
            "status": "timeout",
            "metrics": {
                "durationMs": 80.0, "billedDurationMs": 214, "memorySizeMB": 128,
                "maxMemoryUsedMB": 40, "initDurationMs": 133.61,
            },
        },
    }  # fmt: skip


def test_the_system_level_filters_json_lines_only():
    reporter, log = json_telling(system_log_level="WARN")
    reporter.start(an_invocation("", None))
    reporter.finished("r", WARM, None, 2)
    assert log.lines == []
    reporter.finished("r", WARM, "Runtime.ExitError", 2)
    assert len(log.lines) == 2
    reporter, log = telling(system_log_level="WARN")
    reporter.start(an_invocation("", None))
    assert len(log.lines) == 1


def test_a_subscriber_gets_every_record_whatever_the_levels():
    reporter, log = json_telling(system_log_level="WARN", application_log_level="FATAL")
    reporter.telemetry = Heard()
    reporter.init_start("init", ("python:3.12.v1", "arn"))
    reporter.init_done(init_ms=1, phase="init", error_type=None)
    reporter.start(an_invocation("Root=1-0;Sampled=1", "t"))
    reporter.function_output([("hello", None)])
    reporter.extension_output([("there", None)])
    reporter.finished("r", WARM, None, 2)
    assert reporter.telemetry.kinds == [
        "platform.initStart", "platform.initRuntimeDone", "platform.initReport", "platform.start",
        "function", "extension", "platform.end", "platform.runtimeDone", "platform.report",
    ]  # fmt: skip
    assert log.lines == ["there"]
    said = dict(reporter.telemetry.said)
    assert said["platform.start"] == {
        "requestId": "r",
        "version": "1",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-0;Sampled=1"},
        "tenantId": "t",
    }
    assert said["platform.initStart"] == {
        "initializationType": "on-demand", "phase": "init", "functionName": "f",
        "functionVersion": "1", "runtimeVersion": "python:3.12.v1", "runtimeVersionArn": "arn",
        "instanceMaxMemory": 128 << 20,
    }  # fmt: skip
    latency, duration = said["platform.runtimeDone"].pop("spans")
    assert (latency["name"], latency["durationMs"]) == ("responseLatency", 1.234)
    assert (duration["name"], duration["durationMs"]) == ("responseDuration", 0)
    assert said["platform.runtimeDone"] == {
        "requestId": "r",
        "status": "success",
        "metrics": {"durationMs": 1.234, "producedBytes": 2},
    }


def test_a_response_that_came_in_pieces_has_its_spans():
    reporter, _ = telling()
    reporter.telemetry = Heard()
    spans = report.response_spans(1_700_000_000.0, 0.25, 1.5)
    reporter.finished("r", WARM, None, 7, spans)
    records = dict(reporter.telemetry.said)
    assert records["platform.runtimeDone"]["metrics"]["producedBytes"] == 7
    assert records["platform.runtimeDone"]["spans"] == [
        {"name": "responseLatency", "start": "2023-11-14T22:13:20.000Z", "durationMs": 250.0},
        {"name": "responseDuration", "start": "2023-11-14T22:13:20.250Z", "durationMs": 1500.0},
    ]


def test_extensions_and_subscriptions_have_their_lines():
    reporter, log = telling()
    reporter.extension("e", "Ready", ["INVOKE", "SHUTDOWN"], None)
    reporter.extension("e", "LaunchError", [], "PermissionDenied")
    reporter.subscription("Telemetry", "e", ("platform", "function"), again=False)
    reporter.subscription("Logs", "e", ("extension",), again=True)
    assert log.lines == [
        "EXTENSION\tName: e\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
        "EXTENSION\tName: e\tState: LaunchError\tEvents: []\tError Type: PermissionDenied",
        "TELEMETRY\tName: e\tState: Subscribed\tTypes: [Platform, Function]",
        "LOGS\tName: e\tState: Already subscribed\tTypes: [Extension]",
    ]


def test_extensions_that_keep_an_invocation_open_are_a_span_of_its_report():
    reporter, _ = telling()
    reporter.telemetry = Heard()
    reporter.report("r", WARM, None, extensions_since_s=1_700_000_000.0, extensions_ms=7.5)
    ((_, record),) = reporter.telemetry.said
    assert record["spans"] == [
        {"name": "extensionOverhead", "start": "2023-11-14T22:13:20.000Z", "durationMs": 7.5}
    ]


def test_a_restore_has_its_lines():
    reporter, log = telling()
    reporter.telemetry = Heard()
    reporter.restore_start(("java:21.v1", "arn"))
    reporter.restore_done(restore_ms=398.97, error_type=None)
    reporter.restore_done(restore_ms=9, error_type="Runtime.ExitError")
    assert log.lines == [
        "RESTORE_START Runtime Version: java:21.v1\tRuntime Version ARN: arn",
        "RESTORE_REPORT Restore Duration: 398.97 ms",
        "RESTORE_REPORT Restore Duration: 9.00 ms\tStatus: error\tError Type: Runtime.ExitError",
    ]
    assert reporter.telemetry.kinds[:3] == [
        "platform.restoreStart", "platform.restoreRuntimeDone", "platform.restoreReport",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("level", "line", "shown"),
    [
        (None, "printed", True),
        ("ERROR", "printed", False),
        ("INFO", '{"level":"debug","message":"m"}', False),
        (None, '{"level":"TRACE"}', False),
        ("TRACE", '{"level":"TRACE"}', True),
        ("WARN", '{"level":"WARNING"}', True),
        ("ERROR", '{"level":"CRITICAL"}', True),
        ("WARN", '{"level":7}', False),
        ("WARN", '{"level":"ERROR"', False),
        ("WARN", '["level"]', False),
        ("INFO", '{"level":"loud"}', True),
    ],
)
def test_json_logs_take_lines_by_their_level(level, line, shown):
    reporter, log = json_telling(application_log_level=level)
    reporter.function_output([(line, None)])
    assert (log.lines == [line]) is shown
    reporter, log = telling(application_log_level=level)
    reporter.function_output([(line, None)])
    assert log.lines == [line]


def test_a_second_on_the_clock_is_written_as_such():
    clock, log = ManualClock(1_700_000_000.0), Log()
    version = replace(VERSION, log_format="JSON")
    reporter = Reporter(version, Journal(version, log, clock=clock, suffix="0"), clock=clock)
    times = []
    for step_s in (0.0, 0.25, 0.5, 0.5, 59.0):
        clock.advance(step_s)
        reporter.start(an_invocation("", None))
        times.append(json.loads(log.lines[-1])["time"][17:])
    assert times == ["20.000Z", "20.250Z", "20.750Z", "21.250Z", "20.250Z"]
