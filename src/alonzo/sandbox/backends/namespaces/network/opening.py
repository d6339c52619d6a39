"""Which network this host gives: the one that was asked for, or the best there is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from alonzo.lib.clock import Clock
from alonzo.sandbox.backends.namespaces.helper import Spawner
from alonzo.sandbox.backends.namespaces.network.base import (
    Mode,
    Network,
    NetworkError,
    host_network,
    no_network,
)
from alonzo.sandbox.backends.namespaces.network.nat import Nat
from alonzo.sandbox.backends.namespaces.network.slirp import Slirp

#: Where the host says who answers its questions for names.
RESOLV_CONF = Path("/etc/resolv.conf")


async def open_network(
    mode: Mode | None,
    *,
    instance: str,
    clock: Clock,
    spawner: Callable[[], Awaitable[Spawner]],
) -> Network:
    """The network of all sandboxes, after what a dead daemon of that name left was removed.

    ``spawner`` answers the live one. Without a ``mode`` it is ``nat`` where that can be had, and
    else ``none``, whose layer says why.

    Raises:
        NetworkError: it was asked for by name and cannot be had.
    """
    if mode in (None, "nat"):
        try:
            return await _nat(instance, clock, spawner)
        except NetworkError as err:
            if mode == "nat":
                raise NetworkError(f"--network nat: {err}") from err
            return no_network(f"none, since nat cannot be had: {err}")
    if os.geteuid() == 0:
        await Nat(instance, clock).close()
    return host_network(read_resolv_conf()) if mode == "host" else no_network("")


async def _nat(instance: str, clock: Clock, spawner: Callable[[], Awaitable[Spawner]]) -> Network:
    resolv_conf = await asyncio.to_thread(read_resolv_conf)
    if os.geteuid() != 0:
        return Slirp(instance, resolv_conf, spawner)
    nat = Nat(instance, clock)
    await nat.open(resolv_conf)
    return nat


def read_resolv_conf() -> str:
    """The host's; a file that cannot be read says nothing."""
    try:
        return RESOLV_CONF.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
