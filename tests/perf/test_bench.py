"""``alonzo bench`` runs through on a real platform, and measures what it says it measures."""

import json
import subprocess
import sys

import pytest

BENCH_S_MAX = 120


@pytest.fixture(scope="module")
def report():
    done = subprocess.run(
        [sys.executable, "-m", "alonzo", "bench", "--quick", "--json"],
        capture_output=True,
        text=True,
        timeout=BENCH_S_MAX,
    )
    assert done.returncode == 0, done.stderr
    return {section["title"]: section for section in json.loads(done.stdout)["sections"]}


@pytest.mark.timeout(BENCH_S_MAX + 10)
def test_every_section_is_there_with_its_definition_and_no_failure(report):
    assert list(report) == [
        "Memory",
        "Cold: first invoke of a new function",
        "Warm invoke, one client",
        "Warm throughput, 1 client",
        "Warm throughput, 16 clients",
        "Warm throughput, 64 clients",
        "Warm invoke by payload, one client",
        "64 calls at once of a 50 ms function",
    ]
    for section in report.values():
        assert len(section["definition"]) > 50
        assert section["rows"]


def test_sleeping_functions_run_beside_each_other(report):
    rows = report["64 calls at once of a 50 ms function"]["rows"]
    warm = {row["round"]: row for row in rows}["warm"]
    assert warm["p50 ms"] >= 50
    # One after the other they would take 3.2 s.
    assert warm["all ms"] < 1600


def test_a_real_invoke_costs_more_than_the_baselines(report):
    echo, worker, alonzo = report["Warm invoke, one client"]["rows"]
    assert [row["server"] for row in (echo, worker, alonzo)] == ["echo", "worker", "alonzo"]
    assert alonzo["p50 ms"] > echo["p50 ms"]
