"""``nat`` for an ordinary user: one ``slirp4netns`` for each sandbox, which opens its connections.

The opener starts it (``spawner.py``), outside the sandbox and below the opener's pid namespace, so
that it ends with the daemon however that ends; it ends with its sandbox when pid 1's end of their
socket does. It translates nothing to the host's loopback and answers no names. What else a sandbox
must not reach its own routes refuse; a program inside that gets round them by binding to the
interface finds nobody on the wire but ``slirp4netns``.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Network
from typing import Any

from alonzo.sandbox.backends.namespaces.helper import Spawner
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.backends.namespaces.inside.rtnetlink import Rtnetlink
from alonzo.sandbox.backends.namespaces.network import pools
from alonzo.sandbox.backends.namespaces.network.base import NetworkError
from alonzo.sandbox.backends.namespaces.network.names import Names, names_behind
from alonzo.sandbox.backends.namespaces.network.pools import PoolError
from alonzo.sandbox.base import NETWORK_LAYER, Layer

#: Where the program is looked for beside the usual places.
_PLACES = "/usr/local/bin:/usr/sbin"

_TUN = "/dev/net/tun"
_MTU = 65520

#: Addresses in the virtual network. Source: slirp4netns(1).
_GATEWAY, _NAMES, _GUEST = 2, 3, 100


class Slirp:
    """See ``Network``. ``spawner`` answers the live spawner."""

    shared = False
    layer = Layer(NETWORK_LAYER, True, "nat: slirp4netns (as root: veth pairs, which are faster)")

    def __init__(
        self, instance: str, resolv_conf: str, spawner: Callable[[], Awaitable[Spawner]]
    ) -> None:
        self._program = _find_program()
        self._spawner = spawner
        with Rtnetlink() as links:
            try:
                taken = [route.to for route in links.routes()]
                pool = pools.choose_pool(instance, taken)
            except PoolError as err:
                raise NetworkError(str(err)) from err
            self._names: Names = names_behind(resolv_conf, own=links.addresses())
        self._network: IPv4Network = next(pool.subnets(new_prefix=24))

    @property
    def resolv_conf(self) -> str:
        """See ``Network``."""
        return self._names.resolv_conf

    @property
    def relayed(self) -> bool:
        """See ``Network``."""
        return self._names.relayed

    def order(self, sandbox_id: str) -> dict[str, Any]:
        """See ``Network``."""
        with Rtnetlink() as links:
            own = [f"{one}/32" for one in links.addresses() if not one.startswith("127.")]
        ours = [f"{self._network[one]}/32" for one in (_GATEWAY, _NAMES)]
        return {
            "kind": "slirp",
            "address": str(self._network[_GUEST]),
            "gateway": str(self._network[_GATEWAY]),
            "mtu": _MTU,
            "relayed": self.relayed,
            "unreachable": [*pools.NEVER, *dict.fromkeys(own), *ours],
        }

    async def join(
        self, sandbox_id: str, listeners: Mapping[int, socket.socket]
    ) -> tuple[socket.socket, ...]:
        """See ``Network``. Only root has sandboxes that are made so."""
        raise NetworkError(f"sandbox {sandbox_id} cannot be connected")

    async def uplink(self) -> int | None:
        """See ``Network``."""
        ours, theirs = wire.pair()
        try:
            with theirs:
                order = {
                    "op": "slirp",
                    "program": self._program,
                    "options": [f"--mtu={_MTU}", f"--cidr={self._network}"],
                }
                await (await self._spawner()).send(order, [theirs.fileno()])
        except BaseException:
            ours.close()
            raise
        return ours.detach()

    def release(self, sandbox_id: str) -> None:
        """See ``Network``."""

    async def close(self) -> None:
        """See ``Network``."""


def _find_program() -> str:
    places = f"{os.defpath}:{_PLACES}"
    program = shutil.which("slirp4netns", path=places)
    if program is None:
        raise NetworkError(
            "the program slirp4netns is missing; for nat, install the package slirp4netns "
            "(apt-get install slirp4netns, dnf install slirp4netns), or run as root"
            + _why_not_pasta(shutil.which("pasta", path=places))
        )
    if not os.access(_TUN, os.R_OK | os.W_OK):
        raise NetworkError(
            f"{_TUN} cannot be opened; for nat, let users open it "
            f"(modprobe tun; chmod 666 {_TUN}), or run as root"
        )
    return program


def _why_not_pasta(pasta: str | None) -> str:
    """Said to who has it in the place of slirp4netns; docs/network.md says more."""
    if pasta is None:
        return ""
    return f" ({pasta} is here and not used: with it a function could get another's answers)"
