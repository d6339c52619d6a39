"""The processes below one process, as ``/proc`` shows them. Standard library, Python 3.8."""

from __future__ import annotations

import os

#: What a stopped process, and one that only waits to be reaped, are in.
STOPPED = "Tt"
DEAD = "ZX"


def below(pid: int) -> dict[int, str]:
    """The state letter of each process below ``pid``, which is itself left out."""
    parents: dict[int, tuple[int, str]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name stands in parentheses, and may hold any byte but zero.
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(name)] = int(fields[1]), fields[0].decode()
    found: dict[int, str] = {}
    children: dict[int, list[int]] = {}
    for child, (parent, _) in parents.items():
        children.setdefault(parent, []).append(child)
    waiting = list(children.get(pid, ()))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = parents[one][1]
            waiting.extend(children.get(one, ()))
    return found


def listed_below(pid: int) -> list[int]:
    """The processes below ``pid`` at the price of those alone, not of all on the host.

    One that comes while we look may be missed. Needs a kernel that lists children.
    """
    found = [pid]
    for one in found:
        try:
            for thread in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{thread}/children", "rb") as file:
                    found.extend(map(int, file.read().split()))
        except OSError:  # it has ended
            continue
    return found[1:]


def sizes(pids: list[int]) -> tuple[int, int]:
    """Bytes that these have now, and the sum of the highest that each had; files left out."""
    current = peak = 0
    for pid in pids:
        now, highest = _size(pid)
        current += now
        peak += highest
    return current, peak


def _size(pid: int) -> tuple[int, int]:
    found: dict[bytes, int] = {}
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                name, _, rest = line.partition(b":")
                if name in (b"RssAnon", b"RssShmem", b"RssFile", b"VmHWM"):
                    found[name] = int(rest.split()[0]) << 10
    except OSError:  # it has ended
        return 0, 0
    current = found.get(b"RssAnon", 0) + found.get(b"RssShmem", 0)
    return current, max(current, found.get(b"VmHWM", 0) - found.get(b"RssFile", 0))
