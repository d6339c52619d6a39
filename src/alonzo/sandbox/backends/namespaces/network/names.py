"""How names are found inside a sandbox: from the host's ``/etc/resolv.conf`` to its own. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address

from alonzo.sandbox.backends.namespaces.network.pools import NEVER

#: More than these no resolver asks. Source: resolv.conf(5), MAXNS.
_SERVERS_MAX = 3

_NEVER = tuple(map(IPv4Network, NEVER))


@dataclass(frozen=True, slots=True)
class Names:
    """What a sandbox's ``resolv.conf`` holds; ``relayed``: it asks us, on its loopback."""

    resolv_conf: str
    relayed: bool


def servers(text: str) -> tuple[str, ...]:
    """The servers that a ``resolv.conf`` names, or the one that it means by naming none."""
    words = (line.split() for line in text.splitlines())
    named = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    found = [one for one in named if _is_address(one)]
    return tuple(found[:_SERVERS_MAX]) or ("127.0.0.1",)


def names_behind(text: str, *, own: Collection[str]) -> Names:
    """How names are found in a sandbox behind a host with that ``resolv.conf``.

    Servers that a sandbox reaches are asked by itself; if there is none (the host asks one of
    ``own`` addresses, or by IPv6, or a provider's metadata address), it asks us, and we ask them.
    """
    direct = [one for one in servers(text) if _reached(one) and one not in own]
    if direct:
        return Names("".join(f"nameserver {one}\n" for one in direct), relayed=False)
    return Names("nameserver 127.0.0.1\n", relayed=True)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _reached(server: str) -> bool:
    address = ip_address(server)
    return address.version == 4 and not any(address in network for network in _NEVER)
