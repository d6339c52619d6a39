"""What becomes of sandboxes whose pid 1, or whose maker, is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from bench import Bench, refused, until
from end_scenarios import cgroups_named, named

from alonzo.sandbox.base import ExitStatus, ProcessSpec

SLEEP = "print('ready', flush=True); import time; time.sleep(60)"
KILLED = ExitStatus(signal=9)


def _makers(bench: Bench) -> list[int]:
    return named("alonzo-zygote" if bench.forked else "alonzo-maker")


def _kill_maker(bench: Bench) -> None:
    maker, *_ = _makers(bench)  # what it has just forked bears its name for a moment
    os.kill(maker, signal.SIGKILL)


def _kill_pid1() -> None:
    (pid1,) = named("alonzo-init")
    os.kill(pid1, signal.SIGKILL)


async def every_sandbox_dies_with_the_maker_and_the_next_is_made(bench: Bench) -> None:
    boxes = [await bench.sandbox() for _ in range(3)]
    processes = [await bench.begin(box, SLEEP) for box in boxes]
    for _ in range(2):
        _kill_maker(bench)
        async with asyncio.timeout(10):
            # At once: the helper may not have noticed yet.
            again = await bench.sandbox()
        assert (await bench.run(again, "/bin/true"))[0].code == 0
        await again.close()
    async with asyncio.timeout(10):
        assert {await process.wait() for process in processes} == {KILLED}
        await asyncio.gather(*(box.wait_ended() for box in boxes))
        await asyncio.gather(*(box.close() for box in boxes))
    assert len(named("alonzo-opener")) == len(_makers(bench)) == 1
    assert not cgroups_named(f"alonzo-{bench.instance}-")


async def frozen_sandboxes_die_with_the_maker_too(bench: Bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, SLEEP)
    await box.freeze()
    _kill_maker(bench)
    async with asyncio.timeout(10):
        assert await process.wait() == KILLED
        await box.wait_ended()
        again = await bench.sandbox()
    assert (await bench.run(again, "/bin/true"))[0].code == 0
    await box.close()


async def sandboxes_being_made_when_the_maker_dies_are_made_anew(bench: Bench) -> None:
    await (await bench.unfitted()).close()  # the maker runs
    for delay_s in (0.0, 0.001, 0.003, 0.006):
        making = [asyncio.ensure_future(bench.unfitted()) for _ in range(8)]
        await asyncio.sleep(delay_s)
        _kill_maker(bench)
        async with asyncio.timeout(10):
            boxes = await asyncio.gather(*making)
            # Those that were ready before died with the maker.
            (await bench.unfitted()).memory()
            await asyncio.gather(*(box.close() for box in boxes))


async def a_dead_sandbox_refuses_nothing_but_a_start(bench: Bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, SLEEP)
    _kill_pid1()
    # Before the news, and after it.
    for _ in range(2):
        await box.kill()
        await box.freeze()
        box.thaw_nowait()
        box.thaw_nowait()
        assert box.memory().current_bytes >= 0
        with refused("ended"):
            await box.start(ProcessSpec(("/bin/true",), {}))
        assert await process.wait() == KILLED
        process.signal(signal.SIGTERM)
    await box.close()
    await box.kill()
    await box.freeze()
    box.thaw_nowait()
    assert box.memory().current_bytes == 0


async def what_a_dead_sandbox_no_longer_has_is_not_missed(bench: Bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, SLEEP)
    await box.freeze()
    _kill_pid1()
    box.thaw_nowait()
    async with asyncio.timeout(10):
        assert await process.wait() == KILLED
    await box.freeze()
    await until(lambda: _remove_cgroups(f"alonzo-{bench.instance}-{box.id}"))
    box.thaw_nowait()
    await box.freeze()
    box.thaw_nowait()
    await box.kill()
    assert box.memory().current_bytes >= 0
    await box.close()


def _remove_cgroups(mark: str) -> bool:
    for folder in cgroups_named(mark):
        try:
            Path(folder).rmdir()
        except OSError:
            return False
    return True


async def a_sandbox_that_dies_during_an_order_ends_the_wait(bench: Bench) -> None:
    for order in ("kill", "start"):
        box = await bench.sandbox()
        await bench.begin(box, SLEEP)
        (pid1,) = named("alonzo-init")
        os.kill(pid1, signal.SIGSTOP)
        spec = ProcessSpec(("/bin/true",), {})
        waiting = asyncio.ensure_future(box.kill() if order == "kill" else box.start(spec))
        await asyncio.sleep(0)
        os.kill(pid1, signal.SIGKILL)
        async with asyncio.timeout(10):
            if order == "kill":
                await waiting
            else:
                with refused("ended"):
                    await waiting
        await box.close()


async def the_end_of_a_sandbox_is_told(bench: Bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, SLEEP)
    told = [asyncio.ensure_future(box.wait_ended()) for _ in range(2)]
    await box.kill()
    assert (await bench.run(box, "/bin/true"))[0].code == 0
    assert not any(one.done() for one in told), "its processes were killed, the sandbox lives"
    process = await bench.begin(box, SLEEP)
    _kill_pid1()
    began = time.monotonic()
    async with asyncio.timeout(10):
        await asyncio.gather(*told)
    assert time.monotonic() - began < 1
    assert process.exited == KILLED
    await box.close()
    await box.wait_ended()
    closed = await bench.sandbox()
    told = [asyncio.ensure_future(closed.wait_ended())]
    await closed.close()
    async with asyncio.timeout(10):
        await told[0]
