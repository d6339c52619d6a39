"""A sandbox before, while and after it is made one function's own; reaching into it; its share."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from bench import Bench, refused
from end_scenarios import named

from alonzo.sandbox.base import ExitStatus, Fitting, Mount

SMALL = Fitting(64, 16)
CAP_SYS_ADMIN = 1 << 21


async def what_ran_before_sees_the_mounts_and_the_size_of_tmp(bench: Bench) -> None:
    folder = bench.folder / "code"
    folder.mkdir()
    (folder / "code.py").write_text("hello")
    box = await bench.unfitted()
    code = (
        "import os, time\n"
        "before = os.statvfs('/tmp')\n"
        "print('ready', os.path.exists('/var/task/code.py'), flush=True)\n"
        "while not os.path.exists('/var/task/code.py'): time.sleep(0.001)\n"
        "while os.statvfs('/tmp').f_blocks == before.f_blocks: time.sleep(0.001)\n"
        "s = os.statvfs('/tmp')\n"
        "print(open('/var/task/code.py').read(), s.f_blocks * s.f_frsize >> 20, flush=True)\n"
    )
    process, file = await bench.piped(box, code)
    with file:
        assert await asyncio.to_thread(file.read, 100) == b"ready False\n"
        await box.fit(Fitting(64, 48, (Mount(folder, "/var/task"),)))
        assert await asyncio.to_thread(file.read, 100) == b"hello 48\n"
    assert (await process.wait()).code == 0


async def mounts_of_a_sandbox_that_is_nobodys_yet_are_shown(bench: Bench) -> None:
    mine = bench.mount("own", "its own", "/opt/own")
    # A zygote's mounts are its sandboxes' own; without one they are attached to each.
    box = await bench.unfitted(mounts=(*bench.own_mounts, mine))
    await box.fit(SMALL)
    assert (await bench.run(box, "/bin/cat", "/opt/own"))[1] == "its own"
    assert "Read-only" in (await bench.run(box, "/bin/sh", "-c", "echo x > /opt/own"))[1]


async def a_sandbox_is_fitted_once(bench: Bench) -> None:
    box = await bench.sandbox()
    with refused("fitted"):
        await box.fit(SMALL)
    assert (await bench.run(box, "/bin/true"))[0].code == 0


async def what_cannot_be_fitted_is_said(bench: Bench) -> None:
    for fitting, told in (
        (Fitting(64, 16, (Mount(bench.folder / "missing", "/var/task"),)), "missing"),
        (Fitting(64, 16, (Mount(bench.folder, "/tmp/inside"),)), "its own"),
        (Fitting(64, 16, (Mount(bench.folder, "/usr/new"),)), "/usr/new"),
        (Fitting(0, 16), "limit"),
    ):
        box = await bench.unfitted()
        with refused(told):
            await box.fit(fitting)
        await box.close()
        with refused("ended"):
            await box.fit(SMALL)


async def pid_1_can_mount_until_it_is_fitted_and_no_longer(bench: Bench) -> None:
    box = await bench.unfitted()
    (pid1,) = named("alonzo-init")
    assert _capabilities(pid1)["CapEff"] & CAP_SYS_ADMIN
    assert not _capabilities(pid1)["CapBnd"]
    await box.fit(SMALL)
    assert not _capabilities(pid1)["CapPrm"] & CAP_SYS_ADMIN
    if os.geteuid() != 0:
        assert not any(_capabilities(pid1).values())


def _capabilities(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: int(value, 16) for name, value in (x.split(":") for x in lines if x[:3] == "Cap")}


async def a_hostile_process_before_the_fit_cannot_bend_it(bench: Bench) -> None:
    """Nobody should start one. If somebody does, only its own sandbox may suffer."""
    target = bench.folder / "target"
    target.mkdir()
    box = await bench.unfitted()
    await bench.begin(
        box,
        "import os, time\n"
        "os.makedirs('/tmp/x', exist_ok=True)\n"
        "for path in ('/var/task', '/opt', '/mnt/a', '/tmp/../var/task'):\n"
        "  try: os.rename('/tmp/x', path)\n"
        "  except OSError: pass\n"
        "  try: os.symlink('/proc/1/root', path + '/link')\n"
        "  except OSError: pass\n"
        "os.chdir('/var/task')\n"
        "print('ready', flush=True); time.sleep(60)",
    )
    mounts = (Mount(target, "/var/task"), Mount(target, "/mnt/a"))
    await box.fit(Fitting(64, 16, mounts))
    assert os.listdir(target) == []
    assert (await bench.run(box, "/bin/sh", "-c", "ls -A /var/task /mnt/a/"))[1].split() == [
        "/mnt/a/:",
        "/var/task:",
    ]
    full = await bench.unfitted()
    await bench.python(full, "open('/tmp/big', 'wb').write(b'x' * (1 << 20))")
    await full.fit(SMALL)


async def what_listens_inside_is_reached(bench: Bench) -> None:
    box = await bench.sandbox()
    code = (
        "import socket, time\n"
        "with socket.create_server(('127.0.0.1', 4243)) as server:\n"
        "  print('ready', flush=True)\n"
        "  while True: peer = server.accept()[0]; peer.sendall(peer.recv(100).upper())\n"
    )
    process = await bench.begin(box, code)
    loop = asyncio.get_running_loop()
    for _ in range(3):
        with await box.connect(4243) as peer:
            await loop.sock_sendall(peer, b"hello")
            assert await loop.sock_recv(peer, 100) == b"HELLO"
    try:
        await box.connect(4244)
    except ConnectionRefusedError:
        pass
    else:
        raise AssertionError("nobody listens there")
    await box.kill()
    assert process.exited == ExitStatus(signal=9)
    await box.close()
    with refused("ended"):
        await box.connect(4243)


async def a_listener_that_never_answers_holds_nobody(bench: Bench) -> None:
    box = await bench.sandbox()
    code = (
        "import socket, time\n"
        "server = socket.socket(); server.bind(('127.0.0.1', 4243)); server.listen(0)\n"
        "print('ready', flush=True); time.sleep(60)\n"
    )
    await bench.begin(box, code)
    waiting = [asyncio.ensure_future(box.connect(4243)) for _ in range(8)]
    assert (await bench.run(box, "/bin/true"))[0].code == 0
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        if not isinstance(outcome, BaseException):
            outcome.close()
    assert (await bench.run(box, "/bin/true"))[0].code == 0


async def processor_time_is_limited_where_the_host_can(bench: Bench) -> None:
    box = await bench.sandbox(processes_max=80)
    layer = next(layer for layer in bench.backend.layers if layer.name == "cpu share")
    code = (
        "import os, time\nfor _ in range(5): os.fork()\nos.write(1, b'ready')\nwhile True: pass\n"
    )
    box.limit_cpu_nowait(None)
    box.limit_cpu_nowait(100.0)
    process, file = await bench.piped(box, code)
    with file:
        await asyncio.to_thread(file.read, 5)
        if layer.active:
            box.limit_cpu_nowait(0.1)
            # What was used while it had no limit is worked off first.
            await asyncio.sleep(0.1)
            before, began = _spent_s(named("alonzo-init")), time.monotonic()
            await asyncio.sleep(0.5)
            share = (_spent_s(named("alonzo-init")) - before) / (time.monotonic() - began)
            assert share < 0.5, share
        else:
            box.limit_cpu_nowait(0.1)
        # The limit does not keep it from dying.
        await box.kill()
    assert process.exited == ExitStatus(signal=9)
    assert (await bench.run(box, "/bin/true"))[0].code == 0
    await box.close()
    box.limit_cpu_nowait(0.1)


def _spent_s(pids: list[int]) -> float:
    """Processor time of all that live below these."""
    ticks = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if _is_below(int(name), pids):
            ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _is_below(pid: int, ancestors: list[int]) -> bool:
    while pid > 1:
        if pid in ancestors:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False
