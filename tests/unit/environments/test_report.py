"""The platform's own log lines, to the tab."""

import json

import pytest

from alonzo.environments.report import PlatformLines
from alonzo.environments.values import Usage

WARM = Usage(duration_ms=1.234, billed_ms=2, init_ms=None, memory_mib=128, peak_memory_mib=33)
COLD = Usage(duration_ms=80.0, billed_ms=214, init_ms=133.61, memory_mib=128, peak_memory_mib=40)
TEXT = PlatformLines("f", "$LATEST", json_format=False)


def test_text_lines_of_a_warm_invoke():
    assert TEXT.start(0, "r") == "START RequestId: r Version: $LATEST"
    assert TEXT.end(0, "r", None, 1.2) == "END RequestId: r"
    assert TEXT.report(0, "r", WARM, None) == (
        "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 2 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 33 MB\t"
    )


def test_a_cold_start_shows_its_init():
    assert TEXT.report(0, "r", COLD, None).endswith(
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
    assert TEXT.report(0, "r", WARM, error_type).endswith(ending)


def test_in_text_only_a_failed_init_has_a_line():
    def done(error_type):
        return TEXT.init_done(0, init_ms=10_000, phase="init", error_type=error_type)

    assert done(None) == ()
    assert done("Sandbox.Timedout") == (
        "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\t",
    )
    assert done("Runtime.ExitError") == (
        "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: error\t"
        "Error Type: Runtime.ExitError\t",
    )


@pytest.mark.parametrize(
    ("level", "error_type", "shown"),
    [("INFO", None, 0), ("DEBUG", None, 2), ("WARN", "Runtime.ExitError", 2)],
)
def test_in_json_the_level_decides_about_init(level, error_type, shown):
    lines = PlatformLines("f", "1", json_format=True, system_level=level)
    done = lines.init_done(0, init_ms=1, phase="init", error_type=error_type)
    assert len([line for line in done if line]) == shown


def test_json_lines_carry_the_same_facts():
    lines = PlatformLines("f", "1", json_format=True)
    report = json.loads(lines.report(1_700_000_000.5, "r", COLD, "Sandbox.Timedout"))
    assert report == {
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


def test_the_level_filters_json_lines_only():
    quiet = PlatformLines("f", "1", json_format=True, system_level="WARN")
    assert quiet.start(0, "r") is None
    assert quiet.report(0, "r", WARM, None) is None
    assert quiet.end(0, "r", "Runtime.ExitError", 1.0) is not None
    assert quiet.report(0, "r", WARM, "Runtime.ExitError") is not None
    assert PlatformLines("f", "1", json_format=False, system_level="WARN").start(0, "r") is not None
