"""How sandboxes, helpers and daemons end, and that nothing of them is left."""
# ruff: noqa: ASYNC220 - files in /proc and cgroups never block

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from bench import Bench, open_bench, until

from alonzo.sandbox.base import ExitStatus, ProcessSpec, SandboxError

#: The program that acts as a daemon when it is told to.
PROGRAM = Path(__file__).with_name("scenarios.py")


async def a_hundred_sandboxes_leave_nothing_behind(bench: Bench) -> None:
    def holdings() -> dict[str, int]:
        gc.collect()
        cgroups = cgroups_named(f"alonzo-{bench.instance}-")
        return {
            "descriptors": len(os.listdir("/proc/self/fd")),
            "mounts": len(Path("/proc/self/mounts").read_text().splitlines()),
            "cgroups": len(cgroups),
            "processes": len(_descendants(os.getpid())),
            "helper descriptors": sum(_descriptors(p) for p in _descendants(os.getpid())),
        }

    async def cycle() -> None:
        box = await bench.sandbox(listen_ports=(9001,))
        process = await box.start(ProcessSpec(("/bin/true",), {}))
        await process.wait()
        await box.close()

    await cycle()
    # Not every backend keeps networks.
    await until(lambda: getattr(bench.backend, "networks_full", True))
    before = holdings()
    for _ in range(10):
        await asyncio.gather(*(cycle() for _ in range(10)))
    await until(lambda: holdings() == before)


def cgroups_named(mark: str) -> list[str]:
    """Cgroups with ``mark`` in their name. Walked, not globbed: others come and go meanwhile."""
    walked = os.walk("/sys/fs/cgroup")
    return [f"{folder}/{name}" for folder, names, _ in walked for name in names if mark in name]


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:  # an ordinary user may not look into the helper
        return 0


def named(name: str) -> list[int]:
    """Processes below this one that go by ``name``."""
    return [pid for pid in _descendants(os.getpid()) if _name_of(pid) == name]


def _name_of(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:  # it has ended meanwhile
        return None


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if stat[0] not in "ZX":
            parents[int(name)] = int(stat[1])
    found = [pid]
    for one in found:
        found.extend(
            child for child, parent in parents.items() if parent == one and not _is_daemon(child)
        )
    return found[1:]


def _is_daemon(pid: int) -> bool:
    """Whether it is a platform that other tests of this process keep running, which is not ours."""
    try:
        return b"\0serve\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def the_backend_outlives_its_helper(bench: Bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, "print('ready', flush=True); import time; time.sleep(60)")
    (opener,) = named("alonzo-opener")
    with logged() as records:
        os.kill(opener, signal.SIGKILL)
        async with asyncio.timeout(10):
            assert await process.wait() == ExitStatus(signal=9)
        await box.close()
        again = await bench.sandbox()
    assert (await bench.run(again, "/bin/true"))[0].code == 0
    assert {record.getMessage() for record in records} == {"maker.ended", "spawner.restarted"}
    assert records[-1].__dict__["reason"] == "its opener was ended by signal 9"


@contextlib.contextmanager
def logged() -> Generator[list[logging.LogRecord]]:
    """What the sandboxes' logger is told."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("alonzo.sandbox")
    logger.addHandler(handler)
    try:
        yield records
    finally:
        logger.removeHandler(handler)


async def a_killed_daemon_leaves_no_process_and_its_cgroups_are_swept(bench: Bench) -> None:
    folder = bench.folder / "killed"
    folder.mkdir()
    marker = f"31337{os.getpid()}"
    way = "forked" if bench.forked else "executed"
    argv = [sys.executable, str(PROGRAM), "--daemon", str(folder), marker, way]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=_environment()) as daemon:
        assert daemon.stdout is not None
        assert await asyncio.to_thread(daemon.stdout.readline) == b"ready\n"
        assert _sleepers(marker) == 2
        daemon.kill()
        # The pipe ends only when every process that inherited it has ended.
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(daemon.stdout.read) == b""
    await until(lambda: _sleepers(marker) == 0)
    again = await open_bench(folder, instance=f"k{marker}")
    try:
        assert not cgroups_named(f"k{marker}")
        assert (await bench.run(await again.sandbox(), "/bin/true"))[0].code == 0
    finally:
        await again.backend.close()


def _sleepers(marker: str) -> int:
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            argv = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            count += argv[:1] == [b"/bin/sleep"] and marker.encode() in argv
    return count


def _environment() -> dict[str, str]:
    import alonzo

    return {**os.environ, "PYTHONPATH": str(Path(alonzo.__file__).parents[1])}


async def be_daemon(folder: Path, marker: str, way: str) -> None:
    """Make two sandboxes, one of them frozen, and wait to be killed."""
    bench = await open_bench(folder, instance=f"k{marker}", forked=way == "forked")
    for _ in range(2):
        box = await bench.sandbox()
        await box.start(ProcessSpec(("/bin/sleep", marker), {}))
    await box.freeze()
    print("ready", flush=True)
    await asyncio.sleep(60)


async def everything_ends_with_the_backend(bench: Bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, "print('ready', flush=True); import time; time.sleep(60)")
    await bench.backend.close()
    await bench.backend.close()
    assert process.exited == ExitStatus(signal=9)
    assert not _descendants(os.getpid())
    await box.kill()
    for attempt in (bench.sandbox(), box.start(ProcessSpec(("/bin/true",), {}))):
        try:
            await attempt
        except SandboxError:
            continue
        raise AssertionError("a closed backend served")
