"""``alonzo bench`` end to end on real platforms, with the least effort there is."""

import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from alonzo.cli.bench import command
from alonzo.cli.bench.figures import Effort
from alonzo.cli.bench.report import render
from alonzo.cli.bench.workbench import Workbench
from alonzo.testing.waiting import eventually

LEAST = Effort(
    warm_count=20,
    seconds=0.05,
    cold_functions=1,
    imports=1,
    libraries=(),
    at_once=(6,),
    clients=(2,),
    rounds=1,
    large_count=1,
    starts=1,
    sends=2,
    waiting=(20,),
    groups_each=1,
)


@pytest.fixture
def workbench(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with ExitStack() as stack:
        yield Workbench(LEAST, (), stack)


@pytest.mark.slow
def test_sections_measure_real_platforms_and_leave_no_function_failing(workbench):
    sections = {
        name: command.measure(name, workbench)[0]
        for name in ("warm", "throughput", "payloads", "at-once")
    }
    assert [row["server"] for row in sections["warm"].rows] == ["echo", "worker", "alonzo"]
    assert [row["n"] for row in sections["warm"].rows] == [20, 20, 20]
    assert [row["clients"] for row in sections["throughput"].rows] == [2, 2, 2]
    assert {row["event"] for row in sections["payloads"].rows} == {"100 B", "100 KB", "5 MB"}
    for row in sections["at-once"].rows:
        assert (row["N"], row["n"], row["errors"]) == (6, 6, 0)
    for section in sections.values():
        assert section.title in render(section)


def test_a_bench_that_is_killed_leaves_no_server():
    program = (
        "import time\nfrom alonzo.cli.bench.processes import running\n"
        "with running('alonzo.cli.bench.baselines', 'echo') as server:\n"
        "    print(server.pid, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as bench:
        assert bench.stdout is not None
        pid = int(bench.stdout.readline())
        bench.send_signal(signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists(), 20)
