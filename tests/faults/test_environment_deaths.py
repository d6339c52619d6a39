"""Everything below the daemon may be killed at any moment: it goes on, and leaves nothing."""

import contextlib
import os
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from alonzo.testing.functions import deploy
from alonzo.testing.residue import descendants
from alonzo.testing.waiting import eventually

ECHO = "def handler(event, context): return event"


def kill(pid):
    # It may have ended by itself, or with another.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def serves(function, value):
    try:
        return function.invoke([value]).json == [value]
    except Exception:
        return False


def test_everything_below_the_daemon_is_killed_and_it_serves_again(own_platform):
    daemon = own_platform()
    function = deploy(daemon.client("lambda"), "f", ECHO)
    for n in range(4):
        eventually(partial(serves, function, n), 15)
        for pid in sorted(descendants(daemon.pid)):
            kill(pid)
    eventually(partial(serves, function, "last"), 15)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [1, 2])
def test_processes_are_killed_at_random_under_load_and_it_goes_on(own_platform, seed):
    daemon = own_platform()
    functions = [deploy(daemon.client("lambda"), f"f{n}", ECHO) for n in range(4)]
    chance = random.Random(seed)
    stop = threading.Event()
    served = []

    def call(worker):
        n = 0
        while not stop.is_set():
            n += 1
            served.append(serves(functions[(worker + n) % len(functions)], n))

    with ThreadPoolExecutor(4) as threads:
        for worker in range(4):
            threads.submit(call, worker)
        for _ in range(60):
            below = sorted(descendants(daemon.pid))
            if below:
                kill(chance.choice(below))
            stop.wait(chance.uniform(0, 0.1))
        stop.set()
    assert any(served)
    for function in functions:
        eventually(partial(serves, function, "after"), 30)
    # Ready ahead of need again, too: a new function's first call needs nothing to be repaired.
    fresh = deploy(daemon.client("lambda"), "fresh", ECHO)
    assert fresh.invoke([1]).json == [1]
    assert "task.failed" not in daemon.log, daemon.log
