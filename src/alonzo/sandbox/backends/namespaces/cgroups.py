"""Where this daemon may make cgroups, and one sandbox's set of them. Runs in the daemon.

Version 1 gives each controller its own tree, version 2 one tree for all; a host may have both
(hybrid). ``find`` reads what is mounted and where we stand, and picks for each need (memory,
processes, freezing) the tree that serves it. We stay below our own cgroup: the root of a tree
belongs to the host.

Rules learnt the hard way: a frozen version-1 task ignores ``SIGKILL`` until it is thawed; an
out-of-memory death leaves the other processes running (version 2 could end the group, but would
end pid 1 with it, which we want to keep), so an alarm tells us to end them; a cgroup can answer
``EBUSY`` to ``rmdir`` for a moment after its last process ended.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Tree:
    """A cgroup below which we may make ours. ``controllers`` it can give; version 1 or 2."""

    version: int
    path: Path
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Trees:
    """The tree that serves each need, or None."""

    memory: Tree | None = None
    pids: Tree | None = None
    freezer: Tree | None = None

    def distinct(self) -> tuple[Tree, ...]:
        """Each tree once."""
        return tuple(dict.fromkeys(filter(None, (self.memory, self.pids, self.freezer))))


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted cgroup hierarchy, and our own cgroup in it."""

    version: int
    mount_point: Path
    own: str
    controllers: frozenset[str]

    @property
    def path(self) -> Path:
        """Our own cgroup's folder."""
        return self.mount_point / self.own.lstrip("/")


def parse_hierarchies(own_cgroups: str, mount_info: str) -> tuple[Hierarchy, ...]:
    """What ``/proc/self/cgroup`` and ``/proc/self/mountinfo`` say together. Pure."""
    own: dict[frozenset[str], str] = {}
    for line in own_cgroups.splitlines():
        _, names, path = line.split(":", 2)
        own[frozenset(filter(None, names.split(",")))] = path
    found: list[Hierarchy] = []
    for line in mount_info.splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, _, options, *_) = before.split(), after.split()
        if kind == "cgroup2":
            wanted: frozenset[str] = frozenset()
        elif kind == "cgroup":
            wanted = next(
                (names for names in own if names and names <= set(options.split(","))),
                frozenset({"?"}),
            )
        else:
            continue
        path = own.get(wanted)
        if path is None:
            continue
        # A container may see only a part of the tree: its mount's root is then a prefix of ours.
        root = fields[3]
        if root != "/" and path.startswith(root):
            path = path.removeprefix(root) or "/"
        version = 2 if kind == "cgroup2" else 1
        found.append(Hierarchy(version, Path(_unescape(fields[4])), path, wanted))
    return tuple(found)


def _unescape(text: str) -> str:
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def find(name: str) -> Trees:
    """The trees in which this process may really make cgroups, tried by making one called ``name``.

    Version 2 is preferred wherever it serves: it freezes and kills better.
    """
    own = Path("/proc/self/cgroup").read_text()
    mounts = Path("/proc/self/mountinfo").read_text()
    memory = pids = freezer = None
    for hierarchy in sorted(parse_hierarchies(own, mounts), key=lambda h: -h.version):
        tree = (_usable_v2 if hierarchy.version == 2 else _usable_v1)(hierarchy, name)
        if tree is None:
            continue
        memory = memory or (tree if "memory" in tree.controllers else None)
        pids = pids or (tree if "pids" in tree.controllers else None)
        freezer = freezer or (tree if "freezer" in tree.controllers else None)
    return Trees(memory, pids, freezer)


def _usable_v1(hierarchy: Hierarchy, name: str) -> Tree | None:
    if not hierarchy.controllers & {"memory", "pids", "freezer"}:
        return None
    if not _may_make(hierarchy.path, name):
        return None
    return Tree(1, hierarchy.path, hierarchy.controllers)


def _usable_v2(hierarchy: Hierarchy, name: str) -> Tree | None:
    """Our own cgroup if it can hand its controllers down, else the nearest one above that does."""
    own = hierarchy.path
    wanted = {"memory", "pids"} & _words(own / "cgroup.controllers")
    if wanted and _hand_down(own, wanted, name):
        return Tree(2, own, frozenset({*wanted, "freezer"}))
    for folder in (own, *own.parents):
        if not folder.is_relative_to(hierarchy.mount_point):
            break
        given = {"memory", "pids"} & _words(folder / "cgroup.subtree_control")
        if given and _may_make(folder, name):
            return Tree(2, folder, frozenset({*given, "freezer"}))
    # No controllers (they are bound to version 1, or not delegated): freezing works all the same.
    return Tree(2, own, frozenset({"freezer"})) if _may_make(own, name) else None


def _hand_down(own: Path, wanted: set[str], name: str) -> bool:
    """Let our own cgroup's children have ``wanted``; if need be, step into a child ourselves.

    A version-2 cgroup that holds processes cannot hand controllers down. We may step aside only if
    all of its processes are ours.
    """
    if wanted <= _words(own / "cgroup.subtree_control"):
        return _may_make(own, name)
    order = " ".join(f"+{one}" for one in sorted(wanted))
    with contextlib.suppress(OSError):
        (own / "cgroup.subtree_control").write_text(order)
        return _may_make(own, name)
    try:
        if (own / "cgroup.procs").read_text().split() != [str(os.getpid())]:
            return False
        (own / "alonzo-daemon").mkdir(exist_ok=True)
        (own / "alonzo-daemon" / "cgroup.procs").write_text("0")
        (own / "cgroup.subtree_control").write_text(order)
    except OSError:
        return False
    return _may_make(own, name)


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def _may_make(folder: Path, name: str) -> bool:
    """Whether we can make a cgroup in ``folder`` and put a process into it."""
    probe = folder / name
    try:
        probe.mkdir()
    except FileExistsError:
        pass
    except OSError:
        return False
    try:
        return os.access(probe / "cgroup.procs", os.W_OK)
    finally:
        with contextlib.suppress(OSError):
            probe.rmdir()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use.

    ``memory_bytes`` is for its programs; files in ``/tmp`` (up to ``tmp_bytes``) are memory to the
    kernel and not to the user, so the kernel's limit is the sum, and the sandbox looks closer once
    ``memory_bytes`` are in use.
    """

    memory_bytes: int
    tmp_bytes: int
    pids: int


def limit_writes(tree: Tree, needs: Iterable[str], limits: Limits) -> list[tuple[str, str]]:
    """The files to write, in order, for one sandbox's cgroup in ``tree``. Pure.

    A file marked ``?`` may be missing: a kernel without swap has no swap limit.
    """
    writes: list[tuple[str, str]] = []
    total = str(limits.memory_bytes + limits.tmp_bytes)
    if "memory" in needs and tree.version == 1:
        writes += [
            ("memory.swappiness", "0"),
            ("memory.limit_in_bytes", total),
            ("?memory.memsw.limit_in_bytes", total),
        ]
    elif "memory" in needs:
        writes += [("memory.max", total), ("?memory.swap.max", "0")]
    if "pids" in needs:
        writes.append(("pids.max", str(limits.pids)))
    return writes


#: Files that are written as well as read.
_SWITCHES = frozenset({"freezer.state", "cgroup.freeze"})


class CgroupSet:
    """The cgroups of one sandbox, made when this object is."""

    def __init__(self, trees: Trees, name: str, limits: Limits) -> None:
        self._folders: dict[Tree, Path] = {}
        self._files: dict[str, int] = {}
        self.trees = trees
        try:
            for tree in trees.distinct():
                folder = tree.path / name
                folder.mkdir()
                self._folders[tree] = folder
                needs = [n for n in ("memory", "pids") if getattr(trees, n) == tree]
                for file, value in limit_writes(tree, needs, limits):
                    _write(folder, file, value)
        except OSError:
            self.remove()
            raise

    def open_members(self) -> list[int]:
        """A descriptor per cgroup; a process that writes ``0`` to each has joined."""
        flags = os.O_WRONLY | os.O_CLOEXEC
        opened: list[int] = []
        try:
            opened.extend(os.open(f / "cgroup.procs", flags) for f in self._folders.values())
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
        return _counter(self._read(name), "oom_kill")

    def program_bytes(self) -> int:
        """Bytes of programs, shared memory and files in ``/tmp``; not what the kernel caches."""
        text = self._read({1: "memory.stat", 2: "memory.stat"})
        return _counter(text, "rss") + _counter(text, "anon") + _counter(text, "shmem")

    def used_bytes(self) -> tuple[int, int]:
        """Bytes now and at the highest, caches and files in ``/tmp`` included."""
        current = self._read({1: "memory.usage_in_bytes", 2: "memory.current"})
        peak = self._read({1: "memory.max_usage_in_bytes", 2: "memory.peak"})
        # memory.peak is there since Linux 5.19.
        return int(current or 0), int(peak or current or 0)

    def _read(self, names: dict[int, str]) -> str:
        tree = self.trees.memory
        if tree is None or tree not in self._folders:
            return ""
        try:
            return os.pread(self._file(tree, names[tree.version]), 4096, 0).decode()
        except OSError:
            return ""

    def _file(self, tree: Tree, name: str) -> int:
        """A descriptor of one of our files, kept open: these are used several times an invoke."""
        file = self._files.get(name)
        if file is None:
            flags = os.O_RDWR if name in _SWITCHES else os.O_RDONLY
            file = os.open(self._folders[tree] / name, flags | os.O_CLOEXEC)
            self._files[name] = file
        return file

    def freeze(self) -> None:
        """Ask for every process to stop; ``frozen`` says when they have."""
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
        return b"frozen 1" in os.pread(self._file(tree, "cgroup.events"), 256, 0)

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


class MemoryAlarm(Protocol):
    """A descriptor for the event loop: readable when memory may have run out."""

    def fileno(self) -> int:
        """The descriptor to watch."""
        ...

    def acknowledge(self) -> bool:
        """Make it unreadable again; True if memory did run out."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class EventAlarm:
    """Version 1: the kernel counts up an eventfd just before it ends a process."""

    def __init__(self, folder: Path) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            control = os.open(folder / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _write(folder, "cgroup.event_control", f"{self._event} {control}")
            finally:
                os.close(control)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._event

    def acknowledge(self) -> bool:
        """Make it unreadable again; True if memory did run out."""
        try:
            return os.eventfd_read(self._event) > 0
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Let go."""
        os.close(self._event)


class FileAlarm:
    """Version 2: the file of event counts changes, which ``epoll`` shows as priority data.

    An ordinary event loop asks only for input, and such a file always has some: hence an epoll
    of its own, which is readable when the file has changed since it was last read.
    """

    def __init__(self, path: Path, counter: str = "oom_kill") -> None:
        self._counter = counter
        self._seen = 0
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(self._file, select.EPOLLPRI)
        self.acknowledge()

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._poll.fileno()

    def acknowledge(self) -> bool:
        """Make it unreadable again; True if the counter went up."""
        before = self._seen
        self._seen = _counter(os.pread(self._file, 4096, 0).decode(), self._counter)
        self._poll.poll(0)
        return self._seen > before

    def close(self) -> None:
        """Let go."""
        self._poll.close()
        os.close(self._file)


def _counter(text: str, name: str) -> int:
    return next((int(n) for k, n in map(str.split, text.splitlines()) if k == name), 0)


def _write(folder: Path, file: str, value: str) -> None:
    optional, file = file.startswith("?"), file.removeprefix("?")
    try:
        descriptor = os.open(folder / file, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if optional:
            return
        raise
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


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
            _write(folder, file, value)
    with contextlib.suppress(OSError):
        for pid in (folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
