"""Where messages may be posted to, as the addresses of hosts. Pure.

Whoever may subscribe chooses the URL, and the platform posts from its own place in the network. It
posts to the Internet, to private networks and to its own host: that is where the endpoints of
people who run it themselves are. It never posts to what a network hands out credentials on
(metadata services), nor to addresses that are nobody's.

Until an endpoint has sent back the token of its confirmation it gets nothing but confirmations, so
a stranger's service never sees a body that somebody else chose.
"""

from __future__ import annotations

import ipaddress

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Metadata services that are not on link-local addresses: Azure, Alibaba, AWS.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"))
)
#: IPv6 addresses with an IPv4 address in their last 32 bits.
_WITH_IPV4 = tuple(
    map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96"))
)


def may_post_to(text: str) -> bool:
    """Whether an IP address may be posted to."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return not any(_is_barred(each) for each in _meanings(address))


def _meanings(address: _Address) -> list[_Address]:
    """The address, and the IPv4 address that it carries in it, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    found: list[_Address] = [address]
    carried = (address.ipv4_mapped, address.sixtofour)
    found.extend(inner for inner in carried if inner is not None)
    if address.teredo is not None:
        found.extend(address.teredo)
    own = ipaddress.IPv6Address("::1")
    if address != own and any(address in network for network in _WITH_IPV4):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def _is_barred(address: _Address) -> bool:
    # On Linux the unspecified address is the host itself, whatever listens there.
    return (
        address in _METADATA
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, ipaddress.IPv4Address) and address.is_reserved)
        or (isinstance(address, ipaddress.IPv4Address) and address in _THIS_NETWORK)
    )


_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
