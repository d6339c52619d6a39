"""Where this daemon may make cgroups.

Version 1 gives each controller its own tree, version 2 one tree for all; a host may have both
(hybrid). ``find`` reads what is mounted and where we stand, and picks for each need (memory,
processes, freezing, processor time) the tree that serves it. We stay below our own cgroup: the
root of a tree belongs to the host.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_NEEDS = frozenset({"memory", "pids", "freezer", "cpu"})

#: What version 2 must hand down to be of use, beside freezing, which it always can.
_CONTROLLERS_V2 = frozenset({"memory", "pids", "cpu"})


#: Where we step aside to, in a cgroup that is to hand its controllers down.
_ASIDE = "alonzo-daemon"


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
    cpu: Tree | None = None

    def distinct(self) -> tuple[Tree, ...]:
        """Each tree once."""
        needs = (self.memory, self.pids, self.freezer, self.cpu)
        return tuple(dict.fromkeys(filter(None, needs)))


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
    served: dict[str, Tree] = {}
    for hierarchy in sorted(parse_hierarchies(own, mounts), key=lambda h: -h.version):
        tree = (_usable_v2 if hierarchy.version == 2 else _usable_v1)(hierarchy, name)
        if tree is None:
            continue
        for need in _NEEDS & tree.controllers:
            served.setdefault(need, tree)
    return Trees(**served)


def _usable_v1(hierarchy: Hierarchy, name: str) -> Tree | None:
    if not hierarchy.controllers & _NEEDS:
        return None
    if not _may_make(hierarchy.path, name):
        return None
    return Tree(1, hierarchy.path, hierarchy.controllers)


def _usable_v2(hierarchy: Hierarchy, name: str) -> Tree | None:
    """Our own cgroup if it can hand its controllers down, else the nearest one above that does."""
    own = hierarchy.path
    if own.name == _ASIDE:  # we did so before, or whoever started us
        own = own.parent
    wanted = _CONTROLLERS_V2 & _words(own / "cgroup.controllers")
    if wanted and _hand_down(own, wanted, name):
        return Tree(2, own, frozenset({*wanted, "freezer"}))
    for folder in (own, *own.parents):
        if not folder.is_relative_to(hierarchy.mount_point):
            break
        given = _CONTROLLERS_V2 & _words(folder / "cgroup.subtree_control")
        if given and _may_move_below(folder, name):
            return Tree(2, folder, frozenset({*given, "freezer"}))
    # No controllers (they are bound to version 1, or not delegated): freezing works all the same.
    return Tree(2, own, frozenset({"freezer"})) if _may_move_below(own, name) else None


def _hand_down(own: Path, wanted: frozenset[str], name: str) -> bool:
    """Let our own cgroup's children have ``wanted``; if need be, step into a child ourselves.

    A version-2 cgroup that holds processes cannot hand controllers down. We may step aside only if
    all of its processes are ours.
    """
    if wanted <= _words(own / "cgroup.subtree_control"):
        return _may_move_below(own, name)
    order = " ".join(f"+{one}" for one in sorted(wanted))
    with contextlib.suppress(OSError):
        (own / "cgroup.subtree_control").write_text(order)
        return _may_move_below(own, name)
    try:
        if (own / "cgroup.procs").read_text().split() != [str(os.getpid())]:
            return False
        (own / _ASIDE).mkdir(exist_ok=True)
        (own / _ASIDE / "cgroup.procs").write_text("0")
        (own / "cgroup.subtree_control").write_text(order)
    except OSError:
        return False
    return _may_move_below(own, name)


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def _may_move_below(folder: Path, name: str) -> bool:
    """The same for version 2, which asks for the right to both cgroups' common ancestor, too."""
    return os.access(folder / "cgroup.procs", os.W_OK) and _may_make(folder, name)


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
