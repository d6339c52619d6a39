"""Waiting for what the kernel tells nobody of: looking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alonzo.sandbox.base import SandboxError

#: Pauses between looks at a cgroup that is freezing or still busy: short first, then longer.
_PAUSES_S = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01)


async def until(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Return once ``condition`` holds.

    Raises:
        SandboxError: it did not in time; ``what`` is its text.
    """
    attempt = 0
    try:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
                attempt += 1
    except TimeoutError as err:
        raise SandboxError(what) from err
