"""Lets so many in at a time; who stays long no longer counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Turnstile:
    """First come, first in. A place is free again when its holder leaves, or after ``counts_s``."""

    def __init__(self, places: int, *, counts_s: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._counts_s = counts_s

    @asynccontextmanager
    async def passage(self) -> AsyncGenerator[None]:
        """Wait for a place, and hold it."""
        await self._places.acquire()
        holds = True

        def leave() -> None:
            nonlocal holds
            if holds:
                holds = False
                self._places.release()

        timer = asyncio.get_running_loop().call_later(self._counts_s, leave)
        try:
            yield
        finally:
            timer.cancel()
            leave()
