"""A process of a sandbox that somebody inside it watches, and reports the end of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from alonzo.sandbox.base import ExitStatus


class ReportedProcess:
    """See ``base.Process``. ``tell`` gives an order to whoever watches it inside."""

    def __init__(self, name: int, tell: Callable[[dict[str, Any]], object]) -> None:
        self._name = name
        self._tell = tell
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
            self._tell({"op": "signal", "name": self._name, "number": number})

    def set_exited(self, status: ExitStatus) -> None:
        """Note how it ended. For the sandbox alone; only the first call counts."""
        if self._status is None:
            self._status = status
            self._ended.set()
