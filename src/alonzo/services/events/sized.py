"""Work on events: at once where they are small, beside the event loop where they are large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from alonzo.services.events.limits import LARGE_BYTES

T = TypeVar("T")


async def run_sized(n_bytes: int, work: Callable[[], T]) -> T:
    """Run pure work on so many bytes. To read 1 MiB of numbers takes half a second."""
    return await asyncio.to_thread(work) if n_bytes > LARGE_BYTES else work()
