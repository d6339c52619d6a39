"""``alonzo bench`` runs through on a real platform, and measures what it says it measures."""

import json
import subprocess
import sys

import pytest

from alonzo.cli.bench.command import LONG, SECTIONS

BENCH_S_MAX = 180
COLD = ("start", "cold", "at-once", "imports", "memory")
WARM = ("baselines", "warm", "pinned", "throughput", "payloads", "sleepers", "queues")


def measured(*names):
    done = subprocess.run(
        [sys.executable, "-m", "alonzo", "bench", "--json", *names],
        capture_output=True,
        text=True,
        timeout=BENCH_S_MAX,
    )
    assert done.returncode == 0, done.stderr
    return {section["name"]: section for section in json.loads(done.stdout)["sections"]}


@pytest.fixture(scope="module")
def cold():
    return measured(*COLD)


@pytest.fixture(scope="module")
def warm():
    return measured(*WARM)


def is_whole(report, names):
    assert sorted(report) == sorted(names)
    for section in report.values():
        assert len(section["definition"]) > 50
        assert section["rows"]


def test_every_section_that_is_not_long_is_looked_at_here():
    assert set(COLD) | set(WARM) == set(SECTIONS) - LONG


@pytest.mark.timeout(BENCH_S_MAX + 10)
def test_first_calls_are_measured_without_an_error(cold):
    is_whole(cold, COLD)
    assert not any(row["errors"] for row in cold["at-once"]["rows"])


@pytest.mark.timeout(BENCH_S_MAX + 10)
def test_warm_calls_are_measured_without_an_error(warm):
    is_whole(warm, WARM)


@pytest.mark.timeout(BENCH_S_MAX + 10)
def test_sleeping_functions_run_beside_each_other(warm):
    rows = warm["sleepers"]["rows"]
    warmly = {row["round"]: row for row in rows}["warm"]
    assert warmly["p50 ms"] >= 50
    # One after the other they would take 3.2 s.
    assert warmly["all ms"] < 1600


@pytest.mark.timeout(BENCH_S_MAX + 10)
def test_a_real_invoke_costs_more_than_the_baselines(warm):
    echo, worker, alonzo = warm["warm"]["rows"]
    assert [row["server"] for row in (echo, worker, alonzo)] == ["echo", "worker", "alonzo"]
    assert alonzo["p50 ms"] > echo["p50 ms"]


@pytest.mark.timeout(BENCH_S_MAX + 10)
def test_a_parked_sandbox_answers_sooner_than_one_that_is_executed(cold):
    ways = {(row["way"], row["runtime"][:6]): row for row in cold["cold"]["rows"]}
    assert ways["parked", "python"]["p50 ms"] < ways["executed", "python"]["p50 ms"]


@pytest.mark.timeout(BENCH_S_MAX + 10)
def test_groups_of_a_queue_come_in_their_order(warm):
    rows = [row for row in warm["queues"]["rows"] if "groups" in row]
    assert [row["out of order"] for row in rows] == [0]
