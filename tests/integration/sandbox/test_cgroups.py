"""Cgroups of both versions with real processes, whichever the backend would pick on this host."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alonzo.sandbox.backends.namespaces import cgroup_trees, cgroups
from alonzo.sandbox.backends.namespaces.alarms import FileAlarm
from alonzo.sandbox.backends.namespaces.cgroup_trees import Tree, Trees
from alonzo.sandbox.backends.namespaces.cgroups import CgroupSet


def _freezer(version: int, name: str) -> Tree:
    own = Path("/proc/self/cgroup").read_text()
    mounts = Path("/proc/self/mountinfo").read_text()
    for hierarchy in cgroup_trees.parse_hierarchies(own, mounts):
        right = version == 2 or "freezer" in hierarchy.controllers
        if hierarchy.version == version and right:
            with contextlib.suppress(OSError):
                (hierarchy.path / name).mkdir()
                (hierarchy.path / name).rmdir()
                return Tree(version, hierarchy.path, frozenset({"freezer"}))
    pytest.skip(f"no version {version} cgroups that we may make here")


@pytest.fixture(params=[1, 2])
def group(request: pytest.FixtureRequest, tmp_path: Path):
    name = f"alonzo-test-{os.getpid()}-{request.param}"
    trees = Trees(freezer=_freezer(request.param, name))
    made = CgroupSet(trees, name, pids=5)
    yield made
    for folder in cgroups.leftovers(trees, name):
        cgroups.end_processes(folder)
    deadline = time.monotonic() + 5
    while not made.remove():
        assert time.monotonic() < deadline


def _member(group: CgroupSet, *argv: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(argv)
    for folder in cgroups.leftovers(group.trees, f"alonzo-test-{os.getpid()}"):
        (folder / "cgroup.procs").write_text(str(process.pid))
    return process


def test_a_frozen_cgroup_is_frozen_until_thawed(group: CgroupSet) -> None:
    with _member(group, "/bin/sh", "-c", "while :; do :; done") as process:
        group.freeze()
        deadline = time.monotonic() + 5
        while not group.frozen():
            assert time.monotonic() < deadline
        spent = _processor_ticks(process.pid)
        time.sleep(0.1)
        assert _processor_ticks(process.pid) == spent
        group.thaw()
        while _processor_ticks(process.pid) == spent:
            assert time.monotonic() < deadline
        process.kill()


def _processor_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


def test_leftovers_are_ended_even_if_frozen(group: CgroupSet) -> None:
    with _member(group, "/bin/sleep", "60") as process:
        group.freeze()
        (tree,) = group.trees.distinct()
        (folder,) = cgroups.leftovers(group.trees, f"alonzo-test-{os.getpid()}")
        assert folder.parent == tree.path
        cgroups.end_processes(folder)
        assert process.wait(5) == -9


def test_a_file_of_counters_wakes_the_event_loop_when_it_changes() -> None:
    name = f"alonzo-test-{os.getpid()}-alarm"
    group = CgroupSet(Trees(freezer=_freezer(2, name)), name, pids=5)
    (folder,) = cgroups.leftovers(group.trees, name)
    alarm = FileAlarm(folder / "cgroup.events", counter="populated")
    try:
        assert not select.select([alarm], [], [], 0)[0]
        with _member(group, "/bin/sleep", "60") as process:
            assert select.select([alarm], [], [], 5)[0]
            assert alarm.acknowledge()
            assert not select.select([alarm], [], [], 0)[0]
            process.kill()
        assert select.select([alarm], [], [], 5)[0]
        assert not alarm.acknowledge()
    finally:
        alarm.close()
        deadline = time.monotonic() + 5
        while not group.remove():
            assert time.monotonic() < deadline


#: Run by a process that is alone in a cgroup. What it finds twice, and where it then is.
FIND_TWICE = """
import sys
from pathlib import Path
from alonzo.sandbox.backends.namespaces import cgroup_trees
Path(sys.argv[1], "cgroup.procs").write_text("0")
first, second = (cgroup_trees.find("alonzo-test-probe") for _ in range(2))
assert first == second, (first, second)
print(first.memory.path, *sorted(first.memory.controllers))
print(Path("/proc/self/cgroup").read_text().strip().rpartition("/")[2])
"""


def test_who_is_alone_in_a_version_2_cgroup_steps_aside_once() -> None:
    name = f"alonzo-test-{os.getpid()}-alone"
    tree = cgroup_trees.find(name).memory
    if tree is None or tree.version != 2:
        pytest.skip("version 2 counts no memory here")
    folder = tree.path / name
    folder.mkdir()
    try:
        argv = [sys.executable, "-c", FIND_TWICE, str(folder)]
        told = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        found, aside = told.splitlines()
        assert found.split() == [str(folder), "cpu", "freezer", "memory", "pids"]
        assert aside == "alonzo-daemon"
    finally:
        for each in (*folder.glob("*/"), folder):
            each.rmdir()


def test_where_the_kernel_keeps_no_peak_the_highest_that_was_seen_is_one(tmp_path: Path) -> None:
    """As version 2 before Linux 5.19."""
    tree = Tree(2, tmp_path, frozenset({"memory"}))
    group = CgroupSet(Trees(memory=tree), "fake", pids=5)
    file = tmp_path / "fake" / "memory.current"
    for now, highest in ((50, 50), (70, 70), (60, 70)):
        file.write_text(f"{now}\n")
        assert group.used_bytes() == (now, highest)
        assert group.peak_bytes() == highest
    file.unlink()
    assert group.remove()
