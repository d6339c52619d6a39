"""What a test or a daemon may not leave behind: descriptors, processes, mounts, cgroups."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this process holds at one moment."""

    descriptors: frozenset[tuple[int, str]]
    threads: frozenset[str]
    children: frozenset[str]

    def gained_since(self, before: Holdings) -> list[str]:
        """One line for each thing held now and not before."""
        return [
            *(f"descriptor {fd}: {path}" for fd, path in self.descriptors - before.descriptors),
            *(f"thread {name}" for name in self.threads - before.threads),
            *(f"child process {name}" for name in self.children - before.children),
        ]


def holdings(*, with_descriptors: bool = True) -> Holdings:
    """What this process holds now."""
    return Holdings(
        descriptors=_descriptors() if with_descriptors else frozenset(),
        threads=frozenset(f"{thread.ident} {thread.name}" for thread in threading.enumerate()),
        children=_children(),
    )


def _descriptors() -> frozenset[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except OSError:  # The listing's own descriptor is closed by now.
            continue
    return frozenset(found)


def _children() -> frozenset[str]:
    found: set[str] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            pids = listing.read_text().split()
        except OSError:  # That thread has ended.
            continue
        for pid in pids:
            found.add(f"{pid} {command_line(pid)}")
    return frozenset(found)


def command_line(pid: str) -> str:
    """What a process was started as; empty for a zombie or one that is gone."""
    try:
        return Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def left_of_daemon(data_dir: Path, pids: frozenset[int]) -> list[str]:
    """What still exists of a daemon that has ended.

    ``pids`` are the processes that were seen below it. Mounts and cgroups are recognised by the
    data directory's path, so daemons of other tests do not count.
    """
    left = [f"process {pid} {command_line(str(pid))}" for pid in pids if _is_alive(pid)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left += [f"mount {line.split()[4]}" for line in mounts if str(data_dir) in line]
    # As the daemon names them: daemon/catalog.py, sandbox/backends/namespaces/plan.py.
    prefix = f"alonzo-{sha256(bytes(data_dir)).hexdigest()[:12]}-"
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        left += [f"cgroup {folder}/{name}" for name in names if name.startswith(prefix)]
    return left


def descendants(pid: int) -> frozenset[int]:
    """Every process below ``pid`` now."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The command's name may hold spaces and brackets; the parent is second after it.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        for child in parents.get(todo.pop(), []):
            found.add(child)
            todo.append(child)
    return frozenset(found)


def _is_alive(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
