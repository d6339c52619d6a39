"""Forks of a zygote: like executed processes, and strangers to each other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from bench import PYTHON, ZYGOTE, ZYGOTE_MOUNT, Bench, refused
from death_scenarios import KILLED, SLEEP
from end_scenarios import named

from alonzo.sandbox.base import (
    ExitStatus,
    Fitting,
    Mount,
    ProcessSpec,
    SandboxError,
    Zygote,
    ZygoteError,
)

#: What the links from ``PYTHON`` lead to.
EXECUTABLE = str(Path(PYTHON).resolve())


async def a_zygote_that_does_not_work_is_said_and_not_tried_each_time(bench: Bench) -> None:
    folder = bench.folder / "broken"
    folder.mkdir()
    modules = {
        "raises": "raise ValueError('not today')",
        "no_main": "def preload(): pass",
        "exits": "import os\nos._exit(3)",
        "quits": "raise SystemExit(4)",
        "threads": (
            "import threading, time\n"
            "def preload(): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
            "def main(): pass"
        ),
    }
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    mounts = (Mount(folder, "/var/runtime"),)
    for zygote, told in (
        (Zygote(("/nothing/python", "-I"), "/var/runtime", "raises"), "execute /nothing/python"),
        (Zygote(("/bin/true",), "/var/runtime", "raises"), "ended before it was ready"),
        (Zygote((PYTHON, "-I"), "/var/runtime", "missing"), "missing"),
        (Zygote((PYTHON, "-I"), "/var/runtime", "raises"), "not today"),
        (Zygote((PYTHON, "-I"), "/var/runtime", "no_main"), "main"),
        (Zygote((PYTHON, "-I"), "/var/runtime", "exits"), "ended before it was ready"),
        (Zygote((PYTHON, "-I"), "/var/runtime", "quits"), "SystemExit"),
        (Zygote((PYTHON, "-I"), "/var/runtime", "threads"), "threads"),
    ):
        texts = []
        for _ in range(2):
            try:
                await bench.unfitted(zygote=zygote, mounts=mounts)
            except ZygoteError as err:
                texts.append(str(err))
        assert len(texts) == 2, zygote
        assert texts[0] == texts[1]
        assert told in texts[0], texts
    assert not named("alonzo-zygote")
    (folder / "raises.py").chmod(0o666)
    with refused("written by others"):
        await bench.unfitted(zygote=Zygote((PYTHON,), "/var/runtime", "raises"), mounts=mounts)
    box = await bench.sandbox()
    assert (await bench.python(box, "pass"))[0].code == 0


async def without_a_zygote_nothing_can_be_forked(bench: Bench) -> None:
    box = await bench.unfitted(zygote=None, mounts=())
    with refused("no zygote"):
        await box.start(ProcessSpec((), {}))


async def forks_end_as_an_interpreter_does(bench: Bench) -> None:
    box = await bench.sandbox()
    for code, status, told in (
        ("import sys; sys.stdout.write('kept')", 0, "kept"),
        ("raise SystemExit", 0, ""),
        ("import sys; print('out'); sys.exit('why')", 1, "why"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import atexit; atexit.register(print, 'at exit'); raise SystemExit(7)", 7, "at exit"),
        (
            "import threading, time\n"
            "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()",
            0,
            "thread",
        ),
    ):
        ended, text = await bench.python(box, code)
        assert ended == ExitStatus(code=status), (code, text)
        assert told in text, text
        if status == 0:
            assert "Traceback" not in text


async def a_fresh_interpreter_is_met(bench: Bench) -> None:
    box = await bench.sandbox()
    code = (
        "import gc, json, os, random, signal, sys, threading\n"
        "own = [n for n in sys.modules if n.split('.')[0] in ('inside', 'alonzo')]\n"
        "print(json.dumps([\n"
        "  os.getpid() != 1, own, gc.isenabled(), threading.active_count(),\n"
        "  threading.current_thread() is threading.main_thread()\n"
        "  and threading.main_thread().native_id == threading.get_native_id(),\n"
        "  signal.getsignal(signal.SIGINT) is signal.default_int_handler,\n"
        "  signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN,\n"
        "  signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,\n"
        "  list(signal.pthread_sigmask(signal.SIG_BLOCK, ())),\n"
        "  [s.fileno() for s in (sys.stdin, sys.stdout, sys.stderr)],\n"
        "  open('/proc/self/comm').read().strip(),\n"
        "  open('/proc/self/cmdline').read().rstrip('\\0').split('\\0')[0],\n"
        "  os.readlink('/proc/self/exe')]))\n"
        "print(random.random())"
    )
    (first, one), (second, other) = [
        (json.loads(lines[0]), lines[1])
        for lines in [(await bench.python(box, code))[1].splitlines() for _ in range(2)]
    ]
    assert first == second
    assert first[:10] == [True, [], True, 1, True, True, True, True, [], [0, 1, 2]]
    assert first[10].startswith("python3")
    assert first[11:] == [PYTHON, EXECUTABLE]
    assert one != other, "random numbers repeat"


async def a_fork_knows_nothing_of_others(bench: Bench) -> None:
    """What one was told is nowhere in the memory of another, made before, beside or after."""
    secret = f"only-for-one-{os.getpid()}"
    before, teller = await bench.unfitted(), await bench.sandbox()
    environment = {"SECRET": secret, "FORKED": json.dumps([["-c"], SLEEP])}
    command = () if bench.forked else (PYTHON, "-I", "-S", "-c", SLEEP)
    await teller.start(ProcessSpec(command, environment))
    after = await bench.sandbox()
    # A pattern that does not match itself: the scanner's own memory holds no such text.
    code = (
        "import os, re\n"
        "pattern = re.compile(b'[o]nly-for-one-[0-9]')\n"
        "found, shared = 0, []\n"
        "memory = open('/proc/self/mem', 'rb', 0)\n"
        "for line in open('/proc/self/maps'):\n"
        "  place, rights, *rest = line.split()\n"
        "  if 's' in rights and 'w' in rights: shared.append(line)\n"
        "  if 'r' not in rights or 'vvar' in line or 'vsyscall' in line: continue\n"
        "  start, end = (int(x, 16) for x in place.split('-'))\n"
        "  try:\n"
        "    os.lseek(memory.fileno(), start, 0); text = os.read(memory.fileno(), end - start)\n"
        "  except OSError: continue\n"
        "  found += len(pattern.findall(text))\n"
        "print(found, shared)"
    )
    await before.fit(Fitting(128, 16))
    for box in (before, after):
        status, text = await bench.python(box, code)
        assert status.code == 0, text
        found, shared = text.split(maxsplit=1)
        assert int(found) == 0, text
        assert shared.strip() == "[]", text
    # The scan does find what is there.
    _, text = await bench.python(teller, code, environment={"SECRET": secret})
    assert int(text.split()[0]) >= 1, text


async def a_killed_zygote_takes_its_own_sandboxes_alone(bench: Bench) -> None:
    plain = await bench.sandbox(zygote=None, mounts=())
    process = await plain.start(ProcessSpec(("/bin/sleep", "60"), {}))
    for _ in range(2):
        box = await _forked_box(bench)
        fork = await box.start(
            ProcessSpec((), {"FORKED": json.dumps([["-c"], "import time; time.sleep(60)"])})
        )
        await box.freeze()
        (zygote,) = named("alonzo-zygote")
        os.kill(zygote, signal.SIGKILL)
        async with asyncio.timeout(10):
            assert await fork.wait() == KILLED
            await box.wait_ended()
        try:
            await box.start(ProcessSpec((), {}))
        except SandboxError:
            await box.close()
        else:
            raise AssertionError("a dead sandbox served")
    assert process.exited is None
    assert (await bench.run(plain, "/bin/true"))[0].code == 0


async def a_fork_can_be_begun_with_its_sandbox(bench: Bench) -> None:
    async def begin(code: str):
        reader, writer = os.pipe()
        command, environment = bench.code(code, ())
        first = ProcessSpec(command, environment, fds={1: writer})
        try:
            box = await bench.unfitted(first=first)
            return box, first, os.fdopen(reader, "rb")
        finally:
            os.close(writer)

    box, first, output = await begin("print('begun')")
    with output:
        # It has begun already: nothing but pid 1 has the other end of the pipe any more.
        assert await asyncio.to_thread(output.read) == b"begun\n"
    assert await (await box.start(first)).wait() == ExitStatus(code=0)
    # The next is one of its own, and so is what was begun and nobody ever asked for.
    status, text = await bench.python(box, "print('next')")
    assert (status, text) == (ExitStatus(code=0), "next\n")
    await box.close()
    box, _, output = await begin(SLEEP)
    await box.close()
    with output:
        await asyncio.to_thread(output.read)  # which ends: nobody has the other end any more


async def a_sandbox_outlives_a_first_process_that_could_not_begin(bench: Bench) -> None:
    command, environment = bench.code("print('never')", ())
    first = ProcessSpec(command, environment, cwd="/nowhere")
    box = await bench.unfitted(first=first)
    with refused("/nowhere"):
        await box.start(first)
    status, text = await bench.python(box, "print('next')")
    assert (status, text) == (ExitStatus(code=0), "next\n")
    await box.close()


async def _forked_box(bench: Bench):
    return await bench.unfitted(zygote=ZYGOTE, mounts=(ZYGOTE_MOUNT,))


async def two_zygotes_serve_beside_each_other(bench: Bench) -> None:
    folder = bench.folder / "other"
    folder.mkdir()
    (folder / "other.py").write_text("def preload(): pass\ndef main(): print('other')")
    other = await bench.unfitted(
        zygote=Zygote((PYTHON, "-I"), "/var/runtime", "other"),
        mounts=(Mount(folder, "/var/runtime"),),
    )
    one = await _forked_box(bench)
    assert (await bench.run(other))[1] == "other\n"
    code = "import os; print(os.listdir('/var/runtime'), os.path.exists('/alonzo'))"
    _, text = await bench.run(one, environment={"FORKED": json.dumps([["-c"], code])})
    assert "forked.py" in text
    assert "other.py" not in text
    assert "False" in text


async def every_installed_python_can_be_a_zygote(bench: Bench) -> None:
    """Those beside our own, where a version manager keeps them."""
    for prefix in _prefixes():
        version = ".".join(prefix.name.split(".")[:2])
        zygote = Zygote((f"/var/lang/bin/python{version}",), "/var/runtime", "forked")
        mounts = (Mount(prefix, "/var/lang"), ZYGOTE_MOUNT)
        try:
            box = await bench.unfitted(zygote=zygote, mounts=mounts)
        except ZygoteError:
            assert version in ("3.6", "3.7"), version
            continue
        code = "import sys, ssl, asyncio; print(sys.version_info[:2], sys.executable, sys.prefix)"
        status, text = await bench.run(box, environment={"FORKED": json.dumps([["-c"], code])})
        assert status.code == 0, text
        major, minor = version.split(".")
        assert text == f"({major}, {minor}) /var/lang/bin/python{version} /var/lang\n"


def _prefixes() -> list[Path]:
    return [
        prefix
        for prefix in sorted(Path(sys.base_prefix).parent.glob("3.*"))
        if next(prefix.glob("bin/python3.*[0-9]"), None) is not None
    ]
