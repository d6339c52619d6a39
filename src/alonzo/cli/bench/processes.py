"""Processes under measurement: start one, wait until it listens, read its CPU and memory."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

READY = re.compile(r"listening on (http://[\w.:\[\]]+)")
START_S_MAX = 30.0
STOP_S_MAX = 30.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

#: How long a server must not have used its processor, or changed its processes, to be at rest.
REST_S = 0.06
REST_S_MAX = 15.0

Cores = frozenset[int] | None

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens. ``pid`` is its first process; it took ``start_s`` to listen."""

    pid: int
    host: str
    port: int
    start_s: float

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{self.host}:{self.port}"


@contextmanager
def on_cores(cores: Cores) -> Generator[None]:
    """Whatever is started in the block runs on these only."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _ends_with_us() -> None:
    """In a child: it is told to end when we do, however that comes about."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def running(*arguments: str, cores: Cores = None) -> Generator[Server]:
    """``python -m arguments`` on the given cores; ended when the block is left.

    Raises:
        click.ClickException: it did not start; the text has what it printed.
    """
    with tempfile.TemporaryFile("w+") as output:
        began_s = time.perf_counter()
        with on_cores(cores):
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                # Nothing else runs in this process yet that a fork could catch holding a lock.
                preexec_fn=_ends_with_us,
            )
        try:
            while (ready := READY.search(os.pread(output.fileno(), 1 << 16, 0).decode())) is None:
                if process.poll() is not None or time.perf_counter() - began_s > START_S_MAX:
                    output.seek(0)
                    raise click.ClickException(f"'{arguments[0]}' did not start:\n{output.read()}")
                time.sleep(0.002)
            start_s = time.perf_counter() - began_s
            url = urlsplit(ready[1])
            yield Server(process.pid, url.hostname or "", url.port or 0, start_s)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def time_program(arguments: list[str], count: int) -> list[float]:
    """Seconds from starting a program until it has ended, for each of ``count`` runs."""
    taken: list[float] = []
    for _ in range(count):
        began_s = time.perf_counter()
        pid = os.posix_spawn(arguments[0], arguments, os.environ)
        _, status = os.waitpid(pid, 0)
        taken.append(time.perf_counter() - began_s)
        if status:
            raise click.ClickException(f"'{' '.join(arguments)}' failed.")
    return taken


def tree(pid: int) -> Iterator[Path]:
    """The ``/proc`` folder of ``pid`` and of every process below it."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        fields = _stat(Path("/proc", name)) if name.isdigit() else None
        if fields is not None:
            parents.setdefault(int(fields[1]), []).append(int(name))
    todo = [pid]
    while todo:
        current = todo.pop()
        yield Path("/proc", str(current))
        todo += parents.get(current, [])


def _stat(folder: Path) -> list[str] | None:
    """The fields of ``stat`` after the command's name, which may hold anything."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_s(pid: int, *, below: bool) -> float:
    """CPU seconds that a process has used; with ``below``, those of its living tree."""
    folders = tree(pid) if below else [Path("/proc", str(pid))]
    return sum(_used_s(folder) for folder in folders)


def _used_s(folder: Path) -> float:
    # The kernel has two records: one is cut to whole ticks, the other forgets threads that ended.
    fields = _stat(folder)
    if fields is None:
        return 0.0
    exact_ns = 0
    with suppress(OSError):
        for thread in os.listdir(folder / "task"):
            exact_ns += int((folder / "task" / thread / "schedstat").read_text().split()[0])
    return max((int(fields[11]) + int(fields[12])) / TICKS_PER_S, exact_ns / 1e9)


def rest(pid: int) -> None:
    """Wait until a process tree does nothing: whatever it makes ahead of need has been made."""
    deadline_s = time.monotonic() + REST_S_MAX
    calm_since_s, before = time.monotonic(), (0, 0.0)
    while time.monotonic() - calm_since_s < REST_S and time.monotonic() < deadline_s:
        time.sleep(0.02)
        count, used_s = sum(1 for _ in tree(pid)), cpu_s(pid, below=True)
        now = (count, round(used_s, 2))
        if now != before:
            calm_since_s, before = time.monotonic(), now


def pss_mib(pid: int, *, below: bool = True) -> float | None:
    """Proportional memory of a process or its tree in MiB; None if the kernel shows only a part."""
    kib = 0
    for folder in tree(pid) if below else [Path("/proc", str(pid))]:
        try:
            rollup = (folder / "smaps_rollup").read_text()
        except (ProcessLookupError, FileNotFoundError):
            continue
        except OSError:
            return None
        found = re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
        kib += int(found[1]) if found else 0
    return kib / 1024
