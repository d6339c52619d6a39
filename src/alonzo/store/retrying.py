"""Steps that must not be lost: tried until the store can do them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from alonzo.store.base import StoreClosedError, StoreError

log = logging.getLogger("alonzo.store")

#: Long enough that a full disk is not hammered, short enough that work goes on soon after it.
RETRY_S_MAX = 5.0


async def until_stored(
    step: Callable[[], Awaitable[None]], *, name: str, stop: asyncio.Event | None = None
) -> None:
    """Run ``step`` until it raises no ``StoreError``, with growing pauses between.

    Once ``stop`` is set it is not tried again.

    Raises:
        StoreClosedError: the store will never be able to.
    """
    stop = stop or asyncio.Event()
    failures = 0
    while True:
        try:
            return await step()
        except StoreClosedError:
            raise
        except StoreError as err:
            failures += 1
            wait_s = retry_s(failures)
            log.warning(
                "store.step_failed",
                extra={"step": name, "retry_in_s": wait_s, "error": str(err)},
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await stop.wait()
        if stop.is_set():
            return None


def retry_s(failures: int) -> float:
    """How long a step waits after the store has failed it ``failures`` times in a row."""
    return min(0.05 * 2.0 ** min(failures - 1, 9), RETRY_S_MAX)
