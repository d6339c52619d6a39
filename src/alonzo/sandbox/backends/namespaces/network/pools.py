"""Addresses and names of the interfaces between sandboxes and the host. Pure.

Every sandbox has one address of its daemon's *pool*, a network that the host has no route to.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network

#: How the names of all interfaces of all our daemons on a host begin.
ANY_PREFIX = "alz"

_POOL_BITS = 16

#: Where pools are taken from: the addresses of carriers' own networks, then those of test networks,
#: neither of which is routed on the internet. Source: RFC 6598, RFC 2544.
_POOLS_FROM = (IPv4Network("100.64.0.0/10"), IPv4Network("198.18.0.0/15"))

#: Holds a provider's metadata service, and what a common private network puts there.
_NO_POOL = IPv4Network("100.100.0.0/16")

#: What no sandbox may reach, wherever the host's routes lead: "this host", loopback, link-local and
#: with it most metadata services, protocol assignments and two more metadata services (Oracle,
#: Azure, Alibaba), groups, and what is reserved.
NEVER = (
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "192.0.0.0/24",
    "168.63.129.16/32",
    "100.100.100.200/32",
    "224.0.0.0/4",
    "240.0.0.0/4",
)


class PoolError(Exception):
    """No address is left, or no pool."""


def interface_prefix(instance: str) -> str:
    """How the names of one daemon's interfaces begin. A name has 15 letters at most."""
    return f"{ANY_PREFIX}{sha256(instance.encode()).hexdigest()[:6]}-"


def owner_mark(instance: str) -> int:
    """A number that tells the routes of one daemon from those of others."""
    return zlib.crc32(instance.encode()) or 1


def choose_pool(instance: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """A pool that overlaps nothing that the host has a route to; daemons begin to look apart.

    Raises:
        PoolError: all are taken.
    """
    busy = [_NO_POOL, *(one for one in taken if one.prefixlen)]
    for source in _POOLS_FROM:
        pools = list(source.subnets(new_prefix=_POOL_BITS))
        first = owner_mark(instance) % len(pools)
        for pool in (*pools[first:], *pools[:first]):
            if not any(pool.overlaps(one) for one in busy):
                return pool
    wanted = " and ".join(map(str, _POOLS_FROM))
    raise PoolError(f"the host has routes to all of {wanted}")


class Leases:
    """Which number of the pool each sandbox has.

    Numbers go round: that of a sandbox that just ended is the last to be given again, since the
    kernel takes its interface away only some time later.
    """

    def __init__(self, pool: IPv4Network) -> None:
        self._pool = pool
        self._last = 0
        self._taken: dict[str, int] = {}
        self._numbers: set[int] = set()

    def take(self, sandbox_id: str) -> int:
        """A number from 1, which no other sandbox has.

        Raises:
            PoolError: all are taken.
        """
        most = self._pool.num_addresses - 2
        if len(self._numbers) >= most:
            raise PoolError(f"all {most} addresses of {self._pool} are taken")
        number = self._last % most + 1
        while number in self._numbers:
            number = number % most + 1
        self._last = number
        self._taken[sandbox_id] = number
        self._numbers.add(number)
        return number

    def give_back(self, sandbox_id: str) -> None:
        """Let another have it. Safe to call twice."""
        number = self._taken.pop(sandbox_id, None)
        if number is not None:
            self._numbers.discard(number)

    def address(self, number: int) -> IPv4Address:
        """The address of that number."""
        return self._pool[number]
