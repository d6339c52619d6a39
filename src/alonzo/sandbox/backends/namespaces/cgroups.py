"""One sandbox's set of cgroups. Runs in the daemon.

Rules learnt the hard way: a frozen version-1 task ignores ``SIGKILL`` until it is thawed; an
out-of-memory death leaves the other processes running (version 2 could end the group, but would
end pid 1 with it, which we want to keep), so an alarm tells us to end them; a cgroup can answer
``EBUSY`` to ``rmdir`` for a moment after its last process ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alonzo.sandbox.backends.namespaces.alarms import EventAlarm, FileAlarm, MemoryAlarm
from alonzo.sandbox.backends.namespaces.cgroup_files import counter, write
from alonzo.sandbox.backends.namespaces.cgroup_trees import Tree, Trees

MIB = 1 << 20

#: Processor time is dealt out anew each period. A sandbox that has used up its share stands still
#: until the next: at 0.25 processors for 27 ms, with the kernel's usual 100 ms for 73 (measured).
#: The least quota that the kernel takes is 1 ms, so the period can be no shorter.
CPU_PERIOD_US = 20_000
_CPU_QUOTA_US_MIN = 1_000

#: Version 1 counts what TCP and UDP hold for programs apart from all other memory, and only where
#: it has a limit: without one a sandbox of 128 MiB held 2 GiB so (measured), all of a host's share.
_SOCKET_BYTES_MIN = 16 * MIB
_SOCKET_SHARE = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox's programs may use once it is fitted.

    ``memory_bytes`` is for its programs; files in ``/tmp`` (up to ``tmp_bytes``) are memory to the
    kernel and not to the user, so the kernel's limit is the sum, and the sandbox looks closer once
    ``memory_bytes`` are in use.
    """

    memory_bytes: int
    tmp_bytes: int


def first_writes(tree: Tree, needs: Iterable[str], *, pids: int) -> list[tuple[str, str]]:
    """The files to write, in order, when one sandbox's cgroup in ``tree`` is made. Pure."""
    table = {
        (1, "memory"): [("memory.swappiness", "0")],
        (2, "memory"): [("?memory.swap.max", "0")],
        (1, "pids"): [("pids.max", str(pids))],
        (2, "pids"): [("pids.max", str(pids))],
        (1, "cpu"): [("cpu.cfs_period_us", str(CPU_PERIOD_US))],
    }
    return [one for need in needs for one in table.get((tree.version, need), ())]


def memory_writes(tree: Tree, limits: Limits) -> list[tuple[str, str]]:
    """The files to write, in order, when it is fitted. Pure.

    Version 1 lets memory with swap never be less than memory, and both begin without a limit.
    """
    total = str(limits.memory_bytes + limits.tmp_bytes)
    if tree.version == 1:
        sockets = str(max(limits.memory_bytes // _SOCKET_SHARE, _SOCKET_BYTES_MIN))
        return [
            ("memory.limit_in_bytes", total),
            ("?memory.memsw.limit_in_bytes", total),
            ("?memory.kmem.tcp.limit_in_bytes", sockets),
        ]
    return [("memory.max", total)]


def cpu_write(tree: Tree, cpus: float | None) -> tuple[str, bytes]:
    """The file that says how many processors may be used, and what to write. Pure."""
    quota = None if cpus is None else max(round(cpus * CPU_PERIOD_US), _CPU_QUOTA_US_MIN)
    if tree.version == 1:
        return "cpu.cfs_quota_us", b"-1" if quota is None else b"%d" % quota
    return "cpu.max", b"max %d" % CPU_PERIOD_US if quota is None else b"%d %d" % (
        quota,
        CPU_PERIOD_US,
    )


_CURRENT = {1: "memory.usage_in_bytes", 2: "memory.current"}

#: ``memory.peak`` is there since Linux 5.19; before, the highest that we have seen is the peak.
_PEAK = {1: "memory.max_usage_in_bytes", 2: "memory.peak"}

#: Files that are read at every invoke, and again and again while it lasts.
_COUNTERS = frozenset({*_CURRENT.values(), *_PEAK.values()})


class CgroupSet:
    """The cgroups of one sandbox, made when this object is."""

    def __init__(self, trees: Trees, name: str, *, pids: int) -> None:
        self._folders: dict[Tree, Path] = {}
        self._files: dict[str, int] = {}
        self._highest_seen = 0
        self.trees = trees
        try:
            for tree in trees.distinct():
                folder = tree.path / name
                folder.mkdir()
                self._folders[tree] = folder
                needs = [n for n in ("memory", "pids", "cpu") if getattr(trees, n) == tree]
                for file, value in first_writes(tree, needs, pids=pids):
                    write(folder, file, value)
        except OSError:
            self.remove()
            raise

    def limit_memory(self, limits: Limits) -> None:
        """Set what is known only once the sandbox is some function's."""
        tree = self.trees.memory
        if tree is not None:
            for file, value in memory_writes(tree, limits):
                write(self._folders[tree], file, value)

    def limit_cpu(self, cpus: float | None) -> None:
        """Let all processes together use so many processors; None: no limit."""
        tree = self.trees.cpu
        if tree is not None:
            file, value = cpu_write(tree, cpus)
            write(self._folders[tree], file, value.decode())

    def open_members(self) -> list[int]:
        """A descriptor per cgroup, to join it: version 2 first, its folder; then lists of threads.

        A process that is made in the folder is a member, and so is one with a single thread that
        writes ``0`` to each list. Other ways cost a lock over all processes and its grace period
        (10 ms), the list of processes in version 1 too.
        """
        opened: list[int] = []
        try:
            for tree in sorted(self._folders, key=lambda tree: -tree.version):
                folder = self._folders[tree]
                if tree.version == 2:
                    opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                else:
                    opened.append(os.open(folder / "tasks", os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            for descriptor in opened:
                os.close(descriptor)
            raise
        return opened

    def open_lists(self) -> list[int]:
        """A descriptor per cgroup for a helper that moves others into it, by their pids.

        That takes the lock over all processes and its grace period (10 ms), for all together.
        """
        opened: list[int] = []
        try:
            for tree, folder in self._folders.items():
                name = "tasks" if tree.version == 1 else "cgroup.procs"
                opened.append(os.open(folder / name, os.O_WRONLY | os.O_CLOEXEC))
        except OSError:
            for descriptor in opened:
                os.close(descriptor)
            raise
        return opened

    def open_memory_alarm(self) -> MemoryAlarm | None:
        """Tells when the kernel found no memory, or None where nothing counts memory.

        There is no alarm for ``memory_bytes``: to set a threshold costs version 1 a grace period
        (10 ms, measured), and version 2 slows down what is above its "high". So the sandbox looks.
        """
        tree = self.trees.memory
        if tree is None:
            return None
        folder = self._folders[tree]
        return EventAlarm(folder) if tree.version == 1 else FileAlarm(folder / "memory.events")

    def out_of_memory_kills(self) -> int:
        """How many processes the kernel ended for want of memory, so far."""
        name = {1: "memory.oom_control", 2: "memory.events"}
        return counter(self._read(name), "oom_kill")

    def program_bytes(self) -> int:
        """Bytes of programs, shared memory and files in ``/tmp``; not what the kernel caches."""
        text = self._read({1: "memory.stat", 2: "memory.stat"})
        return counter(text, "rss") + counter(text, "anon") + counter(text, "shmem")

    def current_bytes(self) -> int:
        """Bytes now, caches and files in ``/tmp`` included."""
        current = int(self._read(_CURRENT) or 0)
        self._highest_seen = max(self._highest_seen, current)
        return current

    def used_bytes(self) -> tuple[int, int]:
        """Bytes now and at the highest, caches and files in ``/tmp`` included."""
        return self.current_bytes(), self.peak_bytes()

    def peak_bytes(self) -> int:
        """The second of these alone."""
        peak = self._read(_PEAK)
        return int(peak) if peak else max(self._highest_seen, self.current_bytes())

    def _read(self, names: dict[int, str]) -> str:
        tree = self.trees.memory
        if tree is None:
            return ""
        name = names[tree.version]
        opened = self._files.get(name)
        try:
            if opened is not None:
                return os.pread(opened, 64, 0).decode()
            if tree not in self._folders:
                return ""
            if name in _COUNTERS:
                return os.pread(self._file(tree, name), 64, 0).decode()
            return (self._folders[tree] / name).read_text()
        except OSError:
            return ""

    def _file(self, tree: Tree, name: str) -> int:
        """A descriptor of one of our files, kept open: it is used at every invoke."""
        file = self._files.get(name)
        if file is None:
            flags = os.O_RDONLY if name in _COUNTERS else os.O_RDWR
            file = os.open(self._folders[tree] / name, flags | os.O_CLOEXEC)
            self._files[name] = file
        return file

    def freeze(self) -> None:
        """Ask for every process to stop; ``frozen`` says when they have."""
        for name in _COUNTERS & self._files.keys():  # a thousand sandboxes may lie idle
            os.close(self._files.pop(name))
        self._set_frozen(True)

    def thaw(self) -> None:
        """Let them run again."""
        self._set_frozen(False)

    def _set_frozen(self, frozen: bool) -> None:
        tree = self.trees.freezer
        assert tree is not None
        if tree.version == 1:
            self._switch(tree, "freezer.state", b"FROZEN" if frozen else b"THAWED")
        else:
            self._switch(tree, "cgroup.freeze", b"1" if frozen else b"0")

    def _switch(self, tree: Tree, name: str, value: bytes) -> None:
        os.pwrite(self._file(tree, name), value, 0)

    def frozen(self) -> bool:
        """Whether every process has stopped."""
        tree = self.trees.freezer
        assert tree is not None
        if tree.version == 1:
            state = os.pread(self._file(tree, "freezer.state"), 64, 0).strip()
            if state == b"FREEZING":  # writing again makes the kernel look again
                self._switch(tree, "freezer.state", b"FROZEN")
            return state == b"FROZEN"
        return "frozen 1" in (self._folders[tree] / "cgroup.events").read_text()

    def remove(self) -> bool:
        """Remove what can be removed; True if nothing is left."""
        while self._files:
            os.close(self._files.popitem()[1])
        for tree, folder in list(self._folders.items()):
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError as err:
                if err.errno != errno.EBUSY:
                    raise
                continue
            del self._folders[tree]
        return not self._folders


def leftovers(trees: Trees, prefix: str) -> Iterator[Path]:
    """Cgroups whose names begin with ``prefix``: what a dead daemon left."""
    for tree in trees.distinct():
        for folder in tree.path.iterdir():
            if folder.name.startswith(prefix) and folder.is_dir():
                yield folder


def end_processes(folder: Path) -> None:
    """Kill whatever is in a cgroup, frozen or not."""
    for file, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0"), ("cgroup.kill", "1")):
        with contextlib.suppress(OSError):
            write(folder, file, value)
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
