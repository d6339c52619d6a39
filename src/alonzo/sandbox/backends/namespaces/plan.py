"""From a sandbox's description to what the helpers are asked for. Pure."""

from __future__ import annotations

import platform
import posixpath
import re
import zlib
from typing import Any

from alonzo.sandbox.backends.namespaces import seccomp
from alonzo.sandbox.backends.namespaces.cgroup_trees import Trees
from alonzo.sandbox.backends.namespaces.cgroups import MIB, Limits
from alonzo.sandbox.base import Fitting, Mount, ProcessSpec, SandboxError, SandboxSpec

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
_RESERVED = ("/", "/proc", "/dev", "/etc", "/tmp", "/run", "/usr", "/next", "/alonzo")  # noqa: S108 - paths inside a sandbox
_RESERVED_BELOW = ("/proc/", "/dev/", "/run/", "/tmp/", "/next/", "/alonzo/")  # noqa: S108 - the same


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
    assert 0 <= slot < _UIDS_PER_INSTANCE // 2
    place = zlib.crc32(instance.encode()) % _INSTANCES
    return _UIDS_FROM + place * _UIDS_PER_INSTANCE + slot


def root_of(uid: int) -> int:
    """The host's user id of who is root in the user namespace of a clone; nobody else has it."""
    return uid + _UIDS_PER_INSTANCE // 2


def clone_order(spec: SandboxSpec, fitting: Fitting, *, name: int, uid: int) -> dict[str, Any]:
    """The order to a template's pid 1 that makes a clone.

    Descriptors go along: the control socket; those of ``CgroupSet.open_lists``.

    Raises:
        SandboxError: the description cannot be carried out anywhere.
    """
    if not _ID.fullmatch(spec.id):
        raise SandboxError(f"sandbox id {spec.id!r}: want 1 to 40 of a-z, 0-9 and -")
    return {
        "op": "clone",
        "name": name,
        "clone": spec.id,
        "uid": uid,
        "root": root_of(uid),
        "ports": list(spec.listen_ports),
        "hostname": spec.hostname,
        "tmp_mib": fitting.tmp_mib,
    }


def create_request(
    spec: SandboxSpec, *, uid: int | None, trees: Trees, template: str | None = None
) -> dict[str, Any]:
    """The message to a maker. ``template``: the filter of a template's process, in hexadecimal.

    Descriptors go along: the control socket; those of ``CgroupSet.open_members``; where it is
    ``sampled``, a page for samples.

    Raises:
        SandboxError: the description cannot be carried out anywhere.
    """
    if not _ID.fullmatch(spec.id):
        raise SandboxError(f"sandbox id {spec.id!r}: want 1 to 40 of a-z, 0-9 and -")
    if spec.processes_max < 1:
        raise SandboxError(f"sandbox {spec.id}: every limit must be at least 1")
    check_mounts(spec.mounts)
    return {
        "template": template,
        "begun": 0,  # the name of the order that its first process waits for
        "unified": any(tree.version == 2 for tree in trees.distinct()),
        "cgroups": sum(tree.version == 1 for tree in trees.distinct()),
        "uid": uid,
        "ports": list(spec.listen_ports),
        "hostname": spec.hostname,
        "loopback_names": list(spec.loopback_names),
        "processes_max": spec.processes_max,
        # What no cgroup does, pid 1 does, for which it must see the other processes.
        "sampled": trees.memory is None,
        "inspects": trees.memory is None or trees.freezer is None,
    }


def maker_order(spec: SandboxSpec, *, trees: Trees, resolv_conf: str = "") -> dict[str, Any]:
    """The message to the opener that starts a maker for such sandboxes; its socket goes along."""
    zygote = spec.zygote
    return {
        "op": "maker",
        "filter": seccomp.build(platform.machine(), memory_counted=trees.memory is not None).hex(),
        "resolv_conf": resolv_conf,
        "mounts": _mounts(spec.mounts if zygote else ()),
        "zygote": zygote
        and {
            "interpreter": list(zygote.interpreter),
            "folder": zygote.folder,
            "module": zygote.module,
            "environment": dict(zygote.environment),
        },
    }


def attach_order(spec: SandboxSpec, *, name: int) -> dict[str, Any]:
    """The message to the opener that shows a sandbox the mounts it begins with."""
    return {"op": "attach", "name": name, "mounts": _mounts(spec.mounts)}


def fit_order(fitting: Fitting, *, name: int) -> dict[str, Any]:
    """The message to the opener that fits a sandbox, whose control socket goes along.

    Raises:
        SandboxError: the description cannot be carried out anywhere.
    """
    if min(fitting.memory_mib, fitting.tmp_mib) < 1:
        raise SandboxError("fit: every limit must be at least 1")
    check_mounts(fitting.mounts)
    return {
        "op": "fit",
        "name": name,
        "mounts": _mounts(fitting.mounts),
        "tmp_mib": fitting.tmp_mib,
        "memory_bytes": fitting.memory_mib * MIB,
    }


def _mounts(mounts: tuple[Mount, ...]) -> list[dict[str, Any]]:
    return [
        {"source": str(m.source), "target": m.target, "executable": m.executable} for m in mounts
    ]


def limits(fitting: Fitting) -> Limits:
    """What the cgroups of a sandbox allow, pid 1 included."""
    return Limits(
        memory_bytes=fitting.memory_mib * MIB + INIT_MEMORY_BYTES,
        tmp_bytes=fitting.tmp_mib * MIB,
    )


def check_mounts(mounts: tuple[Mount, ...]) -> None:
    """Refuse what no sandbox could show.

    Raises:
        SandboxError: a mount is out of place.
    """
    if len(mounts) > MOUNTS_MAX:
        raise SandboxError(f"more than {MOUNTS_MAX} mounts")
    targets: set[str] = set()
    for mount in mounts:
        target = mount.target
        if not target.startswith("/") or posixpath.normpath(target) != target or "\0" in target:
            raise SandboxError(f"mount target {target!r}: want an absolute path in its plain form")
        if target in _RESERVED or target.startswith(_RESERVED_BELOW):
            raise SandboxError(f"mount target {target}: the sandbox has its own")
        if target in targets:
            raise SandboxError(f"mount target {target}: given twice")
        targets.add(target)
        if not mount.source.is_absolute():
            raise SandboxError(f"mount source {mount.source}: want an absolute path")


def start_order(spec: ProcessSpec, *, name: int, descriptor_max: int) -> dict[str, Any]:
    """The order to pid 1; the descriptors of ``spec.fds`` go along, in the same order.

    Raises:
        SandboxError: the description cannot be carried out anywhere.
    """
    if spec.argv and not spec.argv[0].startswith("/"):
        raise SandboxError(f"{spec.argv[:1]}: a program is named by its absolute path inside")
    if any(not 1 <= number < descriptor_max for number in spec.fds):
        raise SandboxError(f"descriptors {sorted(spec.fds)}: want 1 to {descriptor_max - 1}")
    lead = spec.cwd_once_fitted
    if lead is not None and not spec.argv:
        raise SandboxError("a fork is not taken to another folder")
    texts = (*spec.argv, *spec.environment, *spec.environment.values(), spec.cwd, lead or "")
    for text in texts:
        if "\0" in text:
            raise SandboxError("an argument, variable or folder holds a zero byte")
    if any(not name or "=" in name for name in spec.environment):
        raise SandboxError("environment: a variable's name is empty, or holds an equals sign")
    return {
        "op": "start",
        "name": name,
        "argv": list(spec.argv),
        "env": dict(spec.environment),
        "cwd": spec.cwd,
        "lead": lead,
        "fds": list(spec.fds),
        "descriptors_max": spec.descriptors_max,
    }
