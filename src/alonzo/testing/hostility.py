"""Whether a daemon and its other functions are as well after an attack as they were before it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from alonzo.environments.values import EnvironmentSettings
from alonzo.sandbox.backends.namespaces.inside.syscalls import CAP_SYS_RESOURCE
from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.residue import descendants, process_name
from alonzo.testing.waiting import eventually

MIB = 1 << 20

#: What an attack may cost a daemon at its height: a response and a package are held whole, and
#: the allocator keeps some of what it was given back.
GROWTH_BYTES_MAX = 96 * MIB
#: Connections of clients, and all that may be kept ready with a dozen descriptors each.
DESCRIPTORS_MORE_MAX = 80 + 12 * EnvironmentSettings().parked_max
STRAYS_MORE_MAX = 16


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a daemon holds at one moment.

    ``strays`` are the processes below it beyond a pid 1 and a runtime for each sandbox: sandboxes
    are made ahead of need, as many as were asked for lately.
    """

    resident_bytes: int
    descriptors: int
    strays: int


def vitals(daemon: DaemonProcess) -> Vitals:
    """What it holds now. The kernel's mark of its highest memory starts anew."""
    process = Path("/proc", str(daemon.pid))
    (process / "clear_refs").write_text("5")  # the highest resident set
    return Vitals(
        _status_bytes(process, "VmRSS"),
        len(os.listdir(process / "fd")),
        _strays(daemon.pid),
    )


def assert_unharmed(daemon: DaemonProcess, before: Vitals, *, within_s: float = 15.0) -> None:
    """It has not grown, neither now nor in between, and ran what it started to its end.

    Raises:
        AssertionError: it did, and what.
    """
    process = Path("/proc", str(daemon.pid))
    peak = _status_bytes(process, "VmHWM")
    assert peak - before.resident_bytes < GROWTH_BYTES_MAX, (peak // MIB, before)

    def more() -> tuple[int, int]:
        strays = _strays(daemon.pid) - before.strays
        descriptors = len(os.listdir(process / "fd")) - before.descriptors
        return strays, descriptors

    def is_calm() -> bool:
        strays, descriptors = more()
        return strays <= STRAYS_MORE_MAX and descriptors <= DESCRIPTORS_MORE_MAX

    try:
        eventually(is_calm, within_s)
    except AssertionError as err:
        raise AssertionError(f"more processes and descriptors than {before}: {more()}") from err


def may_forbid_to_be_spared(daemon: DaemonProcess) -> bool:
    """Whether it has what it takes to say for good who ends first out of memory."""
    text = Path("/proc", str(daemon.pid), "status").read_text()
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", text, re.MULTILINE)
    assert found is not None
    return bool(int(found[1], 16) >> CAP_SYS_RESOURCE & 1)


def _strays(pid: int) -> int:
    below = descendants(pid)
    return len(below) - 2 * sum(process_name(each) == "alonzo-init" for each in below)


def _status_bytes(process: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+) kB$", (process / "status").read_text(), re.MULTILINE)
    assert found is not None, name
    return int(found[1]) << 10
