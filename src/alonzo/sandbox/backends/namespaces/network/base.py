"""What the backend asks of a network, and the two that need nothing of the host."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from alonzo.sandbox.base import NETWORK_LAYER, Layer, SandboxError

#: ``none``: a sandbox reaches the platform and itself. ``nat``: whatever the host reaches but the
#: host. ``host``: it shares the host's network.
Mode = Literal["none", "nat", "host"]


class NetworkError(SandboxError):
    """This host cannot give the network; the text says why, and how to get it."""


class Network(Protocol):
    """One way to be connected, the same for all sandboxes of a daemon."""

    @property
    def layer(self) -> Layer:
        """What it is, for the start message and ``alonzo doctor``."""
        ...

    @property
    def shared(self) -> bool:
        """Whether sandboxes are in the host's own network, whose ports they share."""
        ...

    @property
    def resolv_conf(self) -> str:
        """What ``/etc/resolv.conf`` holds inside."""
        ...

    @property
    def relayed(self) -> bool:
        """Whether the daemon answers questions for names, at 127.0.0.1:53 inside."""
        ...

    def order(self, sandbox_id: str) -> dict[str, Any]:
        """How pid 1 of a new sandbox is to set its network up (``inside/network.py``).

        Raises:
            NetworkError: no more can be connected.
        """
        ...

    async def join(
        self, sandbox_id: str, listeners: Mapping[int, socket.socket]
    ) -> tuple[socket.socket, ...]:
        """Connect a sandbox that has a network namespace already, in which ``listeners`` are.

        Answers the two sockets on which it asks for names, if names are ``relayed``.

        Raises:
            NetworkError: it cannot be connected.
        """
        ...

    async def uplink(self) -> int | None:
        """A descriptor that pid 1 of the next sandbox needs for that, if it needs one.

        Raises:
            SandboxError: it cannot be had.
        """
        ...

    def release(self, sandbox_id: str) -> None:
        """That sandbox has ended, or never began. Safe to call twice."""
        ...

    async def close(self) -> None:
        """Leave nothing on the host. After the last sandbox has ended. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Unconnected:
    """``none``, and ``host``: nothing to keep for a sandbox."""

    layer: Layer
    shared: bool = False
    resolv_conf: str = ""
    relayed: bool = False

    def order(self, sandbox_id: str) -> dict[str, Any]:
        """See ``Network``."""
        return {"kind": "host" if self.shared else "none", "relayed": self.relayed}

    async def join(
        self, sandbox_id: str, listeners: Mapping[int, socket.socket]
    ) -> tuple[socket.socket, ...]:
        """See ``Network``. Even where networks are shared, it keeps its own."""
        return ()

    async def uplink(self) -> int | None:
        """See ``Network``."""

    def release(self, sandbox_id: str) -> None:
        """See ``Network``."""

    async def close(self) -> None:
        """See ``Network``."""


def no_network(why: str) -> Unconnected:
    """The loopback alone. With no server named, a search for a name fails at once."""
    detail = why or "none: functions reach the platform alone"
    return Unconnected(Layer(NETWORK_LAYER, not why, detail))


def host_network(resolv_conf: str) -> Unconnected:
    """The host's own network, with nothing between."""
    detail = (
        "host: functions share this host's network and reach its loopback, its abstract sockets "
        "and each other's Runtime API (--network nat is safe)"
    )
    return Unconnected(Layer(NETWORK_LAYER, False, detail), shared=True, resolv_conf=resolv_conf)
