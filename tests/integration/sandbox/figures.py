"""What sandboxes cost here: ``python figures.py [count]``. Prints; asserts nothing.

Times are the daemon's, from the call to its answer; memory is proportional (PSS), so that pages
that many processes share count for each in part.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bench import Bench, open_bench
from end_scenarios import named

from alonzo.sandbox.base import Fitting, Mount, ProcessSpec

_IDLE = "import time; time.sleep(600)"


class Times:
    """How long each step took."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    async def of(self, name: str, awaitable):
        """Await it, and note the time."""
        began = time.perf_counter()
        result = await awaitable
        self._seconds.setdefault(name, []).append(time.perf_counter() - began)
        return result

    def show(self) -> None:
        """Print what was noted."""
        for name, taken in self._seconds.items():
            ms = sorted(1000 * one for one in taken)
            print(
                f"{name:24} p50 {statistics.median(ms):6.2f} ms  p99 {ms[int(len(ms) * 0.99)]:6.2f}"
                f"  min {ms[0]:6.2f}  n {len(ms)}"
            )


async def one_after_another(bench: Bench, count: int, code: Path) -> None:
    """Create, fit, start and close, one sandbox at a time."""
    times, way = Times(), "fork" if bench.forked else "exec"
    await (await bench.unfitted()).close()
    for _ in range(count):
        box = await times.of(f"create, {way}", bench.unfitted(listen_ports=(9001,)))
        fitting = Fitting(128, 512, (Mount(code, "/var/task"),))
        await times.of(f"fit, {way}", box.fit(fitting))
        command, environment = bench.code(_IDLE, ()) if bench.forked else (("/bin/true",), {})
        await times.of(f"start, {way}", box.start(ProcessSpec(command, environment)))
        await times.of(f"close, {way}", box.close())
    times.show()


async def at_once(bench: Bench, count: int) -> None:
    """Create many at a time."""
    began = time.perf_counter()
    boxes = await asyncio.gather(*(bench.unfitted(listen_ports=(9001,)) for _ in range(count)))
    took_s = time.perf_counter() - began
    print(f"{count} creates at once     {took_s:.3f} s, {count / took_s:.0f}/s")
    began = time.perf_counter()
    await asyncio.gather(*(box.close() for box in boxes))
    print(f"{count} closes at once      {time.perf_counter() - began:.3f} s")


async def idle(bench: Bench, count: int) -> None:
    """The memory of idle sandboxes with one process each."""
    for _ in range(count):
        await bench.begin(await bench.sandbox(), f"print('ready', flush=True); {_IDLE}")
    inits, own = named("alonzo-init"), named("python3")
    kib = {name: sum(map(_pss_kib, pids)) for name, pids in (("pid 1", inits), ("runtime", own))}
    parts = ", ".join(f"{name} {total / count / 1024:.2f} MiB" for name, total in kib.items())
    print(f"memory of each of {count}: {sum(kib.values()) / count / 1024:.2f} MiB ({parts})")


def _pss_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


async def main(count: int) -> None:
    """All of it, executed and forked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "code").mkdir()
        for forked in (False, True):
            bench = await open_bench(folder, forked=forked)
            try:
                await one_after_another(bench, count, folder / "code")
                await at_once(bench, 100)
                await idle(bench, 50)
            finally:
                await bench.backend.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
