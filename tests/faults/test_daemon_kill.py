"""``kill -9`` of the daemon under load, and the start after it."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from alonzo.testing.functions import deploy
from alonzo.testing.residue import descendants, have_ended, left_of_daemon
from alonzo.testing.waiting import eventually

# The log is written within a fraction of a second, the event is over after a whole one: an event
# whose line the kill takes is one that was still running, and runs again.
RECORD = """
import time
def handler(event, context):
    print("ran", event["n"], flush=True)
    time.sleep(event.get("wait_s", 0))
"""


def logged(daemon, name):
    """The numbers of the events whose run is in the log."""
    logs = daemon.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{name}", filterPattern="ran"
    )
    return {int(e["message"].split()[1]) for page in pages for e in page["events"]}


def test_what_was_acknowledged_is_there_after_a_kill(own_platform):
    daemon = own_platform()
    function = deploy(daemon.client("lambda"), "recorder", RECORD)
    function.invoke({"n": -1})
    daemon.client("logs").create_log_group(logGroupName="mine")
    daemon.client("logs").create_log_stream(logGroupName="mine", logStreamName="s")
    accepted, lines, stop = [], [], threading.Event()

    def send(worker):
        for n in range(worker * 10_000, (worker + 1) * 10_000):
            if stop.is_set():
                return
            try:
                function.invoke({"n": n, "wait_s": 1}, InvocationType="Event")
                accepted.append(n)
            except Exception:
                return

    def log():
        n = 0
        while not stop.is_set():
            try:
                daemon.client("logs").put_log_events(
                    logGroupName="mine",
                    logStreamName="s",
                    logEvents=[{"timestamp": int(time.time() * 1000), "message": str(n)}],
                )
            except Exception:
                return
            lines.append(str(n))
            n += 1

    with ThreadPoolExecutor(5) as threads:
        for worker in range(4):
            threads.submit(send, worker)
        threads.submit(log)
        eventually(lambda: len(accepted) > 200, 30)
        below = descendants(daemon.pid)
        daemon.kill()
        stop.set()
    # Without a daemon nothing runs on, even before anybody starts a new one.
    eventually(lambda: have_ended(below), 10)
    left = set(left_of_daemon(daemon.data_dir, below))

    daemon.start()
    # The new one may have made its own meanwhile: it goes on with the events.
    swept = left - set(left_of_daemon(daemon.data_dir, below))
    assert swept == left, "the start sweeps what the kill left"
    names = [f["FunctionName"] for f in daemon.client("lambda").list_functions()["Functions"]]
    assert names == ["recorder"]
    eventually(lambda: set(accepted) <= logged(daemon, "recorder"), 50)
    events = daemon.client("logs").get_log_events(
        logGroupName="mine", logStreamName="s", startFromHead=True
    )["events"]
    assert {e["message"] for e in events} >= set(lines)


@pytest.mark.parametrize(
    "point", ["events.after_claim", pytest.param("events.after_run", marks=pytest.mark.nightly)]
)
def test_an_event_survives_a_death_at_any_point_of_its_run(own_platform, point):
    daemon = own_platform()
    function = deploy(daemon.client("lambda"), "recorder", RECORD)
    daemon.stop()
    daemon.arm(point)
    daemon.start()
    try:
        function = type(function)(daemon.client("lambda"), function.name, function.arn)
        function.invoke({"n": 7}, InvocationType="Event")
    except Exception:
        pass  # The daemon may die between its commit and its answer; then nothing was promised.
    daemon.wait_killed()
    daemon.arm("")
    daemon.start()
    eventually(lambda: _left(daemon) == 0, 20)
    assert 7 in logged(daemon, "recorder")


def _left(daemon):
    import sqlite3

    with sqlite3.connect(f"file:{daemon.data_dir}/alonzo.db?mode=ro", uri=True) as db:
        count = db.execute("SELECT COUNT(*) FROM async_event").fetchone()[0]
    db.close()
    return count


def test_a_second_daemon_on_the_same_data_is_refused_and_harms_nothing(own_platform):
    from alonzo.testing.daemon import DaemonProcess

    daemon = own_platform()
    function = deploy(daemon.client("lambda"), "f", "def handler(e, c): return e")
    second = DaemonProcess(daemon.data_dir)
    second._log_file = daemon.data_dir.with_name("second.log")
    with pytest.raises(AssertionError, match="exited with 1"):
        second.start()
    assert str(daemon.pid) in second.log
    assert "Traceback" not in second.log
    assert function.invoke(json.loads("[1]")).json == [1]
