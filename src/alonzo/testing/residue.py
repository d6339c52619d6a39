"""What a test or a daemon may not leave behind: on the host, and in its own process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from alonzo.sandbox.backends.namespaces.inside import rtnetlink
from alonzo.sandbox.backends.namespaces.network.pools import interface_prefix, owner_mark
from alonzo.sandbox.backends.namespaces.plan import cgroup_prefix


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this process holds at one moment."""

    descriptors: frozenset[tuple[int, str]]
    threads: frozenset[str]
    #: Command lines by process id. One that has just been forked still bears this process's own.
    children: Mapping[str, str]

    def gained_since(self, before: Holdings) -> list[str]:
        """One line for each thing held now and not before."""
        return [
            *(f"descriptor {fd}: {path}" for fd, path in self.descriptors - before.descriptors),
            *(f"thread {name}" for name in self.threads - before.threads),
            *(
                f"child process {pid} {command}"
                for pid, command in self.children.items()
                if pid not in before.children
            ),
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


def _children() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            pids = listing.read_text().split()
        except OSError:  # That thread has ended.
            continue
        for pid in pids:
            found[pid] = command_line(pid)
    return found


def command_line(pid: str) -> str:
    """What a process was started as; empty for a zombie or one that is gone."""
    try:
        return Path("/proc", pid, "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def left_of_daemon(data_dir: Path, pids: frozenset[int]) -> list[str]:
    """What still exists of a daemon that has ended.

    ``pids`` are the processes that were seen below it. The rest bears the data directory's path or
    a name made of it, so daemons of other tests do not count. A namespace lives as long as a
    process, a mount or a descriptor of one holds it, and an interface of a pair goes with either
    end's namespace: what would keep one is looked for here, and the host's ends are.
    """
    left = [f"process {pid} {command_line(str(pid))}" for pid in pids if _is_alive(pid)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    left += [f"mount {line.split()[4]}" for line in mounts if str(data_dir) in line]
    # As the daemon names it: daemon/catalog.py.
    instance = sha256(bytes(data_dir)).hexdigest()[:12]
    prefix = cgroup_prefix(instance)
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        left += [f"cgroup {folder}/{name}" for name in names if name.startswith(prefix)]
    return left + _left_on_network(instance)


def have_ended(pids: frozenset[int]) -> bool:
    """Whether none of those processes runs any more."""
    return not any(map(_is_alive, pids))


def left_in_run_folder(data_dir: Path) -> list[str]:
    """Files of a daemon that has ended, where only those of a running one are."""
    return [f"file {path}" for path in sorted((data_dir / "run").glob("**/*"))]


def _left_on_network(instance: str) -> list[str]:
    prefix = interface_prefix(instance)
    names = (name for _, name in socket.if_nameindex())
    left = [f"interface {name}" for name in names if name.startswith(prefix)]
    ours = rtnetlink.OUR_ROUTES, owner_mark(instance)
    with rtnetlink.Rtnetlink() as links:
        left += [
            f"route {route.to}"
            for route in links.routes()
            if (route.protocol, route.metric) == ours
        ]
    return left + [f"table {name}" for name in _packet_filter_tables() if instance in name]


def _packet_filter_tables() -> list[str]:
    """Names of the packet filter's tables in this network namespace; none without the right."""
    nft = shutil.which("nft", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if nft is None or os.geteuid() != 0:
        return []
    listing = subprocess.run([nft, "list", "tables"], capture_output=True, text=True, check=True)
    return [line.split()[-1] for line in listing.stdout.splitlines()]


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


@dataclass(slots=True)
class Seen:
    """Every process that was ever seen below a daemon, also one that lost its parent since.

    A number is given again, so the time of birth belongs to it.
    """

    _born: dict[int, str] = field(default_factory=dict[int, str])

    def look(self, pid: int) -> None:
        """Remember what is below ``pid`` now."""
        for each in descendants(pid):
            self._born[each] = _born(each)

    def named(self, name: str) -> list[int]:
        """Those alive whose name begins so."""
        return sorted(pid for pid in self.alive() if process_name(pid).startswith(name))

    def alive(self) -> frozenset[int]:
        """Those that have not ended."""
        return frozenset(
            pid for pid, born in self._born.items() if _is_alive(pid) and _born(pid) == born
        )


def _born(pid: int) -> str:
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def process_name(pid: int) -> str:
    """The name that a process gave itself; empty for one that is gone."""
    try:
        return Path("/proc", str(pid), "comm").read_text().strip()
    except OSError:
        return ""
