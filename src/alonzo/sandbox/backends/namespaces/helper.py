"""The spawner as the daemon sees it: start it, send it requests, notice its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import alonzo
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.backends.namespaces.servant import Servant

#: Longest wait for the spawner's first word: an interpreter's start and a few mounts.
START_S_MAX = 20.0

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from alonzo.sandbox.backends.namespaces.spawner import main; "
    "main(int(sys.argv[2]), sys.argv[3], sys.argv[4] == 'rootless')"
)


class Spawner(Servant):
    """The running helper program. Make one, then ``wait_ready``.

    ``on_end`` is called once, when it has ended or is about to, with every maker and sandbox.
    """

    def __init__(
        self, *, python: str, folder: Path, rootless: bool, on_end: Callable[[], None]
    ) -> None:
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        ours, theirs = wire.pair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(python, "-I", "-S", "-X", "utf8", "-c", _PROGRAM),
                    str(Path(alonzo.__file__).parents[1]),
                    str(theirs.fileno()),
                    str(folder),
                    "rootless" if rootless else "root",
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={},  # nothing of the daemon's environment may be readable from a sandbox
                start_new_session=True,
            )
        super().__init__(ours, "the spawner", start_s_max=START_S_MAX)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._exited)

    @property
    def how_it_ended(self) -> str:
        """In words, for the log; after ``close()``. If its opener ended first, how that did."""
        code: int = self._process.returncode or 0
        if code < 0:
            return f"it was ended by signal {-code}"
        return f"its opener was ended by signal {code - 128}" if code > 128 else f"status {code}"

    async def close(self) -> None:
        """End it, and with it every sandbox; return once all are gone. Safe to call twice."""
        self._channel.close()
        self._fail("closed")
        try:
            async with asyncio.timeout(START_S_MAX):
                await self._gone.wait()
        except TimeoutError:
            self._process.send_signal(signal.SIGKILL)
            await self._gone.wait()

    def _died(self) -> None:
        self._ended("it ended")

    def _tell_end(self) -> None:
        self._on_end()

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self._channel.close()
        self._died()
        self._gone.set()
