"""Limits of memory, ``/tmp`` and processes: those of ``scenarios.py`` that cost most."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from bench import Bench, ignored_by, until

from alonzo.sandbox.base import ExitStatus, SandboxError

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


async def what_connections_hold_is_limited(bench: Bench) -> None:
    """Nobody reads what is sent: it waits in the kernel."""
    box = await bench.sandbox(memory_mib=64)
    code = """
import socket
server, held, kept = socket.create_server(('127.0.0.1', 5000)), 0, []
try:
    for _ in range(100):
        pair = socket.create_connection(('127.0.0.1', 5000)), server.accept()[0]
        kept += pair
        for peer in pair:
            peer.setblocking(False)
            try:
                while True: held += peer.send(bytes(1 << 20))
            except BlockingIOError: pass
except OSError: pass
print(held >> 20)
"""
    status, text = await bench.python(box, code)
    (layer,) = [one for one in bench.backend.layers if one.name == "memory limit"]
    if layer.detail == "cgroup version 2" and status.out_of_memory:
        return  # there it is memory like any other
    assert status == ExitStatus(code=0), text
    assert int(text) <= 64 or not layer.detail.startswith("cgroup"), text


async def what_is_counted_by_user_is_left_to_others(bench: Bench) -> None:
    """An ordinary user's sandboxes are one user to the kernel."""
    take = (
        "import ctypes; libc, n = ctypes.CDLL(None), 0\n"
        "while libc.inotify_init1(0) >= 0: n += 1\n"
        "print('ready', n, flush=True)\n"
    )
    boxes = [await bench.sandbox() for _ in range(3)]
    for box in boxes[:2]:
        await bench.begin(box, take + "import time; time.sleep(60)")
    status, text = await bench.python(boxes[2], take)
    assert status == ExitStatus(code=0)
    assert int(text.split()[1]) >= 16, text


async def many_that_are_busy_stand_behind_others_where_nothing_divides_processors(
    bench: Bench,
) -> None:
    (layer,) = [one for one in bench.backend.layers if one.name == "memory limit"]
    if layer.detail.startswith("cgroup"):
        return
    box = await bench.sandbox(processes_max=400, memory_mib=1024)
    code = """
import os, time
children = []
for _ in range(max(16, 4 * os.cpu_count()) + 8):
    children.append(os.fork())
    if children[-1] == 0:
        os.setsid()  # no group of processes has a share of its own
        while True: pass
end, last = time.monotonic() + 10, []
while len(last) < 17 and time.monotonic() < end:
    last = [one for one in children if os.getpriority(os.PRIO_PROCESS, one) == 19]
    time.sleep(0.01)
for one in children: os.kill(one, 9)
print(len(last))
"""
    status, text = await bench.python(box, code)
    assert status == ExitStatus(code=0)
    assert int(text) >= 17, text


async def who_goes_on_while_it_is_frozen_is_ended(bench: Bench) -> None:
    """Where processes are only stopped, a timer of their own can have them continue."""
    box = await bench.sandbox()
    code = """
import ctypes, os, struct, time
libc = ctypes.CDLL(None)
create, settle = (107, 110) if os.uname().machine == 'aarch64' else (222, 223)
event = ctypes.create_string_buffer(struct.pack('Qii', 0, 18, 0), 64)  # SIGCONT
for n in range(1, 500):  # one after another: a stop takes away those that have come
    timer, s, ns = ctypes.c_int(), *divmod(20_000_000 * n, 10**9)
    assert libc.syscall(create, 1, event, ctypes.byref(timer)) == 0
    assert libc.syscall(settle, timer, 0, struct.pack('4q', 0, 0, s, ns), None) == 0
while True: os.write(1, b'.'); time.sleep(0.002)
"""
    process, file = await bench.piped(box, code)
    os.set_blocking(file.fileno(), False)
    with file:
        await until(lambda: file.read(65536))
        with contextlib.suppress(SandboxError):  # it may not even seem to stop
            await box.freeze()
        file.read(65536)
        (layer,) = [one for one in bench.backend.layers if one.name == "freezer"]
        if layer.detail.startswith("cgroup"):
            assert ignored_by(lambda: file.read(65536))
        else:
            async with asyncio.timeout(10):
                assert await process.wait() == ExitStatus(signal=9)


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
