"""The contract of ``sandbox/base.py`` over gVisor, where ``runsc`` is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from alonzo.sandbox.backends.gvisor.backend import GvisorBackend
from alonzo.sandbox.base import ExitStatus, Mount, SandboxError

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

SHARED = (
    scenarios.exit_codes_and_signals_are_told,
    scenarios.a_process_gets_exactly_its_environment_folder_and_arguments,
    scenarios.descriptors_are_exactly_those_given,
    scenarios.descriptors_not_given_are_dev_null,
    scenarios.the_number_of_descriptors_is_limited,
    scenarios.signals_reach_one_process,
    scenarios.two_sandboxes_of_one_id_are_refused,
    scenarios.tmp_is_kept_over_kill_and_start,
    scenarios.listeners_are_reached_from_inside,
    scenarios.freezing_stops_everything_and_thawing_continues_it,
    scenarios.a_frozen_sandbox_can_be_closed,
    scenarios.orphans_are_reaped,
    scenarios.a_tree_that_ignores_signals_and_leaves_its_session_is_killed,
    scenarios.everything_ends_with_the_backend,
    scenarios.what_listens_inside_is_reached,
    scenarios.a_sandbox_is_fitted_once,
    scenarios.a_link_in_a_mount_cannot_move_another_mount,
    scenarios.what_cannot_be_executed_is_said,
    scenarios.memory_of_a_child_counts_too,
    scenarios.memory_shared_by_forks_counts_once,
    scenarios.a_create_that_is_given_up_leaves_nothing,
    scenarios.what_ran_before_sees_the_mounts_and_the_size_of_tmp,
)

pytestmark = pytest.mark.skipif(
    shutil.which("runsc") is None or os.geteuid() != 0, reason="needs runsc on PATH, and root"
)


async def _with_bench(folder: Path, scenario: Callable[..., Awaitable[None]]) -> None:
    backend = GvisorBackend(
        run_dir=folder / "run", python=sys.executable, search_path=os.environ["PATH"]
    )
    await backend.open()
    try:
        await scenario(bench_module.Bench(backend, folder, f"g{os.getpid()}"))
    finally:
        await backend.close()
    assert not (folder / "run" / "gvisor").exists()


@pytest.mark.parametrize("scenario", SHARED, ids=lambda each: each.__name__)
def test_with_gvisor_too(scenario, tmp_path: Path) -> None:
    asyncio.run(_with_bench(tmp_path, scenario))


#: What succeeds inside, and touches nothing but the sandbox's own kernel.
WITHIN = {
    "unshare user": "namespaces of gVisor's kernel, not of the host's",
    "unshare mount": "the same",
    "clone mount": "the same",
    "chroot": "the same, in such a namespace",
    "nice": "gVisor does not hand priorities to the host",
    "list /sys": "gVisor makes it up",
    "mounts to write": "/dev and /sys belong to root inside",
    "read pid 1's environment": "it holds where Python's library is",
    "read pid 1's maps": "places in memory that cannot be read",
    "read the kernel's command line": "gVisor's own",
    "read pid 1's command line": "the same for every sandbox",
    "list pid 1's descriptors": "numbers",
    "open pid 1's users": "gVisor's kernel, not the host's",
    "list the template's helpers": "the program of pid 1, read-only",
}


def in_bench(scenario):
    """Run a coroutine of this file with a bench of its own."""

    def test(tmp_path: Path) -> None:
        asyncio.run(_with_bench(tmp_path, scenario))

    test.__name__ = scenario.__name__
    return test


@in_bench
async def test_what_an_attack_gains_stays_within_its_own_kernel(bench) -> None:
    attacks = sys.modules["attack_scenarios"]
    box = await bench.sandbox(memory_mib=128, mounts=(Mount(HERE, "/var/task"),))
    assert set(await attacks.successes(bench, box)) <= set(WITHIN)


@in_bench
async def test_a_sandbox_beyond_its_memory_is_ended_and_serves_on(bench) -> None:
    box, neighbour = await bench.sandbox(memory_mib=64), await bench.sandbox()
    beside = await bench.begin(neighbour, "print('ready', flush=True); import time; time.sleep(60)")
    code = "b = []\nwhile True: b.append(bytearray(b'x' * (4 << 20)))"
    status, _ = await bench.python(box, code)
    assert status == ExitStatus(signal=9, out_of_memory=True)
    assert beside.exited is None
    assert box.memory().peak_bytes > 48 << 20
    status, _ = await bench.python(box, "import os; os.kill(os.getpid(), 9)")
    assert status == ExitStatus(signal=9)


@in_bench
async def test_mounts_are_read_only_whenever_they_come(bench) -> None:
    code = bench.folder / "code"
    code.mkdir()
    (code / "run").write_text("#!/bin/sh\necho ran; echo x > $0; echo x > /var/task/new\n")
    for path in (code / "run", code):
        path.chmod(0o777)
    box = await bench.unfitted(mounts=(Mount(code, "/var/lang"),))
    await box.fit(bench_module.Fitting(64, 8, (Mount(code, "/var/task"),)))
    for place in ("/var/lang", "/var/task"):
        _, text = await bench.run(box, f"{place}/run")
        assert text.startswith("ran\n")
        assert text.count("Read-only file system") == 2
    assert os.listdir(code) == ["run"]
    late = Mount(code, "/opt", executable=False)
    with bench_module.refused("noexec"):
        await bench.sandbox(mounts=(late,))
    with bench_module.refused("its own"):
        await bench.sandbox(mounts=(Mount(code, "/usr/new"),))


@in_bench
async def test_a_fork_bomb_is_ended(bench) -> None:
    box, neighbour = await bench.sandbox(processes_max=20), await bench.sandbox()
    code = "import os, time\nwhile True:\n  if os.fork() == 0: time.sleep(60)\n"
    status, _ = await bench.python(box, code)
    assert status.signal == 9
    for each in (box, neighbour):
        assert (await bench.run(each, "/bin/true"))[0].code == 0


def test_without_runsc_it_says_how_to_get_it(tmp_path: Path) -> None:
    async def opened() -> None:
        backend = GvisorBackend(
            run_dir=tmp_path / "run", python=sys.executable, search_path=str(tmp_path)
        )
        with pytest.raises(SandboxError, match="apt-get install runsc"):
            await backend.open()
        await backend.close()

    asyncio.run(opened())
