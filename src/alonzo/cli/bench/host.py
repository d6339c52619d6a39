"""The machine under the measurement: what it is, and what else it does meanwhile."""

from __future__ import annotations

import os
import platform
import re
import sysconfig
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alonzo import __version__
from alonzo.cli.bench.processes import TICKS_PER_S, cpu_s

#: From so many waiting processes on, per core, the machine was not idle when we came.
LOAD_PER_CORE_MAX = 0.25


def facts() -> dict[str, str]:
    """What to say of a machine that numbers are from."""
    cores = len(os.sched_getaffinity(0))
    return {
        "alonzo": __version__,
        "processor": f"{processor()}, {cores} cores",
        "memory": f"{memory_gib():.0f} GiB",
        "kernel": f"Linux {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, "
        + build(str(sysconfig.get_config_var("CONFIG_ARGS") or "")),
        "load": "1 min {:.2f}, 5 min {:.2f}, 15 min {:.2f}, before".format(*os.getloadavg()),
    }


def warnings() -> list[str]:
    """What makes the numbers worse than they have to be."""
    found: list[str] = []
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    if load > LOAD_PER_CORE_MAX * cores:
        found.append(
            f"this machine was busy in the last minute (load {load:.2f}); numbers of a busy "
            "machine are worse, and differ from run to run. Ratios hold better."
        )
    if cores <= 2:
        found.append(
            "servers and load generator share these cores: throughput is what both together do."
        )
    if "no PGO" in build(str(sysconfig.get_config_var("CONFIG_ARGS") or "")):
        found.append(
            "this Python was built without profile-guided optimisation; one that was "
            "(as most distributions' are) is often 10 to 20 % faster."
        )
    return found


def build(configure_arguments: str) -> str:
    """How an interpreter was built, as far as it matters."""
    pgo = "PGO" if "--enable-optimizations" in configure_arguments else "no PGO"
    lto = "LTO" if "--with-lto" in configure_arguments else "no LTO"
    return f"{pgo}, {lto}"


def processor() -> str:
    """Its name, as the kernel tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def memory_gib() -> float:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def busy_s() -> float:
    """Processor seconds that the machine has used since it runs, for us and for others.

    With what the hypervisor took away for other machines; without waiting.
    """
    with Path("/proc/stat").open() as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    user, nice, system, _, _, interrupts, softirqs, steal = fields
    return (user + nice + system + interrupts + softirqs + steal) / TICKS_PER_S


@dataclass(slots=True)
class Noise:
    """What others did while we measured, added up over the times that are watched."""

    others_s: float = 0.0
    wall_s: float = 0.0

    @contextmanager
    def watch(self) -> Generator[None]:
        """Add what happens in the block."""
        began_s, busy, ours = time.monotonic(), busy_s(), cpu_s(os.getpid(), below=True)
        yield
        ours = cpu_s(os.getpid(), below=True) - ours
        self.others_s += busy_s() - busy - ours
        self.wall_s += time.monotonic() - began_s

    def take(self) -> float | None:
        """How many processors others used since the last time; None if nothing was watched."""
        wall_s, others_s = self.wall_s, self.others_s
        self.wall_s = self.others_s = 0.0
        return max(0.0, others_s) / wall_s if wall_s else None
