"""``run()``: one platform, from its start message to its clean stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import shlex
import signal
import sys
from pathlib import Path

import uvloop

from alonzo.daemon.config import Config, is_loopback
from alonzo.daemon.log_lines import LogFormatter
from alonzo.daemon.routes import NOT_ISOLATED
from alonzo.daemon.wiring import Platform
from alonzo.lib import faults, heap
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import PlatformError
from alonzo.sandbox.base import NETWORK_LAYER, SandboxError

#: New objects that have the garbage collector look at them; Python's own number is 700.
_YOUNG_OBJECTS_MAX = 10_000

#: How long a thread that packs logs may keep the interpreter while the event loop wants it, in
#: place of Python's own 5 ms. With 16 clients a call's p99 is 4.7 ms with it and 5.7 without.
_SWITCH_S = 0.0005

#: Said of a platform that others reach without TLS.
NOT_ENCRYPTED = (
    "whoever is on the way reads requests and answers, secrets among them; signatures hold all the "
    "same"
)

#: How long calls in flight may still take after SIGTERM.
DRAIN_S_MAX = 30.0


def run(config: Config) -> None:
    """Run the platform until SIGTERM or SIGINT.

    Raises:
        PlatformError: it could not start; the text says why and what to do.
    """
    config.check()
    dump_no_core()
    heap.share_one()
    faults.arm_from_environment(config.faults)
    lines = logging.StreamHandler()
    lines.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[lines])
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
        _spare_the_collector()
        sys.setswitchinterval(_SWITCH_S)
        _say(start_message(config, platform))
        await stop.wait()
        _say("stopping: calls in flight may finish; once more stops at once")
        async with TaskScope() as scope:
            drained = scope.spawn(platform.drain(DRAIN_S_MAX), name="drain")
            hurried = scope.spawn(hurry.wait(), name="hurry")
            await asyncio.wait({drained, hurried}, return_when=asyncio.FIRST_COMPLETED)
    for number in (signal.SIGTERM, signal.SIGINT):
        # The loop's end would have the next one kill a process that has ended all but well.
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    _say("stopped")


def dump_no_core() -> None:
    """Keep what this process holds, keys among it, out of core dumps; children inherit that.

    A limit of 1 has the kernel run no collector of the host either; 0 would. Source: core(5).
    """
    for limit in (1, 0):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
            return


def _spare_the_collector() -> None:
    """Have the garbage collector leave alone what lives as long as we do.

    Otherwise it walks through all of it again and again: 8 µs of every invoke at 16 clients, and
    50 to 180 ms at a time (measured). What cycles leave behind waits a little longer instead.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS_MAX, 20, 20)


def start_message(config: Config, platform: Platform) -> str:
    """What ``alonzo serve`` says once it is ready."""
    layers = [layer for layer in platform.layers if layer.name != NETWORK_LAYER]
    active = [layer.name for layer in layers if layer.active]
    missing = [f"{layer.name} ({layer.detail})" for layer in layers if not layer.active]
    lines = [
        f"alonzo is listening on {platform.endpoint}",
        f"  data       {_short(config.data_dir)}",
        f"  isolation  {platform.isolation}: {', '.join(active)}",
    ]
    if not platform.isolated:
        lines[-1] = f"  isolation  {platform.isolation}"
        lines.append(f"  WARNING    --isolation {platform.isolation}: {NOT_ISOLATED}")
    elif missing:
        lines.append(f"  missing    {'; '.join(missing)}")
    label = "WARNING" if config.network == "host" else "network"
    lines += [f"  {label}    {one.detail}" for one in platform.layers if one.name == NETWORK_LAYER]
    warning = None if platform.certificate is None else platform.certificate.warning()
    if warning is not None:
        lines.append(f"  WARNING    {warning}")
    if platform.certificate is None and not is_loopback(config.host):
        lines.append(f"  WARNING    --host {config.host} without --tls-cert: {NOT_ENCRYPTED}")
    if config.auth == "off":
        lines.append("  WARNING    --auth off: requests are not authenticated")
    if config.iam == "soft":
        lines.append("  WARNING    --iam soft: what policies refuse is logged and passes")
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
