"""Processes under measurement: start one, wait until it listens, read its CPU and memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click

READY = re.compile(r"listening on (http://[\w.:\[\]]+)")
START_S_MAX = 20.0
STOP_S_MAX = 20.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens. ``pid`` is its first process."""

    pid: int
    host: str
    port: int

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{self.host}:{self.port}"


@contextmanager
def running(*arguments: str, cores: set[int] | None) -> Generator[Server]:
    """``python -m arguments`` on the given cores; ended when the block is left.

    Raises:
        click.ClickException: it did not start; the text has what it printed.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            if cores is not None:
                os.sched_setaffinity(process.pid, cores)
            deadline_s = time.monotonic() + START_S_MAX
            while (ready := READY.search(os.pread(output.fileno(), 1 << 16, 0).decode())) is None:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    output.seek(0)
                    raise click.ClickException(f"'{arguments[0]}' did not start:\n{output.read()}")
                time.sleep(0.01)
            url = urlsplit(ready[1])
            yield Server(process.pid, url.hostname or "", url.port or 0)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def tree(pid: int) -> Iterator[Path]:
    """The ``/proc`` folder of ``pid`` and of every process below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        fields = _stat(entry) if entry.name.isdigit() else None
        if fields is not None:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
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
    ticks = 0
    for folder in tree(pid) if below else [Path("/proc", str(pid))]:
        fields = _stat(folder)
        if fields is not None:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_S


def pss_mib(pid: int) -> float | None:
    """Proportional memory of a process tree in MiB; None if the kernel does not show all of it."""
    kib = 0
    for folder in tree(pid):
        try:
            rollup = (folder / "smaps_rollup").read_text()
        except ProcessLookupError:
            continue
        except OSError:
            return None
        found = re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
        kib += int(found[1]) if found else 0
    return kib / 1024
