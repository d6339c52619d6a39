"""What ``alonzo doctor`` says of hosts that we do not have."""

from __future__ import annotations

import pytest

from alonzo.cli.doctor import warnings
from alonzo.daemon.advice import Availability, of_gvisor, of_isolation, of_runtimes
from alonzo.daemon.host import HostFacts
from alonzo.daemon.routes import NOT_ISOLATED
from alonzo.sandbox.base import Layer

REFUSED = "this host cannot isolate: mount namespace: it: Operation not permitted"
LIMITED = (
    Layer("memory limit", True, "cgroup version 2"),
    Layer("cpu share", True, "cgroup version 2"),
)
UNLIMITED = (
    Layer("memory limit", True, "by looking every 25 ms"),
    Layer("cpu share", False, "not limited"),
)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (HostFacts(root=True, container="Docker"), "this is a container (Docker)"),
        (HostFacts(root=False, container="Podman"), "--privileged"),
        (HostFacts(root=True), "CAP_SYS_ADMIN"),
        (HostFacts(root=False, user_namespaces_max=0), "user.max_user_namespaces=15000"),
        (HostFacts(root=False, user_namespaces_allowed=False), "unprivileged_userns_clone=1"),
        (HostFacts(root=False, apparmor_restricts=True), "apparmor_restrict_unprivileged_userns=0"),
        (HostFacts(root=False, user_namespaces_max=9), "run as root"),
    ],
)
def test_a_host_that_cannot_isolate_is_told_why_and_what_to_do(facts, told):
    refused, *because, last = of_isolation(facts, (), REFUSED)
    assert (refused.name, refused.ok, refused.detail) == ("namespaces", False, REFUSED)
    assert [row.name for row in because] == ["because"] * len(because)
    assert any(told in row.detail for row in because)
    assert (last.name, last.ok) == ("none", None)
    assert "--isolation none" in last.detail
    assert "code that you trust" in last.detail


def test_every_cause_is_named_and_root_is_not_told_of_settings_for_others():
    facts = {"container": "lxc", "user_namespaces_max": 0, "apparmor_restricts": True}
    assert len(of_isolation(HostFacts(root=False, **facts), (), REFUSED)) == 5
    assert len(of_isolation(HostFacts(root=True, **facts), (), REFUSED)) == 3


def test_a_host_without_cgroups_is_told_how_to_get_them():
    *layers, cgroups = of_isolation(HostFacts(root=False), UNLIMITED, None)
    assert [(row.name, row.ok) for row in layers] == [("memory limit", True), ("cpu share", False)]
    assert (cgroups.name, cgroups.ok) == ("cgroups", False)
    assert "Delegate=yes" in cgroups.detail
    inside = of_isolation(HostFacts(root=True, container="Docker"), UNLIMITED, None)[-1]
    assert "--cgroupns=private" in inside.detail
    assert [row.ok for row in of_isolation(HostFacts(root=True), LIMITED, None)] == [True, True]


def test_gvisor_is_nothing_that_a_host_must_have():
    for facts, ok, told in (
        (HostFacts(root=True), None, "apt-get install runsc"),
        (HostFacts(root=False, runsc="release-1"), None, "needs root"),
        (HostFacts(root=True, runsc="release-1"), True, "runsc release-1"),
    ):
        row = of_gvisor(facts)
        assert row.ok is ok
        assert told in row.detail


def test_runtimes_that_can_be_used_come_first_and_the_others_one_line_a_family():
    rows = of_runtimes(
        [
            Availability("python3.11", "python", fix="install 3.11"),
            Availability("python3.12", "python", found="/usr"),
            Availability("java8", "java", fix="install 8"),
            Availability("java21", "java", fix="install 21"),
            Availability("provided.al2", "provided", found="its own"),
        ]
    )
    assert [(row.name, row.ok, row.detail) for row in rows] == [
        ("python3.12", True, "/usr"),
        ("provided.al2", True, "its own"),
        ("python", False, "not here: python3.11. install 3.11"),
        ("java", False, "not here: java8, java21. install 21"),
    ]


def test_a_platform_that_runs_without_isolation_is_warned_of():
    assert warnings({"isolation": "namespaces"}) == []
    (warning,) = warnings({"isolation": "none", "warning": NOT_ISOLATED})
    assert warning.ok is False
    assert warning.detail == f"--isolation none: {NOT_ISOLATED}"
