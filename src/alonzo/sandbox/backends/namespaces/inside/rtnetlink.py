"""The kernel's routing socket: links, addresses and routes. Standard library, Python 3.8 or later.

Requests are values, so that what is asked for can be looked at; ``Rtnetlink`` sends them. A socket
belongs for good to the network namespace that it was made in, whoever uses it from where.

Source: ``include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,ip}.h``.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence

#: The protocol of the routes that are ours (rtm_protocol): no routing daemon uses this number.
OUR_ROUTES = 0x61

RTN_UNICAST = 1
RTN_UNREACHABLE = 7

#: Longest wait for the kernel, which does one such request at a time for the whole host.
ANSWER_S_MAX = 10.0

_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR, _GETADDR = 20, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_CREATE_ONLY = 0x400 | 0x200
_NESTED = 0x8000

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO = 1, 3, 4, 18
_IFLA_AF_SPEC, _IFLA_NET_NS_FD = 26, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_INET_CONF, _INET6_ADDR_GEN_MODE, _GENERATE_NONE = 1, 8, 1
#: Settings of net.ipv4.conf.<interface>, by their number.
_FORWARDING, _ACCEPT_REDIRECTS, _SEND_REDIRECTS, _RP_FILTER = 1, 4, 6, 8
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY = 1, 4, 5, 6
_TABLE_MAIN = 254
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_UP, _NOARP = 0x1, 0x80

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=8BI")

Network4 = ipaddress.IPv4Network


class _Record:
    """Two are equal if all that they hold is."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({vars(self)})"


class Request(_Record):
    """One change. ``what`` is for the error's text."""

    def __init__(self, what: str, kind: int, flags: int, body: bytes) -> None:
        self.what = what
        self.kind = kind
        self.flags = flags
        self.body = body


class Link(_Record):
    """An interface. ``forwarding`` is its own setting for IPv4."""

    def __init__(self, index: int, name: str, mtu: int, *, forwarding: bool) -> None:
        self.index = index
        self.name = name
        self.mtu = mtu
        self.forwarding = forwarding


class Route(_Record):
    """An IPv4 route, of any table. ``link`` is 0 where it leads nowhere."""

    def __init__(self, to: Network4, kind: int, protocol: int, link: int, metric: int) -> None:
        self.to = to
        self.kind = kind
        self.protocol = protocol
        self.link = link
        self.metric = metric


def veth(name: str, *, peer: str, peer_namespace: int, mtu: int) -> Request:
    """A pair of interfaces, down: ``name`` here, ``peer`` in the namespace behind a descriptor.

    Both have one hardware address, and ask nobody for another's: what one sends is the other's.
    """
    address = b"\x02" + os.urandom(5)
    shared = _attribute(_IFLA_ADDRESS, address) + _number(_IFLA_MTU, mtu)
    inner = (
        _LINK.pack(0, 0, 0, _NOARP, _NOARP)
        + _text(_IFLA_IFNAME, peer)
        + _number(_IFLA_NET_NS_FD, peer_namespace)
        + shared
    )
    kind = _text(_INFO_KIND, "veth")
    data = _nest(_INFO_DATA, _nest(_VETH_PEER, inner))
    link = _LINK.pack(0, 0, 0, _NOARP, _NOARP) + _text(_IFLA_IFNAME, name) + shared
    body = link + _nest(_IFLA_LINKINFO, kind + data)
    return Request(f"make interface {name}", _NEWLINK, _CREATE_ONLY, body)


def router_side(name: str) -> Request:
    """Let an interface that is down forward IPv4, strictly and silently, and have no IPv6."""
    settings = {_FORWARDING: 1, _ACCEPT_REDIRECTS: 0, _SEND_REDIRECTS: 0, _RP_FILTER: 1}
    conf = b"".join(_number(setting, value) for setting, value in settings.items())
    inet = _nest(socket.AF_INET, _nest(_INET_CONF, conf))
    generate = _attribute(_INET6_ADDR_GEN_MODE, bytes([_GENERATE_NONE]))
    # A kernel without IPv6 refuses to be told about it.
    inet6 = _nest(socket.AF_INET6, generate) if os.path.exists("/proc/net/if_inet6") else b""
    body = _LINK.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, name)
    return Request(f"set up {name}", _NEWLINK, 0, body + _nest(_IFLA_AF_SPEC, inet + inet6))


def forward(name: str, *, on: bool) -> Request:
    """net.ipv4.conf.<name>.forwarding, also where /proc/sys is read-only."""
    inet = _nest(socket.AF_INET, _nest(_INET_CONF, _number(_FORWARDING, int(on))))
    body = _LINK.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, name)
    return Request(f"forwarding of {name}", _NEWLINK, 0, body + _nest(_IFLA_AF_SPEC, inet))


def link_up(name: str) -> Request:
    """Bring an interface up."""
    body = _LINK.pack(0, 0, 0, _UP, _UP) + _text(_IFLA_IFNAME, name)
    return Request(f"bring {name} up", _NEWLINK, 0, body)


def link_mtu(name: str, mtu: int) -> Request:
    """Set the longest packet of an interface."""
    body = _LINK.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu)
    return Request(f"MTU of {name}", _NEWLINK, 0, body)


def delete_link(index: int, name: str) -> Request:
    """Remove an interface, and its peer."""
    return Request(f"remove {name}", _DELLINK, 0, _LINK.pack(0, 0, index, 0, 0))


def address(link: int, value: str, prefix: int = 32) -> Request:
    """Give an interface an IPv4 address."""
    packed = ipaddress.IPv4Address(value).packed
    body = _ADDRESS.pack(socket.AF_INET, prefix, 0, _SCOPE_UNIVERSE, link)
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    return Request(f"address {value}", _NEWADDR, _CREATE_ONLY, body)


def route(to: str, link: int) -> Request:
    """Send what is for ``to`` over an interface, whose other end takes it."""
    return _route(to, _NEWROUTE, RTN_UNICAST, _SCOPE_LINK, _number(_RTA_OIF, link))


def delete_route(to: str, link: int) -> Request:
    """Undo ``route``; what was found by it stays found."""
    return _route(to, _DELROUTE, RTN_UNICAST, _SCOPE_LINK, _number(_RTA_OIF, link))


def default_route(gateway: str, link: int) -> Request:
    """Send what nothing else says where to over a gateway on an interface."""
    more = _attribute(_RTA_GATEWAY, ipaddress.IPv4Address(gateway).packed) + _number(_RTA_OIF, link)
    return _route("0.0.0.0/0", _NEWROUTE, RTN_UNICAST, _SCOPE_UNIVERSE, more)


def unreachable(to: str, metric: int = 0) -> Request:
    """Refuse at once what is for ``to``. ``metric`` tells such routes of several owners apart."""
    return _route(to, _NEWROUTE, RTN_UNREACHABLE, _SCOPE_UNIVERSE, _number(_RTA_PRIORITY, metric))


def delete_unreachable(to: str, metric: int) -> Request:
    """Undo ``unreachable``."""
    return _route(to, _DELROUTE, RTN_UNREACHABLE, _SCOPE_UNIVERSE, _number(_RTA_PRIORITY, metric))


def _route(to: str, order: int, kind: int, scope: int, more: bytes) -> Request:
    network = Network4(to)
    fields = (socket.AF_INET, network.prefixlen, 0, 0, _TABLE_MAIN, OUR_ROUTES, scope, kind)
    destination = _attribute(_RTA_DST, network.network_address.packed)
    body = _ROUTE.pack(*fields, 0) + (destination if network.prefixlen else b"") + more
    return Request(f"route to {to}", order, _CREATE_ONLY if order == _NEWROUTE else 0, body)


class Rtnetlink:
    """The socket, of the network namespace that this thread is in."""

    def __init__(self) -> None:
        flags = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, flags, socket.NETLINK_ROUTE)
        self._socket.settimeout(ANSWER_S_MAX)

    def __enter__(self) -> Rtnetlink:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def run(self, requests: Sequence[Request]) -> None:
        """Make the changes, in one go and in this order.

        Raises:
            OSError: one was refused (those after it may have been made); ``filename`` says which.
        """
        if not requests:
            return
        sent = [
            _message(one.kind, one.flags | _ACK, number, one.body)
            for number, one in enumerate(requests)
        ]
        self._socket.send(b"".join(sent))
        refused: OSError | None = None
        waiting = len(requests)
        while waiting:
            for kind, number, body in _messages(self._socket.recv(1 << 16)):
                if kind != _ERROR:
                    continue
                waiting -= 1
                code = -struct.unpack_from("=i", body)[0]
                if code and refused is None:
                    refused = OSError(code, os.strerror(code), requests[number].what)
        if refused is not None:
            raise refused

    def links(self) -> list[Link]:
        """Every interface."""
        return [_read_link(body) for body in self._dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))]

    def addresses(self) -> list[str]:
        """Every IPv4 address."""
        body = _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0)
        found = [dict(_attributes(one[_ADDRESS.size :])) for one in self._dump(_GETADDR, body)]
        packed = [one.get(_IFA_LOCAL) or one[_IFA_ADDRESS] for one in found]
        return [str(ipaddress.IPv4Address(one)) for one in packed]

    def routes(self) -> list[Route]:
        """Every IPv4 route."""
        body = _ROUTE.pack(socket.AF_INET, *(0,) * 8)
        return [_read_route(one) for one in self._dump(_GETROUTE, body)]

    def _dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        self._socket.send(_message(kind, _DUMP, 0, body))
        while True:
            for answer, _, content in _messages(self._socket.recv(1 << 18)):
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    code = -struct.unpack_from("=i", content)[0]
                    raise OSError(code, os.strerror(code), f"list {kind}")
                yield content


def _message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, kind, flags | _REQUEST, number, 0) + body + _padding(length)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, number, _ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG), "the kernel's answer")
        yield kind, number, data[_HEADER.size : length]
        data = data[length + len(_padding(length)) :]


def _padding(length: int) -> bytes:
    return bytes(-length % 4)


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + _padding(length)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _nest(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _attributes(data: bytes) -> Iterable[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if not 4 <= length <= len(data):
            return
        yield kind & ~_NESTED, data[4:length]
        data = data[length + len(_padding(length)) :]


def _read_link(body: bytes) -> Link:
    index = _LINK.unpack_from(body)[2]
    found = dict(_attributes(body[_LINK.size :]))
    families = dict(_attributes(found.get(_IFLA_AF_SPEC, b"")))
    # All settings as one array of numbers, the first of which is setting 1.
    conf = dict(_attributes(families.get(socket.AF_INET, b""))).get(_INET_CONF, b"")
    forwarding = struct.unpack_from("=I", conf)[0] if len(conf) >= 4 else 0
    return Link(
        index=index,
        name=found[_IFLA_IFNAME].rstrip(b"\0").decode(errors="replace"),
        mtu=struct.unpack("=I", found[_IFLA_MTU])[0],
        forwarding=bool(forwarding),
    )


def _read_route(body: bytes) -> Route:
    _, length, _, _, _, protocol, _, kind, _ = _ROUTE.unpack_from(body)
    found = dict(_attributes(body[_ROUTE.size :]))
    start = ipaddress.IPv4Address(found.get(_RTA_DST, bytes(4)))
    link, metric = (
        struct.unpack("=I", found.get(attribute, bytes(4)))[0]
        for attribute in (_RTA_OIF, _RTA_PRIORITY)
    )
    return Route(Network4((start, length)), kind, protocol, link, metric)
