"""``run()``: one platform, from its start message to its clean stop."""

from __future__ import annotations

import asyncio
import logging
import shlex
import signal
import sys
from pathlib import Path

import uvloop

from alonzo.daemon.config import Config
from alonzo.daemon.wiring import Platform
from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import PlatformError
from alonzo.sandbox.base import SandboxError

#: How long calls in flight may still take after SIGTERM.
DRAIN_S_MAX = 30.0


def run(config: Config) -> None:
    """Run the platform until SIGTERM or SIGINT.

    Raises:
        PlatformError: it could not start; the text says why and what to do.
    """
    config.check()
    faults.arm_from_environment(config.faults)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        uvloop.run(_serve(config))
    except SandboxError as err:
        raise PlatformError(str(err)) from err


async def _serve(config: Config) -> None:
    stop, hurry = asyncio.Event(), asyncio.Event()

    def told() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    async with Platform(config) as platform:
        _say(start_message(config, platform))
        await stop.wait()
        _say("stopping: calls in flight may finish; once more stops at once")
        async with TaskScope() as scope:
            drained = scope.spawn(platform.drain(DRAIN_S_MAX), name="drain")
            hurried = scope.spawn(hurry.wait(), name="hurry")
            await asyncio.wait({drained, hurried}, return_when=asyncio.FIRST_COMPLETED)
    _say("stopped")


def start_message(config: Config, platform: Platform) -> str:
    """What ``alonzo serve`` says once it is ready."""
    active = [layer.name for layer in platform.layers if layer.active]
    missing = [f"{layer.name} ({layer.detail})" for layer in platform.layers if not layer.active]
    lines = [
        f"alonzo is listening on {platform.endpoint}",
        f"  data       {_short(config.data_dir)}",
        f"  isolation  {platform.isolation}: {', '.join(active)}",
    ]
    if missing:
        lines.append(f"  missing    {'; '.join(missing)}")
    if config.auth == "off":
        lines.append("  WARNING    --auth off: requests are not authenticated")
    where = shlex.quote(str(config.data_dir))
    lines.append(f'  next       eval "$(alonzo env --data-dir {where})"')
    return "\n".join(lines)


def _short(path: Path) -> str:
    """The path as a person would write it."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
