"""Functions that come and go, and deaths at random moments: nothing may stay.

As a program it does so in the network namespace it runs in, which is its own: the platform has a
network there, and the machine's is as it was. ``python -m alonzo.testing.cycles NAME FOLDER``.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from alonzo.sandbox.backends.namespaces.inside import network
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import DeployedFunction, deploy
from alonzo.testing.hostility import assert_unharmed, vitals
from alonzo.testing.residue import Seen, left_in_run_folder, left_of_daemon
from alonzo.testing.waiting import eventually

ECHO = "def handler(event, context): return event"
CYCLES = 100
AT_ONCE = 4
DEATHS = 8
AGAIN_S_MAX = 30.0

#: Who is killed, by the beginning of the process's name, and how often. The daemon has none.
VICTIMS = {
    "": 1,
    "alonzo-spawner": 1,
    "alonzo-opener": 2,
    "alonzo-maker": 2,
    "alonzo-zygote": 3,
    "alonzo-init": 4,
    "python": 7,
}


def come_and_go(daemon: DaemonProcess) -> None:
    """Create, invoke and delete functions, each in an environment of its own."""
    client, seen = daemon.client("lambda"), Seen()
    deploy(client, "first", ECHO).invoke(1)
    before = vitals(daemon)

    def cycle(n: int) -> None:
        function = deploy(client, f"f{n}", ECHO)
        assert function.invoke(n).json == n
        if n % 10 == 0:
            seen.look(daemon.pid)
        function.delete()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(cycle, range(CYCLES)))
    assert_unharmed(daemon, before)
    _assert_nothing_stays(daemon, seen)


def die_at_random(daemon: DaemonProcess, seed: int = 1) -> None:
    """``kill -9`` of the daemon, and of each kind of process below it, while it serves."""
    chance, seen, stop = random.Random(seed), Seen(), threading.Event()
    functions = [deploy(daemon.client("lambda"), f"f{n}", ECHO).name for n in range(4)]
    served: list[bool] = []

    def call(worker: int) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            served.append(_serves(daemon, functions[(worker + n) % len(functions)], n))
            stop.wait(0.01)

    with ThreadPoolExecutor(3) as threads:
        for worker in range(3):
            threads.submit(call, worker)
        try:
            victims = chance.choices(list(VICTIMS), list(VICTIMS.values()), k=DEATHS)
            # Each kind at least once.
            for victim in [*reversed(VICTIMS), *victims]:
                seen.look(daemon.pid)

                _kill_one(daemon, victim, seen, chance)
                stop.wait(chance.uniform(0, 0.2))
        finally:
            stop.set()
    assert any(served)
    for name in functions:
        eventually(partial(_serves, daemon, name, "after"), AGAIN_S_MAX)
    assert "task.failed" not in daemon.log, daemon.log
    _assert_nothing_stays(daemon, seen)


def _kill_one(daemon: DaemonProcess, victim: str, seen: Seen, chance: random.Random) -> None:
    if not victim:
        daemon.kill()
        daemon.start()
        return
    if found := seen.named(victim):
        with contextlib.suppress(ProcessLookupError):  # it may end with another
            os.kill(chance.choice(found), signal.SIGKILL)


def _serves(daemon: DaemonProcess, name: str, value: object) -> bool:
    try:
        function = DeployedFunction(daemon.client("lambda"), name, "")
        return function.invoke([value]).json == [value]
    except Exception:  # noqa: BLE001 - whatever a call meets while its environment or daemon dies
        return False


def _assert_nothing_stays(daemon: DaemonProcess, seen: Seen) -> None:
    seen.look(daemon.pid)
    daemon.stop()
    left = left_of_daemon(daemon.data_dir, seen.alive()) + left_in_run_folder(daemon.data_dir)
    assert not left, left


def main(name: str, folder: Path) -> None:
    """Run one of them on a platform of its own, with a network."""
    network.loopback_up()
    daemon = DaemonProcess(folder / "data", "--network", "nat")
    daemon.start()
    try:
        {"come_and_go": come_and_go, "die_at_random": die_at_random}[name](daemon)
    finally:
        if daemon.is_running:
            daemon.kill()
    assert "Traceback" not in daemon.log, daemon.log


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
