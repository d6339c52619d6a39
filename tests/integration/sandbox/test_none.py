"""The part of the contract of ``sandbox/base.py`` that needs no isolation, without any."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from alonzo.sandbox.backends.none.backend import PlainBackend
from alonzo.sandbox.base import (
    ExitStatus,
    Fitting,
    Mount,
    NotExecutableError,
    ProcessSpec,
    SandboxError,
    Zygote,
    ZygoteError,
)
from alonzo.sandbox.overseer import family

HERE = Path(__file__).parent


def _load(name: str):
    spec = importlib.util.spec_from_file_location(f"sandbox_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenarios = _load("scenarios")
bench_module = sys.modules["bench"]

#: What a backend promises whether it isolates or not.
SHARED = (
    scenarios.exit_codes_and_signals_are_told,
    scenarios.descriptors_are_exactly_those_given,
    scenarios.descriptors_not_given_are_dev_null,
    scenarios.the_number_of_descriptors_is_limited,
    scenarios.signals_reach_one_process,
    scenarios.two_sandboxes_of_one_id_are_refused,
    scenarios.freezing_stops_everything_and_thawing_continues_it,
    scenarios.a_frozen_sandbox_can_be_closed,
    scenarios.a_tree_that_ignores_signals_and_leaves_its_session_is_killed,
    scenarios.orphans_are_reaped,
    scenarios.sixty_four_sandboxes_are_made_at_once,
    scenarios.a_create_that_is_given_up_leaves_nothing,
    scenarios.everything_ends_with_the_backend,
    scenarios.what_listens_inside_is_reached,
    scenarios.a_listener_that_never_answers_holds_nobody,
    scenarios.a_sandbox_is_fitted_once,
    scenarios.a_hundred_sandboxes_leave_nothing_behind,
)


async def _with_bench(folder: Path, scenario: Callable[..., Awaitable[None]]) -> None:
    backend = PlainBackend(run_dir=folder / "run", python=sys.executable)
    await backend.open()
    try:
        await scenario(bench_module.Bench(backend, folder, f"n{os.getpid()}"))
    finally:
        await backend.close()
    assert not (folder / "run" / "plain").exists()


@pytest.mark.parametrize("scenario", SHARED, ids=lambda each: each.__name__)
def test_without_isolation_too(scenario, tmp_path: Path) -> None:
    asyncio.run(_with_bench(tmp_path, scenario))


def in_bench(scenario):
    """Run a coroutine of this file with a bench of its own."""

    def test(tmp_path: Path) -> None:
        asyncio.run(_with_bench(tmp_path, scenario))

    test.__name__ = scenario.__name__
    return test


@in_bench
async def test_mounts_are_links_below_its_root(bench) -> None:
    code, layers = bench.folder / "code", bench.folder / "layers"
    for folder in (code, layers):
        folder.mkdir()
        (folder / "run").write_text(f"#!/bin/sh\necho {folder.name} $PWD\n")
        (folder / "run").chmod(0o755)
    box = await bench.unfitted(mounts=(Mount(layers, "/var/sdk/deep"),))
    assert (await bench.run(box, "/var/sdk/deep/run"))[1].split()[0] == "layers"
    await box.fit(Fitting(128, 512, (Mount(code, "/var/task"), Mount(layers, "/opt"))))
    _, text = await bench.run(box, "/var/task/run", cwd="/var/task")
    assert text.split() == ["code", str(code)]
    assert (await bench.run(box, "/opt/run"))[1].split()[0] == "layers"
    _, text = await bench.run(box, "/bin/ls", "/tmp")
    assert text == ""


@in_bench
async def test_mounts_that_cannot_be_shown_are_refused(bench) -> None:
    folder = bench.folder
    for mounts, told in (
        ((Mount(folder, "/usr/new"),), "the host's own"),
        ((Mount(folder, "relative"),), "absolute"),
        ((Mount(folder / "missing", "/opt"),), "missing"),
        ((Mount(folder, "/opt"), Mount(folder, "/opt/below")), "another mount"),
        ((Mount(folder, "/opt"), Mount(folder, "/opt")), "another mount"),
    ):
        with bench_module.refused(told):
            await bench.sandbox(mounts=mounts)


@in_bench
async def test_a_process_gets_exactly_its_variables(bench) -> None:
    box = await bench.sandbox()
    _, text = await bench.run(box, "/usr/bin/env", environment={"K": "/var/task=ü"})
    assert text == "K=/var/task=ü\n"


@in_bench
async def test_listeners_have_ports_of_their_own(bench) -> None:
    boxes = [await bench.sandbox(listen_ports=(9001, 4566)) for _ in range(2)]
    ports = {each.getsockname() for box in boxes for each in box.listeners.values()}
    assert len(ports) == 4
    assert {host for host, _ in ports} == {"127.0.0.1"}
    listener = boxes[0].listeners[9001]
    assert not listener.getblocking()
    with socket.create_connection(listener.getsockname()):
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        connection.close()


@in_bench
async def test_there_are_no_zygotes(bench) -> None:
    with pytest.raises(ZygoteError):
        await bench.unfitted(zygote=Zygote(("/usr/bin/python3",), "/var/runtime", "x"))


@in_bench
async def test_memory_is_measured_also_of_what_has_ended(bench) -> None:
    box = await bench.sandbox()
    assert box.memory().peak_bytes == 0
    code = "b = bytearray(b'x' * (48 << 20)); print('ready', flush=True); input()"
    process = await bench.begin(box, code)
    assert (await process.wait()).code == 1
    assert box.memory().peak_bytes > 48 << 20
    assert box.peak_bytes() > 48 << 20
    assert box.memory().current_bytes == 0
    await bench.begin(box, code.replace("input()", "import time; time.sleep(60)"))
    assert box.memory().current_bytes > 48 << 20


@in_bench
async def test_a_sandbox_dies_with_its_overseer(bench) -> None:
    box = await bench.sandbox()
    process = await bench.begin(box, "print('ready', flush=True); import time; time.sleep(60)")
    overseer = next(pid for pid in family.below(os.getpid()) if "overseer" in _command(pid))
    os.kill(overseer, signal.SIGKILL)
    async with asyncio.timeout(10):
        assert await process.wait() == ExitStatus(signal=9)
        await box.wait_ended()
    await box.freeze()
    box.thaw_nowait()
    await box.kill()
    with pytest.raises(SandboxError, match="ended"):
        await box.start(ProcessSpec(("/bin/true",), {}))
    await box.close()


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


@in_bench
async def test_what_cannot_be_executed_is_said(bench) -> None:
    folder = bench.folder / "programs"
    folder.mkdir()
    for name, text, mode in (
        ("no-interpreter", "#!/nothing/here\n", 0o755),
        ("no-program", "just text", 0o755),
        ("closed", "#!/bin/sh\n", 0o644),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
    box = await bench.sandbox(mounts=(Mount(folder, "/var/task"),))
    for path, told in (
        ("/var/task/missing", "No such file or directory"),
        ("/var/task", "Permission denied"),
        ("/var/task/closed", "Permission denied"),
        ("/var/task/no-interpreter", "No such file or directory"),
        ("/var/task/no-program", "Exec format error"),
    ):
        with bench_module.refused(told, NotExecutableError):
            await box.start(ProcessSpec((path,), {}))
    with bench_module.refused("enter /nowhere"):
        await box.start(ProcessSpec(("/bin/true",), {}, cwd="/nowhere"))


@in_bench
async def test_descriptors_that_are_too_many_are_refused(bench) -> None:
    box = await bench.sandbox()
    with bench_module.refused("too much"):
        await box.start(ProcessSpec(("/bin/echo", "x" * (2 << 20)), {}))
    with bench_module.refused("descriptors"):
        await box.start(ProcessSpec(("/bin/true",), {}, fds={300: 1}))
    assert (await bench.run(box, "/bin/echo", "x" * 100_000))[0].code == 0
