"""What this host gives, found by doing each thing once. Also for ``alonzo doctor``.

``probe`` does, in a throw-away process; ``describe`` says, and is pure.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import alonzo
from alonzo.sandbox.backends.namespaces import seccomp
from alonzo.sandbox.backends.namespaces.cgroup_trees import Tree, Trees
from alonzo.sandbox.base import Layer, SandboxError

PROBE_S_MAX = 20.0

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from alonzo.sandbox.backends.namespaces.probed import main; main(sys.argv[2] == 'rootless')"
)

#: Layers that the backend does not run without, with how to get each.
_NEEDED = {
    "user namespace": (
        "allow user namespaces for ordinary users (sysctl user.max_user_namespaces, "
        "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), "
        "or run as root"
    ),
    "mount namespace": "run as root with CAP_SYS_ADMIN, or allow user namespaces",
    "pid namespace": "run as root with CAP_SYS_ADMIN, or allow user namespaces",
    "network namespace": "run as root with CAP_SYS_ADMIN, or allow user namespaces",
    "ipc namespace": "run as root with CAP_SYS_ADMIN, or allow user namespaces",
    "uts namespace": "run as root with CAP_SYS_ADMIN, or allow user namespaces",
    "seccomp": "a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64",
    "no_new_privs": "Linux 3.5 or later",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. ``failures``: for each layer that could not be had, why."""

    rootless: bool
    trees: Trees
    failures: dict[str, str] = field(default_factory=dict[str, str])


def probe(*, rootless: bool, trees: Trees, python: str = sys.executable) -> Facts:
    """Do each thing once, in a process of its own. Blocks for about 20 ms."""
    if platform.machine() not in seccomp.MACHINES:
        return Facts(rootless, trees, {"seccomp": f"no filter for {platform.machine()}"})
    argv = [python, "-I", "-S", "-c", _PROGRAM, str(Path(alonzo.__file__).parents[1])]
    argv.append("rootless" if rootless else "root")
    try:
        done = subprocess.run(argv, env={}, capture_output=True, timeout=PROBE_S_MAX, check=True)
    except (OSError, subprocess.SubprocessError) as err:
        return Facts(rootless, trees, {"mount namespace": f"the probe failed: {err}"})
    return Facts(rootless, trees, json.loads(done.stdout))


def describe(facts: Facts) -> tuple[Layer, ...]:
    """The layers in words, those that a sandbox cannot do without first."""
    layers = [
        _needed(name, facts) for name in _NEEDED if facts.rootless or name != "user namespace"
    ]
    return (*layers, _identity(facts), *_limits(facts))


def require(layers: tuple[Layer, ...]) -> None:
    """Let a host pass only if it has every layer that a sandbox cannot do without.

    Raises:
        SandboxError: one is missing; the text names it, the reason and the fix.
    """
    missing = [layer for layer in layers if layer.name in _NEEDED and not layer.active]
    if missing:
        if missing[0].name == "user namespace":  # without which an ordinary user has no other
            del missing[1:]
        raise SandboxError(
            "this host cannot isolate: "
            + "; ".join(f"{layer.name}: {layer.detail}" for layer in missing)
        )


def _needed(name: str, facts: Facts) -> Layer:
    failure = facts.failures.get(name)
    if failure is None:
        return Layer(name, True, "active")
    return Layer(name, False, f"{failure}; to get it: {_NEEDED[name]}")


def _identity(facts: Facts) -> Layer:
    if facts.rootless:
        return Layer(
            "unprivileged user",
            True,
            "each process has a user namespace of its own, without capabilities; outside it is "
            "the user who runs the platform (run as root for a user id per sandbox)",
        )
    return Layer("unprivileged user", True, "a user id per sandbox, without capabilities")


def _limits(facts: Facts) -> tuple[Layer, ...]:
    fix = "run as root, or in a delegated cgroup (systemd-run --user --scope -p Delegate=yes)"
    trees = facts.trees

    def layer(name: str, tree: Tree | None, otherwise: str) -> Layer:
        if tree is not None:
            return Layer(name, True, f"cgroup version {tree.version}")
        return Layer(name, True, f"{otherwise}; for a cgroup: {fix}")

    return (
        layer(
            "memory limit",
            trees.memory,
            "by looking every 25 ms at what processes map, with memfds and System V shared memory "
            "denied; not what pipes and sockets hold",
        ),
        layer("process limit", trees.pids, "RLIMIT_NPROC for each started process"),
        layer("freezer", trees.freezer, "by SIGSTOP"),
        _cpu(trees.cpu, fix),
    )


def _cpu(tree: Tree | None, fix: str) -> Layer:
    if tree is not None:
        return Layer("cpu share", True, f"cgroup version {tree.version}")
    return Layer(
        "cpu share", False, f"not limited: a function may use every processor; to limit it: {fix}"
    )
