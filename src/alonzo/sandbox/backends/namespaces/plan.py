"""From a sandbox's description to what the helpers are asked for. Pure."""

from __future__ import annotations

import posixpath
import re
import zlib
from typing import Any

from alonzo.sandbox.backends.namespaces.cgroups import MIB, Limits, Trees
from alonzo.sandbox.base import ProcessSpec, SandboxError, SandboxSpec

_ID = re.compile(r"[a-z0-9-]{1,40}")
_INSTANCE = re.compile(r"[a-z0-9]{1,24}")

#: User ids that belong to nobody: below 2**31, above the ranges that systemd and containers use.
#: Source: systemd, "Users, Groups, UIDs and GIDs on systemd systems".
_UIDS_FROM = 0x70000000
_UIDS_PER_INSTANCE = 1 << 16
_INSTANCES = 1 << 11

#: Mounts for one sandbox; their descriptors must fit one message beside a few others.
MOUNTS_MAX = 128

#: Targets that the sandbox itself provides.
_RESERVED = ("/", "/proc", "/dev", "/etc", "/tmp", "/run", "/usr", "/next")  # noqa: S108 - paths inside a sandbox


#: pid 1 counts as a process of the sandbox, and is not one that was asked for.
INIT_PROCESSES = 1

#: What pid 1 itself takes of the memory limit, at most.
INIT_MEMORY_BYTES = 3 * MIB


def cgroup_prefix(instance: str) -> str:
    """The beginning of the name of every cgroup of one data directory.

    Raises:
        ValueError: the instance is no short lower-case name.
    """
    if not _INSTANCE.fullmatch(instance):
        raise ValueError(f"{instance!r} must be 1 to 24 lower-case letters and digits")
    return f"alonzo-{instance}-"


def uid_of(instance: str, slot: int) -> int:
    """The user id of the sandbox in ``slot``: no two live sandboxes of this host share one.

    Two data directories may fall into the same range; that costs them separate accounting of a
    user's processes, nothing else.
    """
    assert 0 <= slot < _UIDS_PER_INSTANCE
    place = zlib.crc32(instance.encode()) % _INSTANCES
    return _UIDS_FROM + place * _UIDS_PER_INSTANCE + slot


def create_request(spec: SandboxSpec, *, uid: int | None, trees: Trees) -> dict[str, Any]:
    """The message to the spawner.

    Descriptors go along: the control socket; one for each cgroup to join; where ``memory_bytes``
    is set, a page for samples.

    Raises:
        SandboxError: the description cannot be carried out anywhere.
    """
    _check(spec)
    return {
        "mounts": [
            {"source": str(m.source), "target": m.target, "executable": m.executable}
            for m in spec.mounts
        ],
        "cgroups": len(trees.distinct()),
        "uid": uid,
        "tmp_mib": spec.tmp_mib,
        "ports": list(spec.listen_ports),
        "hostname": spec.hostname,
        "processes_max": spec.processes_max,
        # What no cgroup does, pid 1 does, for which it must see the other processes.
        "memory_bytes": spec.memory_mib * MIB if trees.memory is None else None,
        "inspects": trees.memory is None or trees.freezer is None,
    }


def limits(spec: SandboxSpec) -> Limits:
    """What the cgroups of a sandbox allow, pid 1 included."""
    return Limits(
        memory_bytes=spec.memory_mib * MIB + INIT_MEMORY_BYTES,
        tmp_bytes=spec.tmp_mib * MIB,
        pids=spec.processes_max + INIT_PROCESSES,
    )


def _check(spec: SandboxSpec) -> None:
    if not _ID.fullmatch(spec.id):
        raise SandboxError(f"sandbox id {spec.id!r}: want 1 to 40 of a-z, 0-9 and -")
    if min(spec.memory_mib, spec.tmp_mib, spec.processes_max) < 1:
        raise SandboxError(f"sandbox {spec.id}: every limit must be at least 1")
    if len(spec.mounts) > MOUNTS_MAX:
        raise SandboxError(f"sandbox {spec.id}: more than {MOUNTS_MAX} mounts")
    targets = [mount.target for mount in spec.mounts]
    for mount in spec.mounts:
        target = mount.target
        if not target.startswith("/") or posixpath.normpath(target) != target:
            raise SandboxError(f"mount target {target!r}: want an absolute path in its plain form")
        if target in _RESERVED or target.startswith(("/proc/", "/dev/", "/run/")):
            raise SandboxError(f"mount target {target}: the sandbox has its own")
        if targets.count(target) > 1:
            raise SandboxError(f"mount target {target}: given twice")
        if not mount.source.is_absolute():
            raise SandboxError(f"mount source {mount.source}: want an absolute path")


def start_order(spec: ProcessSpec, *, name: int, descriptor_max: int) -> dict[str, Any]:
    """The order to pid 1; the descriptors of ``spec.fds`` go along, in the same order.

    Raises:
        SandboxError: the description cannot be carried out anywhere.
    """
    if not spec.argv or not spec.argv[0].startswith("/"):
        raise SandboxError(f"{spec.argv[:1]}: a program is named by its absolute path inside")
    if any(not 1 <= number < descriptor_max for number in spec.fds):
        raise SandboxError(f"descriptors {sorted(spec.fds)}: want 1 to {descriptor_max - 1}")
    for text in (*spec.argv, *spec.environment, *spec.environment.values(), spec.cwd):
        if "\0" in text:
            raise SandboxError("an argument, variable or folder holds a zero byte")
    return {
        "op": "start",
        "name": name,
        "argv": list(spec.argv),
        "env": dict(spec.environment),
        "cwd": spec.cwd,
        "fds": list(spec.fds),
        "descriptors_max": spec.descriptors_max,
    }
