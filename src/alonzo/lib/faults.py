"""Named points that production code passes and a test may arm.

``await faults.reach("async.after_claim")`` costs one dictionary look-up of an empty dictionary.
A test arms a point with a callable that raises, waits, or kills the process.
"""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Awaitable, Callable

Action = Callable[[], Awaitable[None] | None]

_armed: dict[str, Action] = {}


def arm(point: str, action: Action) -> None:
    """From now on run ``action`` whenever ``point`` is reached."""
    _armed[point] = action


def disarm() -> None:
    """Forget every armed point."""
    _armed.clear()


async def reach(point: str) -> None:
    """Pass a point from a coroutine."""
    action = _armed.get(point)
    if action is not None:
        outcome = action()
        if inspect.isawaitable(outcome):
            await outcome


def reach_nowait(point: str) -> None:
    """Pass a point from plain code; the armed action must not be a coroutine."""
    action = _armed.get(point)
    if action is not None:
        action()


def arm_from_environment(value: str) -> None:
    """Arm points to kill this process, from a comma-separated list.

    Fault tests start a real daemon with ``ALONZO_FAULTS=point`` and watch it die at that point.
    """
    for point in filter(None, value.split(",")):
        arm(point, lambda: os.kill(os.getpid(), signal.SIGKILL))
