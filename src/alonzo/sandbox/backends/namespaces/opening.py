"""Who opens the folders that one sandbox alone shows, and hands them to its pid 1.

Root may do it in the daemon, which spares a process on the way. An ordinary user holds the
privilege only in the spawner's user namespace, so the opener there does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from alonzo.sandbox.backends.namespaces.channel import Channel
from alonzo.sandbox.backends.namespaces.helper import Spawner
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.backends.namespaces.template import open_all
from alonzo.sandbox.base import SandboxError


class Opening(Protocol):
    """Sends an order, with the mounts that it names as descriptors, to a sandbox's pid 1."""

    async def send(self, order: dict[str, Any], control: Channel) -> None:
        """Send ``order``, whose answer comes on ``control``.

        Raises:
            SandboxError: a mount cannot be opened; nothing was sent.
            OSError: it cannot be sent.
        """
        ...


class InDaemon:
    """Opens in this process, as root."""

    async def send(self, order: dict[str, Any], control: Channel) -> None:
        """See ``Opening``."""
        mounts = order["mounts"]
        try:
            trees = open_all(mounts)
        except OSError as err:
            raise SandboxError(f"{err.filename}: {err.strerror}") from err
        try:
            targets = [mount["target"] for mount in mounts]
            await control.send({**order, "mounts": None, "targets": targets}, trees)
        finally:
            wire.close_all(trees)


class ByOpener:
    """Lets the opener do it. ``spawner`` answers the live spawner."""

    def __init__(self, spawner: Callable[[], Awaitable[Spawner]]) -> None:
        self._spawner = spawner

    async def send(self, order: dict[str, Any], control: Channel) -> None:
        """See ``Opening``. What cannot be opened comes back as pid 1's refusal."""
        spawner = await self._spawner()
        await spawner.send(order, [control.fileno()])
