"""A sandbox's memory at this moment, seen from outside, where no cgroup counts it."""

from __future__ import annotations

import mmap
import os

from alonzo.sandbox.backends.namespaces.inside.init import SAMPLE_LAYOUT
from alonzo.sandbox.backends.namespaces.inside.sizes import size_of
from alonzo.sandbox.base import MemoryUse

#: More processes than any sandbox is allowed; a guard against a tree that grows as we walk it.
_PROCESSES_MAX = 4096


def pid_behind(pidfd: int) -> int:
    """The process id, as we see it, of what a pid descriptor stands for; 0 if it has ended."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return max(int(fields.get("Pid", "0")), 0)


def sample(pid1: int) -> MemoryUse:
    """What the processes below ``pid1`` have now, and the highest that one of them had."""
    sizes = [size_of(pid) for pid in _descendants(pid1)]
    current = sum(size.current for size in sizes)
    return MemoryUse(current, max([current, *(size.peak for size in sizes)]))


def highest(page: mmap.mmap, pidfd: int, limit_bytes: int | None) -> MemoryUse:
    """What is below pid 1 now, and the highest of that and of its own looks, which are in ``page``.

    ``pidfd`` stands for pid 1; -1: it has ended, and its last look is all there is.
    """
    last = MemoryUse(*SAMPLE_LAYOUT.unpack_from(page, 0))
    if pidfd < 0:
        return last
    now = sample(pid_behind(pidfd))
    now_peak = now.peak_bytes if limit_bytes is None else min(now.peak_bytes, limit_bytes)
    return MemoryUse(now.current_bytes, max(now.current_bytes, last.peak_bytes, now_peak))


def bytes_in(folder: int) -> int:
    """What the files of a file system take, of which ``folder`` is a descriptor; -1: of none."""
    if folder < 0:
        return 0
    space = os.fstatvfs(folder)
    return (space.f_blocks - space.f_bfree) * space.f_frsize


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        if len(found) > _PROCESSES_MAX:
            break
        found.extend(_children(one))
    return found[1:]


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                children += map(int, file.read().split())
    except OSError:  # it has ended, or this kernel does not tell
        return children
    return children
