"""A program that cannot change its working folder is taken to the one of the fit."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bench import PYTHON, Bench, refused, until
from end_scenarios import named

from alonzo.sandbox.base import Fitting, Mount, NotExecutableError, ProcessSpec

LEADER = "alonzo-leader"
TASK = "/var/task"

#: Runs what it reads.
_OBEYS = """
import os
print('ready', flush=True)
while (code := os.read(3, 4096)):
    exec(code)
    print('.', flush=True)
"""


class _Led:
    """A program that was started before the fit, and does what it is told."""

    def __init__(self, bench: Bench, box) -> None:
        self.bench, self.box = bench, box

    async def __aenter__(self):
        reader, writer = os.pipe()
        orders, self._orders = os.pipe()
        argv = (PYTHON, "-I", "-S", "-c", _OBEYS)
        spec = ProcessSpec(argv, {}, fds={1: writer, 2: writer, 3: orders}, cwd_once_fitted=TASK)
        try:
            self.process = await self.box.start(spec)
        finally:
            os.close(writer)
            os.close(orders)
        self._said = os.fdopen(reader, "rb", buffering=0)
        assert await self._read() == "ready"
        return self

    async def _read(self) -> str:
        return (await asyncio.to_thread(self._said.read, 4096)).decode().strip()

    async def tell(self, code: str) -> str:
        os.write(self._orders, code.encode())
        text = ""
        while not text.endswith("."):
            part = await self._read()
            assert part, "it has ended"
            text += part + "\n" if not part.endswith(".") else part
        return text[:-1].strip()

    async def __aexit__(self, *_):
        os.close(self._orders)
        self._said.close()


def _code(bench: Bench) -> Fitting:
    folder = bench.folder / "code"
    folder.mkdir(exist_ok=True)
    (folder / "data.txt").write_text("relative")
    return Fitting(64, 16, (Mount(folder, TASK),))


async def a_program_that_waits_is_taken_along(bench: Bench) -> None:
    box = await bench.unfitted()
    async with _Led(bench, box) as led:
        assert await led.tell("print(os.getcwd())") == "/"
        await box.fit(_code(bench))
        assert not named(LEADER)
        told = await led.tell("print(os.getcwd(), open('data.txt').read(), os.umask(0o022))")
        assert told == "/var/task relative 18"
        child = "os.system('pwd; cat data.txt')"
        assert await led.tell(child) == "/var/task\nrelative"


async def what_it_does_later_is_nobody_elses(bench: Bench) -> None:
    box = await bench.unfitted()
    async with _Led(bench, box) as led:
        await box.fit(_code(bench))
        await led.tell("os.chdir('/tmp'); os.umask(0)")
        show = "import os; print(os.getcwd(), os.umask(0))"
        assert (await bench.python(box, show))[1] == "/ 18\n"
        (pid1,) = named("alonzo-init")
        if os.geteuid() == 0:
            assert not os.readlink(f"/proc/{pid1}/cwd").startswith("/tmp")
        assert _facts(pid1)["Umask"] != "0000"


def _facts(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


async def a_leader_holds_nothing_and_may_nothing(bench: Bench) -> None:
    box = await bench.unfitted()
    async with _Led(bench, box) as led:
        (leader,) = named(LEADER)
        facts = _facts(leader)
        (pid1,) = named("alonzo-init")
        assert (facts["PPid"], facts["NoNewPrivs"], facts["Seccomp"]) == (str(pid1), "1", "2")
        assert not any(int(facts[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Amb"))
        if os.geteuid() == 0:
            assert facts["Uid"].split()[0] != "0"
            (only,) = os.listdir(f"/proc/{leader}/fd")
            assert os.readlink(f"/proc/{leader}/fd/{only}").startswith("socket:")
        assert await led.tell("print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])") == (
            "[0, 1, 2, 3]"
        )


async def without_its_program_a_leader_ends(bench: Bench) -> None:
    box = await bench.unfitted()
    async with _Led(bench, box):
        (_,) = named(LEADER)
    await until(lambda: not named(LEADER))
    await box.fit(_code(bench))
    again = await bench.unfitted()
    async with _Led(bench, again):
        await again.kill()
        assert not named(LEADER)
        async with _Led(bench, again) as led:
            await again.fit(_code(bench))
            assert await led.tell("print(os.getcwd())") == TASK


async def every_one_of_several_is_taken_along(bench: Bench) -> None:
    box = await bench.unfitted()
    async with _Led(bench, box) as one, _Led(bench, box) as other:
        assert len(named(LEADER)) == 2
        await box.fit(_code(bench))
        assert [await led.tell("print(os.getcwd())") for led in (one, other)] == [TASK, TASK]
        assert not named(LEADER)


async def a_leader_that_was_got_at_spoils_its_own_sandbox_alone(bench: Bench) -> None:
    """Nobody should start hostile code before the fit. If somebody does, the fit fails at most."""
    other = await bench.unfitted()
    async with _Led(bench, other) as neighbour:
        (others,) = named(LEADER)
        for number in (9, 19):
            box = await bench.unfitted()
            async with _Led(bench, box) as led:
                (leader,) = set(named(LEADER)) - {others}
                await led.tell(
                    f"for pid in range(2, 64):\n  if pid != os.getpid():\n"
                    f"    try: os.kill(pid, {number})\n    except OSError: pass"
                )
                with refused("lead"):
                    await box.fit(_code(bench))
                assert leader not in named(LEADER)
            await box.close()
        await other.fit(_code(bench))
        assert await neighbour.tell("print(os.getcwd())") == TASK


async def what_cannot_be_led_is_refused(bench: Bench) -> None:
    box = await bench.sandbox()
    spec = ProcessSpec(("/bin/true",), {}, cwd_once_fitted=TASK)
    with refused("fitted"):
        await box.start(spec)
    nowhere = await bench.unfitted()
    with refused("zero byte"):
        await nowhere.start(ProcessSpec(("/bin/true",), {}, cwd_once_fitted="/\0"))
    with refused("folder" if bench.forked else "no zygote"):
        await nowhere.start(ProcessSpec((), {}, cwd_once_fitted=TASK))
    sleep = ProcessSpec(("/bin/sleep", "60"), {}, cwd_once_fitted="/var/nothing")
    await nowhere.start(sleep)
    with refused("No such file"):
        await nowhere.fit(Fitting(64, 16))
    assert not named(LEADER)


async def what_is_no_program_leaves_no_leader(bench: Bench) -> None:
    box = await bench.unfitted()
    with refused("/nothing", NotExecutableError):
        await box.start(ProcessSpec(("/nothing",), {}, cwd_once_fitted=TASK))
    await until(lambda: not named(LEADER))
    await box.fit(_code(bench))


LEADING = (
    a_program_that_waits_is_taken_along,
    what_it_does_later_is_nobody_elses,
    a_leader_holds_nothing_and_may_nothing,
    without_its_program_a_leader_ends,
    every_one_of_several_is_taken_along,
    a_leader_that_was_got_at_spoils_its_own_sandbox_alone,
    what_cannot_be_led_is_refused,
    what_is_no_program_leaves_no_leader,
)
