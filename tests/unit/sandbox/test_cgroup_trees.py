"""Reading where we stand among the cgroups, from texts of real hosts."""

from __future__ import annotations

from pathlib import Path

from alonzo.sandbox.backends.namespaces import cgroup_trees
from alonzo.sandbox.backends.namespaces.cgroup_trees import Hierarchy, Tree, Trees
from alonzo.sandbox.backends.namespaces.cgroups import (
    Limits,
    cpu_write,
    first_writes,
    memory_writes,
)

LIMITS = Limits(memory_bytes=900, tmp_bytes=100)

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 23 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
)
UNIFIED = "34 23 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


def found(own: str, mounts: str) -> dict[str, Path]:
    return {
        ",".join(sorted(h.controllers)) or f"v{h.version}": h.path
        for h in cgroup_trees.parse_hierarchies(own, mounts)
    }


def test_version_2_alone() -> None:
    assert cgroup_trees.parse_hierarchies("0::/user.slice/a.scope\n", V2) == (
        Hierarchy(2, Path("/sys/fs/cgroup"), "/user.slice/a.scope", frozenset()),
    )


def test_each_version_1_controller_may_stand_elsewhere() -> None:
    own = "4:memory:/deep/er\n2:cpu,cpuacct:/\n1:name=systemd:/x\n"
    assert found(own, V1) == {
        "memory": Path("/sys/fs/cgroup/memory/deep/er"),
        "cpu,cpuacct": Path("/sys/fs/cgroup/cpu,cpuacct"),
        "name=systemd": Path("/sys/fs/cgroup/systemd/x"),
    }


def test_a_hybrid_host_has_both() -> None:
    both = found("4:memory:/m\n0::/u\n", V1 + UNIFIED)
    assert both["v2"] == Path("/sys/fs/cgroup/unified/u")
    assert both["memory"] == Path("/sys/fs/cgroup/memory/m")


def test_a_container_sees_its_part_of_the_tree_as_the_whole() -> None:
    mounts = "31 23 0:27 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    assert found("4:memory:/docker/abc\n", mounts) == {"memory": Path("/sys/fs/cgroup/memory")}
    assert found("4:memory:/docker/abc/x\n", mounts) == {"memory": Path("/sys/fs/cgroup/memory/x")}


def test_a_mount_point_with_a_space_is_understood() -> None:
    mounts = "30 23 0:26 / /sys/fs/c\\040group rw - cgroup2 cgroup2 rw\n"
    assert found("0::/a\n", mounts) == {"v2": Path("/sys/fs/c group/a")}


def test_version_1_limits_memory_before_memory_with_swap() -> None:
    tree = Tree(1, Path("/x"), frozenset({"memory"}))
    assert first_writes(tree, ["memory"], pids=5) == [("memory.swappiness", "0")]
    assert memory_writes(tree, LIMITS) == [
        ("memory.limit_in_bytes", "1000"),
        ("?memory.memsw.limit_in_bytes", "1000"),
        ("?memory.kmem.tcp.limit_in_bytes", str(16 << 20)),
    ]


def test_version_2_has_every_limit_in_one_folder() -> None:
    tree = Tree(2, Path("/x"), frozenset({"memory", "pids", "cpu"}))
    assert first_writes(tree, ["memory", "pids", "cpu"], pids=5) == [
        ("?memory.swap.max", "0"),
        ("pids.max", "5"),
    ]
    assert memory_writes(tree, LIMITS) == [("memory.max", "1000")]


def test_processor_time_is_a_share_of_each_period() -> None:
    one, two = (Tree(version, Path("/x"), frozenset({"cpu"})) for version in (1, 2))
    assert first_writes(one, ["cpu"], pids=5) == [("cpu.cfs_period_us", "20000")]
    assert cpu_write(one, 0.25) == ("cpu.cfs_quota_us", b"5000")
    assert cpu_write(one, None) == ("cpu.cfs_quota_us", b"-1")
    assert cpu_write(two, 1.5) == ("cpu.max", b"30000 20000")
    assert cpu_write(two, None) == ("cpu.max", b"max 20000")


def test_the_kernel_takes_no_quota_below_a_millisecond() -> None:
    assert cpu_write(Tree(1, Path("/x"), frozenset({"cpu"})), 0.01) == ("cpu.cfs_quota_us", b"1000")


def test_a_tree_that_serves_two_needs_is_one_cgroup() -> None:
    tree = Tree(2, Path("/x"), frozenset({"memory", "pids", "freezer"}))
    assert Trees(tree, tree, tree).distinct() == (tree,)
