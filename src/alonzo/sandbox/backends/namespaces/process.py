"""A process of a sandbox as the daemon sees it, and what pid 1 answers when it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from alonzo.sandbox.base import ExitStatus, NotExecutableError, SandboxError


class RefusedError(SandboxError):
    """The kernel refused, inside, with that error number."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def error_of(notice: dict[str, Any]) -> SandboxError:
    """What to raise for a notice of failure."""
    text: str = notice["error"]
    if "number" in notice:
        return RefusedError(notice["number"], text)
    return NotExecutableError(text) if notice.get("unexecutable") else SandboxError(text)


class NamespaceProcess:
    """A process of a sandbox. See ``base.Process``."""

    def __init__(self, name: int, send: Callable[[dict[str, Any]], bool]) -> None:
        self._name = name
        self._send = send
        self._status: ExitStatus | None = None
        self._ended = asyncio.Event()

    @property
    def exited(self) -> ExitStatus | None:
        """How it ended, or None while it runs."""
        return self._status

    async def wait(self) -> ExitStatus:
        """Wait until it has ended."""
        await self._ended.wait()
        assert self._status is not None
        return self._status

    def signal(self, number: int) -> None:
        """Send a signal to this one process; nothing if it has ended."""
        if self._status is None:
            self._send({"op": "signal", "name": self._name, "number": number})

    def set_exited(self, status: ExitStatus) -> None:
        """Note how it ended. For the sandbox alone; only the first call counts."""
        if self._status is None:
            self._status = status
            self._ended.set()
