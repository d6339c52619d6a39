"""Work that is done again and again: one loop for everything that keeps house.

    await every(3600.0, keeper.tidy, on_error=partial(log.exception, "not_tidied"))

The first pass begins at once, so that what a platform that was off has missed is made up for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn


async def every(
    period_s: float,
    step: Callable[[], Awaitable[object]],
    *,
    on_error: Callable[[], object],
    nudged: asyncio.Event | None = None,
    after_a_period: bool = False,
) -> NoReturn:
    """Make passes until cancelled, with ``period_s`` seconds between two.

    ``nudged``, once set, brings a pass forward; the next regular one stays where it was. A pass
    that raises ends nothing: ``on_error`` is called while its exception is handled, and the next
    one is made in its time. ``after_a_period``: the first one too has to wait for that long.
    """
    nudged = nudged or asyncio.Event()
    now_s = asyncio.get_running_loop().time
    due_s = now_s() + (period_s if after_a_period else 0.0)
    while True:
        wait_s = max(0.0, due_s - now_s())
        is_regular = False
        try:
            async with asyncio.timeout(wait_s):
                await nudged.wait()
                is_regular = now_s() >= due_s
        except TimeoutError:
            is_regular = True
        nudged.clear()
        await _try(step, on_error)
        if is_regular:
            due_s = now_s() + period_s


async def _try(step: Callable[[], Awaitable[object]], on_error: Callable[[], object]) -> None:
    try:
        await step()
    except Exception:  # noqa: BLE001 - what comes later must be done all the same
        on_error()
