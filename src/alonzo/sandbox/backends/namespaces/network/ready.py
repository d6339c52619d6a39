"""Networks made ahead of need: namespaces that nobody is in yet, connected and listened in.

To make one takes the kernel's one lock over all interfaces again and again, and waits for whoever
else has it; to enter one takes nothing. A few are kept, for the ports that the first sandbox asked
for, which are the same for nearly all. Where none is ready, pid 1 makes its own. As root only.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.namespaces.inside import network as inside
from alonzo.sandbox.backends.namespaces.network.base import Network
from alonzo.sandbox.backends.namespaces.network.nat import in_own_thread
from alonzo.sandbox.base import SandboxError

log = logging.getLogger("alonzo.sandbox")

#: How many are kept. One takes up to five descriptors, and 0.3 MiB of the kernel's memory.
READY_MAX = 4

#: More are made so long after one was taken: its sandbox has the processors for itself.
_PAUSE_S = 0.05

#: The order to enter one. Its sockets are not pid 1's to answer.
ENTER = {"kind": "made", "relayed": False}

#: The kinds of orders that can be carried out with nobody inside.
_KINDS = ("none", "veth")


@dataclass(slots=True, eq=False)
class ReadyNetwork:
    """One that nobody is in. ``sockets`` are those that ``inside.network.enter`` answers."""

    id: str
    namespace: int
    sockets: list[socket.socket] = field(default_factory=list[socket.socket])

    def hand_over(self) -> list[socket.socket]:
        """Its sockets, which are the caller's from now on."""
        sockets, self.sockets = self.sockets, []
        return sockets

    def close(self) -> None:
        """Let go of what was not handed over: the namespace lives while somebody is inside."""
        for each in self.hand_over():
            each.close()
        os.close(self.namespace)


class ReadyNetworks:
    """Keeps a few ready. ``network`` answers the one that all sandboxes are connected by."""

    def __init__(self, network: Callable[[], Network]) -> None:
        self._network = network
        self._works = os.geteuid() == 0
        self._ports: tuple[int, ...] = ()
        self._ready: list[ReadyNetwork] = []
        self._names: dict[str, str] = {}
        self._made = 0
        self._later: asyncio.TimerHandle | None = None
        self._tasks = TaskScope()

    @property
    def full(self) -> bool:
        """Whether as many are ready as are kept, which is none where it does not work."""
        return not self._works or len(self._ready) >= READY_MAX

    def take(self, sandbox_id: str, ports: tuple[int, ...]) -> ReadyNetwork | None:
        """One for that sandbox, with listening sockets on ``ports``, if there is one.

        Who takes it closes it; ``release`` follows when the sandbox has ended.
        """
        self._ports = self._ports or ports
        if not ports or ports != self._ports:
            return None
        if self._later is None and self._works:
            self._later = asyncio.get_running_loop().call_later(_PAUSE_S, self._begin)
        if not self._ready:
            return None
        taken = self._ready.pop(0)
        self._names[sandbox_id] = taken.id
        return taken

    def release(self, sandbox_id: str) -> None:
        """That sandbox has ended, or never began. Safe to call twice."""
        self._network().release(self._names.pop(sandbox_id, sandbox_id))

    def _begin(self) -> None:
        self._tasks.spawn(self._fill(), name="networks.fill")

    async def _fill(self) -> None:
        network = self._network()
        try:
            while self._works and len(self._ready) < READY_MAX:
                self._made += 1
                name = f"ready {self._made}"  # which no sandbox can be called
                try:
                    order = network.order(name)
                    self._works = order["kind"] in _KINDS
                    made = await self._make(name, order) if self._works else None
                except (OSError, SandboxError) as err:
                    network.release(name)
                    log.info("network.not_ready", extra={"error": str(err)})
                    return
                if made is not None:
                    self._ready.append(made)
        finally:
            self._later = None

    async def _make(self, name: str, order: dict[str, Any]) -> ReadyNetwork:
        ports = list(self._ports)
        return await asyncio.to_thread(in_own_thread, lambda: _made(name, order, ports))

    async def close(self) -> None:
        """Let go of all. Safe to call twice."""
        self._works = False
        if self._later is not None:
            self._later.cancel()
        await self._tasks.drain()
        while self._ready:
            ready = self._ready.pop()
            ready.close()
            self._network().release(ready.id)


def _made(name: str, order: dict[str, Any], ports: list[int]) -> ReadyNetwork:
    """Make one, and stay in it: for a thread that ends."""
    sockets = inside.enter(order, ports)
    try:
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return ReadyNetwork(name, namespace, sockets)
