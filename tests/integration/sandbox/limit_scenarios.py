"""Limits of memory, ``/tmp`` and processes: those of ``scenarios.py`` that cost most."""

from __future__ import annotations

import asyncio
import time

from bench import Bench  # noqa: TC002 - a module beside this file, not a dependency

from alonzo.sandbox.base import ExitStatus

MIB = 1 << 20


async def memory_beyond_the_limit_ends_the_sandbox_and_no_neighbour(bench: Bench) -> None:
    box, neighbour = await bench.sandbox(memory_mib=64), await bench.sandbox()
    beside = await bench.begin(neighbour, "print('ready', flush=True); import time; time.sleep(60)")
    sleeper = await bench.begin(box, "print('ready', flush=True); import time; time.sleep(60)")
    code = "b = []\nwhile True: b.append(bytearray(b'x' * (4 << 20)))"
    status, _ = await bench.python(box, code)
    assert status == ExitStatus(signal=9, out_of_memory=True)
    assert await sleeper.wait() == ExitStatus(signal=9, out_of_memory=True)
    assert beside.exited is None
    # The sandbox serves on, and the next death is not blamed on memory.
    assert box.memory().peak_bytes > 48 * MIB
    assert (await bench.run(box, "/bin/true"))[0] == ExitStatus(code=0)
    status, _ = await bench.python(box, "import os; os.kill(os.getpid(), 9)")
    assert status == ExitStatus(signal=9)


async def files_in_tmp_do_not_count_as_memory(bench: Bench) -> None:
    box = await bench.sandbox(memory_mib=64, tmp_mib=128)
    fill = "for n in range(4): open(f'/tmp/{n}', 'wb').write(b'x' * (24 << 20))"
    status, text = await bench.python(box, fill)
    assert status == ExitStatus(code=0), text
    assert box.memory().current_bytes < 64 * MIB
    assert box.peak_bytes() <= 64 * MIB
    # With /tmp full, programs have what they were promised, and no more.
    code = "b = [bytearray(b'x' * (1 << 20)) for _ in range(%d)]; import time; time.sleep(%s)"
    assert (await bench.python(box, code % (40, 0.2)))[0] == ExitStatus(code=0)
    status, _ = await bench.python(box, code % (80, 60))
    assert status == ExitStatus(signal=9, out_of_memory=True)
    # Shared memory is no file in /tmp.
    code = (
        "import mmap, time; m = mmap.mmap(-1, 80 << 20); m.write(b'x' * (80 << 20)); time.sleep(60)"
    )
    status, _ = await bench.python(box, code)
    assert status == ExitStatus(signal=9, out_of_memory=True)


async def files_in_tmp_are_limited_in_number(bench: Bench) -> None:
    box = await bench.sandbox(tmp_mib=4)
    code = (
        "import errno\nmade = 0\ntry:\n"
        "    while made < 5000: open(f'/tmp/{made}', 'w').close(); made += 1\n"
        "except OSError as error: print(made, errno.errorcode[error.errno])"
    )
    status, text = await bench.python(box, code)
    assert status == ExitStatus(code=0)
    made, error = text.split()
    assert (200 < int(made) <= 256, error) == (True, "ENOSPC"), text


async def memory_of_a_child_counts_too(bench: Bench) -> None:
    box = await bench.sandbox(memory_mib=64)
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "  b = []\n"
        "  while True: b.append(bytearray(b'x' * (4 << 20)))\n"
        "os.wait(); time.sleep(60)"
    )
    status, _ = await bench.python(box, code)
    assert status == ExitStatus(signal=9, out_of_memory=True)


async def memory_shared_by_forks_counts_once(bench: Bench) -> None:
    box = await bench.sandbox(memory_mib=64)
    code = (
        "import os, time\n"
        "b = bytearray(b'x' * (24 << 20))\n"
        "for _ in range(4):\n"
        "  if os.fork() == 0: time.sleep(0.3); os._exit(0)\n"
        "[os.wait() for _ in range(4)]"
    )
    assert (await bench.python(box, code))[0] == ExitStatus(code=0)
    assert 24 * MIB <= box.memory().peak_bytes <= 80 * MIB


async def the_peak_alone_is_that_of_the_memory(bench: Bench) -> None:
    box = await bench.sandbox(memory_mib=128, tmp_mib=64)
    seen = [box.peak_bytes()]
    for code in (
        "b = b'x' * (32 << 20)",
        "open('/tmp/a', 'wb').write(b'x' * (24 << 20))",
        "b = b'x' * (64 << 20)",
        "import os; os.unlink('/tmp/a'); b = b'x' * (96 << 20)",
    ):
        # Where nothing counts memory, it is looked at now and then.
        status, text = await bench.python(box, f"{code}; import time; time.sleep(0.3)")
        assert status == ExitStatus(code=0), text
        seen.append(box.peak_bytes())
        assert box.peak_bytes() == seen[-1]
    # With and without files in /tmp, what programs used is never told too low.
    assert seen[1] > 32 * MIB
    assert seen[3] > 64 * MIB
    assert seen[4] > 96 * MIB
    assert max(seen) <= 128 * MIB


async def a_fork_bomb_is_contained_and_killed(bench: Bench) -> None:
    box, neighbour = await bench.sandbox(processes_max=20), await bench.sandbox()
    code = (
        "import os, time, sys\n"
        "n = 0\n"
        "for _ in range(200):\n"
        "  try:\n"
        "    if os.fork() == 0: time.sleep(60)\n"
        "    n += 1\n"
        "  except OSError as err: print(n, err.strerror, flush=True); break\n"
        "time.sleep(60)"
    )
    process, file = await bench.piped(box, code)
    with file:
        text = (await asyncio.to_thread(file.read, 100)).decode()
    assert text.split()[0] == "19"
    assert (await bench.run(neighbour, "/bin/true"))[0].code == 0
    await box.kill()
    assert process.exited == ExitStatus(signal=9)
    assert (await bench.run(box, "/bin/true"))[0].code == 0


async def a_tree_that_ignores_signals_and_leaves_its_session_is_killed(bench: Bench) -> None:
    box = await bench.sandbox(processes_max=80, memory_mib=256)
    code = (
        "import os, signal, time\n"
        "for s in (1, 2, 15, 17): signal.signal(s, signal.SIG_IGN)\n"
        "for _ in range(6):\n"
        "  os.fork(); os.setsid() if os.getpid() != os.getsid(0) else None\n"
        "os.write(1, b'r')\n"
        "time.sleep(60)\n"
    )
    process, file = await bench.piped(box, code)
    with file:
        told = 0
        while told < 64:
            told += len(await asyncio.to_thread(file.read, 64))
        begin = time.monotonic()
        await box.kill()
        took_s = time.monotonic() - begin
        assert file.read() == b"", "somebody still holds the pipe"
    assert process.exited == ExitStatus(signal=9)
    assert took_s < 2, took_s


async def orphans_are_reaped(bench: Bench) -> None:
    box = await bench.sandbox(processes_max=8)
    code = "import os\nif os.fork() == 0:\n os.setsid()\n os._exit(os.fork() * 0)"
    for _ in range(12):
        status, text = await bench.python(box, code)
        assert status == ExitStatus(code=0), text
