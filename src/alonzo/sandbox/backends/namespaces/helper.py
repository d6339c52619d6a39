"""The spawner as the daemon sees it: start it, send it requests, notice its end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import alonzo
from alonzo.sandbox.backends.namespaces.channel import Channel, EndedError
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.base import SandboxError

#: Longest wait for the spawner's first word: an interpreter's start and a few mounts.
START_S_MAX = 20.0

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from alonzo.sandbox.backends.namespaces.spawner import main; "
    "main(int(sys.argv[2]), sys.argv[3], sys.argv[4] == 'rootless')"
)


class Spawner:
    """The running helper program. Make one, then ``wait_ready``.

    ``on_end`` is called once, when it has ended or is about to, with every maker and sandbox.
    """

    def __init__(
        self, *, python: str, folder: Path, rootless: bool, on_end: Callable[[], None]
    ) -> None:
        self._on_end = on_end
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
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
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._exited)
        self._channel = Channel(ours, self._message, self._ended)

    @property
    def alive(self) -> bool:
        """Whether requests can still be sent."""
        return self._channel.open

    @property
    def how_it_ended(self) -> str:
        """In words, for the log; after ``close()``. If its opener ended first, how that did."""
        code: int = self._process.returncode or 0
        if code < 0:
            return f"it was ended by signal {-code}"
        return f"its opener was ended by signal {code - 128}" if code > 128 else f"status {code}"

    async def wait_ready(self) -> None:
        """Wait until it takes orders.

        Raises:
            SandboxError: it cannot; the text says which step failed.
        """
        try:
            async with asyncio.timeout(START_S_MAX):
                await self._ready
        except TimeoutError as err:
            raise SandboxError("the spawner did not start in time") from err

    async def wait_end(self, within_s: float) -> bool:
        """Wait until orders can no longer be given. False if they still can."""
        try:
            async with asyncio.timeout(within_s):
                await self._ending.wait()
        except TimeoutError:
            return False
        return True

    async def send(self, order: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Give an order; the socket that goes along, the first descriptor, brings the answer.

        Raises:
            EndedError: the spawner is gone.
            SandboxError: the request is too long, or cannot be sent for another reason.
        """
        try:
            await self._channel.send(order, descriptors)
        except ConnectionError as err:
            raise EndedError(f"the spawner has ended: {err}") from err
        except (OSError, wire.MessageTooLongError) as err:
            raise SandboxError(f"the spawner took no order: {err}") from err

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

    def _message(self, message: dict[str, Any], descriptors: list[int]) -> None:
        wire.close_all(descriptors)
        if "error" in message:
            self._fail(message["error"])
        elif not self._ready.done():
            self._ready.set_result(None)

    def _ended(self) -> None:
        self._fail("it ended")
        if not self._ending.is_set():
            self._ending.set()
            self._on_end()

    def _fail(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(SandboxError(f"the spawner did not start: {why}"))
            self._ready.exception()  # whether or not anybody waits

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._process.wait()
        self._channel.close()
        self._ended()
        self._gone.set()
