"""What the layers are called, and when a host is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from alonzo.sandbox.backends.namespaces.cgroup_trees import Tree, Trees
from alonzo.sandbox.backends.namespaces.probe import Facts, describe, require
from alonzo.sandbox.base import SandboxError

TREE = Tree(2, Path("/x"), frozenset({"memory", "pids", "freezer", "cpu"}))


def test_root_with_cgroups_has_every_layer() -> None:
    layers = {layer.name: layer for layer in describe(Facts(False, Trees(TREE, TREE, TREE, TREE)))}
    assert all(layer.active for layer in layers.values())
    assert layers["memory limit"].detail == "cgroup version 2"
    assert "user namespace" not in layers
    require(tuple(layers.values()))


def test_without_cgroups_the_other_ways_are_named_and_how_to_get_better() -> None:
    layers = {layer.name: layer for layer in describe(Facts(True, Trees()))}
    assert "25 ms" in layers["memory limit"].detail
    assert "RLIMIT_NPROC" in layers["process limit"].detail
    assert "SIGSTOP" in layers["freezer"].detail
    assert "Delegate" in layers["memory limit"].detail
    assert not layers["cpu share"].active
    assert "every processor" in layers["cpu share"].detail
    require(tuple(layers.values()))


def test_a_host_without_a_needed_layer_is_refused_with_the_fix() -> None:
    facts = Facts(True, Trees(), {"user namespace": "unshare: Operation not permitted"})
    with pytest.raises(SandboxError, match=r"user namespace: unshare.*max_user_namespaces"):
        require(describe(facts))


def test_an_ordinary_user_without_user_namespaces_is_told_of_that_alone() -> None:
    denied = "unshare: Operation not permitted"
    facts = Facts(True, Trees(), {"user namespace": denied, "pid namespace": denied})
    with pytest.raises(SandboxError) as refused:
        require(describe(facts))
    assert "pid namespace" not in str(refused.value)
