"""What sandboxes of an ordinary user reach and what not, as one coroutine each."""
# ruff: noqa: ASYNC220 - short programs of a test, which nothing waits beside

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from bench import refused, until
from datagram_scenarios import each_sandbox_gets_its_own_answers_alone
from network_bench import FIND, backend, layer, name_servers, processes, reached
from worlds import HOST, HOST_IN_LAN, HOST_PORT, INTERNET, METADATA, PORT, SITE

from alonzo.sandbox.backends.namespaces.network import slirp

PROGRAM = Path(__file__).with_name("network_scenarios.py")


async def an_ordinary_user_reaches_the_world_through_a_process(folder: Path) -> None:
    async with backend("nat") as bench:
        assert layer(bench).active
        assert "slirp4netns" in layer(bench).detail
        box = await bench.sandbox()
        assert await reached(bench, box, (SITE, PORT), (INTERNET, PORT)) == [HOST, HOST]
        assert (await bench.python(box, FIND))[1].strip() == SITE
        boxes = await asyncio.gather(*(bench.sandbox() for _ in range(20)))
        got = await asyncio.gather(*(reached(bench, one, (SITE, PORT)) for one in boxes))
        assert got == [[HOST]] * 20
        assert len(processes("slirp4netns")) >= 21
        await asyncio.gather(*(one.close() for one in boxes))
        await until(lambda: len(processes("slirp4netns")) <= 2)
        assert await reached(bench, box, (SITE, PORT)) == [HOST]
    await until(lambda: not processes("slirp4netns"))


async def an_ordinary_user_reaches_nothing_else(folder: Path) -> None:
    # A server of names on the loopback is what slirp4netns itself would lead to.
    name_servers(folder, "127.0.0.53")
    async with backend("nat") as bench:
        box = await bench.sandbox()
        inside = "import fcntl, socket, struct; s = socket.socket(); print(socket.inet_ntoa("
        inside += "fcntl.ioctl(s, 0x8915, struct.pack('256s', b'eth0'))[20:24]))"
        network = (await bench.python(box, inside))[1].strip().rpartition(".")[0]
        targets = [
            *((one, HOST_PORT) for one in ("127.0.0.1", HOST, HOST_IN_LAN, "0.0.0.0")),
            *((one, PORT) for one in METADATA),
            *((f"{network}.{last}", HOST_PORT) for last in (0, 1, 2, 3, 4, 255)),
            ("::1", HOST_PORT),
            ("fe80::2%eth0", HOST_PORT),
            ("fd00::2", HOST_PORT),
            ("fd00::3", HOST_PORT),
        ]
        for bound in (False, True):
            results = await reached(bench, box, *targets, bound=bound)
            assert all(one.startswith("refused") for one in results), results
        assert await reached(bench, box, (SITE, PORT)) == [HOST]


async def an_ordinary_users_processes_end_with_a_killed_daemon(folder: Path) -> None:
    argv = [sys.executable, str(PROGRAM), "--daemon", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        assert await asyncio.to_thread(daemon.stdout.readline) == b"ready\n"
        assert len(processes("slirp4netns")) >= 3
        daemon.kill()
    await until(lambda: not processes("slirp4netns"))


async def what_an_ordinary_user_lacks_is_said(folder: Path) -> None:
    path, os.defpath = os.defpath, "/nowhere"
    slirp._PLACES = str(folder)
    with refused("apt-get install slirp4netns"):
        async with backend("nat"):
            pass
    pasta = folder / "pasta"
    pasta.touch(mode=0o755)
    with refused(f"{pasta} is here and not used: with it a function could get another's answers"):
        async with backend("nat"):
            pass
    async with backend(None) as bench:
        assert not layer(bench).active
        assert "none, since nat cannot be had" in layer(bench).detail
    os.defpath = path


async def a_process_that_does_not_start_is_named(folder: Path) -> None:
    program = folder / "slirp4netns"
    program.write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    program.chmod(0o755)
    slirp._PLACES = os.defpath = str(folder)
    async with backend("nat") as bench:
        with refused("slirp4netns: it is broken"):
            await bench.sandbox()


OF_USERS = {
    scenario.__name__: scenario
    for scenario in (
        an_ordinary_user_reaches_the_world_through_a_process,
        an_ordinary_user_reaches_nothing_else,
        each_sandbox_gets_its_own_answers_alone,
        an_ordinary_users_processes_end_with_a_killed_daemon,
        what_an_ordinary_user_lacks_is_said,
        a_process_that_does_not_start_is_named,
    )
}
