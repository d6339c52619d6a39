"""From a description to a request: what is refused, what is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from alonzo.sandbox.backends.namespaces import plan
from alonzo.sandbox.backends.namespaces.cgroup_trees import Tree, Trees
from alonzo.sandbox.base import Fitting, Mount, ProcessSpec, SandboxError, SandboxSpec, Zygote

MEMORY = Tree(1, Path("/m"), frozenset({"memory"}))
UNIFIED = Tree(2, Path("/u"), frozenset({"pids", "freezer"}))
TREES = Trees(MEMORY, UNIFIED, UNIFIED)
SPEC = SandboxSpec("one-1", processes_max=64)
FITTING = Fitting(memory_mib=128, tmp_mib=512)


def request(**changes):
    return plan.create_request(replace(SPEC, **changes), uid=5, trees=TREES)


def fit(**changes):
    return plan.fit_order(replace(FITTING, **changes), name=1)


def test_a_request_carries_the_description() -> None:
    asked = request(listen_ports=(9001,))
    assert (asked["ports"], asked["uid"]) == ([9001], 5)
    assert (asked["unified"], asked["cgroups"]) == (True, 1)
    assert not asked["sampled"]
    assert not asked["inspects"]


def test_an_order_to_fit_carries_the_description() -> None:
    asked = fit(mounts=(Mount(Path("/a"), "/var/task", False),))
    assert asked["mounts"] == [{"source": "/a", "target": "/var/task", "executable": False}]
    assert (asked["tmp_mib"], asked["memory_bytes"]) == (512, 128 << 20)


def test_only_a_zygote_has_mounts_of_its_own() -> None:
    mounts = (Mount(Path("/a"), "/var/lang"),)
    zygote = Zygote(("/var/lang/bin/python3", "-s"), "/var/runtime", "start", (("A", "b"),))
    order = plan.maker_order(replace(SPEC, mounts=mounts, zygote=zygote), trees=TREES)
    assert [mount["target"] for mount in order["mounts"]] == ["/var/lang"]
    assert order["zygote"] == {
        "interpreter": ["/var/lang/bin/python3", "-s"],
        "folder": "/var/runtime",
        "module": "start",
        "environment": {"A": "b"},
    }
    order = plan.maker_order(replace(SPEC, mounts=mounts), trees=TREES)
    assert (order["mounts"], order["zygote"]) == ([], None)


def test_pid_1_watches_memory_only_where_no_cgroup_does() -> None:
    asked = plan.create_request(SPEC, uid=None, trees=Trees())
    assert asked["sampled"]
    assert asked["inspects"]


@pytest.mark.parametrize("bad", ["", "A", "a/b", "a" * 41, "a\n", "../x"])
def test_an_id_that_is_no_plain_name_is_refused(bad: str) -> None:
    with pytest.raises(SandboxError, match="id"):
        request(id=bad)


@pytest.mark.parametrize(
    "target",
    [
        "task",
        "/",
        "/a/../b",
        "/a/",
        "/a//b",
        "/proc/x",
        "/proc",
        "/dev/null",
        "/tmp",
        "/tmp/a",
        "/run/etc",
    ],
)
def test_a_target_that_is_ours_or_not_plain_is_refused(target: str) -> None:
    with pytest.raises(SandboxError, match="mount target"):
        request(mounts=(Mount(Path("/a"), target),))
    with pytest.raises(SandboxError, match="mount target"):
        fit(mounts=(Mount(Path("/a"), target),))


def test_two_mounts_on_one_target_are_refused() -> None:
    with pytest.raises(SandboxError, match="twice"):
        request(mounts=(Mount(Path("/a"), "/x"), Mount(Path("/b"), "/x")))


def test_a_relative_source_is_refused() -> None:
    with pytest.raises(SandboxError, match="source"):
        request(mounts=(Mount(Path("a"), "/x"),))


def test_a_limit_of_nothing_is_refused() -> None:
    for limit in ("memory_mib", "tmp_mib"):
        with pytest.raises(SandboxError, match="limit"):
            fit(**{limit: 0})
    with pytest.raises(SandboxError, match="limit"):
        request(processes_max=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"argv": ("python",)},
        {"argv": ("/x", "a\0b")},
        {"environment": {"A": "\0"}},
        {"environment": {"A=B": "x"}},
        {"environment": {"": "x"}},
        {"cwd": "/\0"},
        {"fds": {0: 5}},
        {"fds": {256: 5}},
    ],
)
def test_a_process_that_can_be_started_nowhere_is_refused(changes) -> None:
    fields = {"argv": ("/bin/true",), "environment": {}, **changes}
    with pytest.raises(SandboxError):
        plan.start_order(ProcessSpec(**fields), name=1, descriptor_max=256)


def test_user_ids_are_high_apart_and_stable() -> None:
    ids = {plan.uid_of("main", slot) for slot in range(1000)}
    assert len(ids) == 1000
    assert all(0x70000000 <= uid < 0x80000000 for uid in ids)
    assert plan.uid_of("main", 7) == plan.uid_of("main", 7) != plan.uid_of("other", 7)


@pytest.mark.parametrize("bad", ["", "a-b", "A", "a" * 25, "a/b"])
def test_an_instance_that_could_be_mistaken_for_another_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        plan.cgroup_prefix(bad)
