"""The network of one sandbox, as it is set up inside. Standard library, Python 3.8 or later.

The order says how: ``none`` (the loopback alone), ``host`` (the host's own namespace), ``veth`` (a
pair of interfaces whose other end the host forwards), ``slirp`` (an interface that a process of
ours outside reads and writes), ``made`` (one that was made ahead is entered). Pid 1 does it, or the
process that is begun with it, while that is still privileged: all of the waiting that the kernel's
one lock over all interfaces takes is there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct

from . import rtnetlink, steps, wire
from . import syscalls as sys
from .rtnetlink import Rtnetlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .steps import Step

#: The name of the interface that leads out, inside.
UPLINK = "eth0"

LOOPBACK = "127.0.0.1"
RESOLVER_PORT = 53

#: Longest wait for an interface that another process makes, and how much of what it says is kept.
_UPLINK_S_MAX = 10.0
_SAID_BYTES_MAX = 500

_LISTEN_BACKLOG = 64
_SIOCSIFFLAGS = 0x8914
_SIOCGIFINDEX = 0x8933
_IFF_UP_RUNNING = 0x1 | 0x40


class Outside:
    """What is kept of the host's network while a new namespace is entered."""

    def __init__(self) -> None:
        self._links = Rtnetlink()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *_: object) -> None:
        self._links.__exit__()
        self._socket.close()

    def lead_here(self, order: dict[str, Any]) -> None:
        """Make a pair of interfaces, one here and one outside, and join both to their networks."""
        name, inside = order["name"], order["address"]
        namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            pair = rtnetlink.veth(name, peer=UPLINK, peer_namespace=namespace, mtu=order["mtu"])
            up = rtnetlink.link_up(name)
            self._links.run([pair, rtnetlink.router_side(name), up])
        finally:
            os.close(namespace)
        self._links.run([rtnetlink.route(f"{inside}/32", self._index(name))])

    def _index(self, name: str) -> int:
        request = struct.pack("16sI12x", name.encode(), 0)
        answer: bytes = fcntl.ioctl(self._socket, _SIOCGIFINDEX, request)
        return struct.unpack_from("16xI", answer)[0]


class Way:
    """Into a new namespace, and from there to the network that is ordered.

    One process enters, and the same or a fork of it settles what is in it.
    """

    def __init__(self, order: dict[str, Any], uplink: int | None) -> None:
        """``uplink`` is the socket of who makes the interface, and stays open while that serves.

        Of what is ``made`` it is the namespace.
        """
        self._order = order
        self._uplink = uplink
        self._outside: Outside | None = None

    def look_outside(self) -> None:
        """Keep what of the host's network it takes, before it is left."""
        if self._order["kind"] == "veth":
            self._outside = Outside()

    def entering(self, namespaces: int) -> list[Step]:
        """How to enter the new ``namespaces``, and that of the network."""
        kind = self._order["kind"]
        if kind == "made":
            assert self._uplink is not None
            entered = [steps.setns(self._uplink, sys.CLONE_NEWNET), steps.close(self._uplink)]
            return [steps.unshare(namespaces), *entered]
        return [steps.unshare(namespaces if kind == "host" else namespaces | sys.CLONE_NEWNET)]

    def settle(self, ports: list[int]) -> list[socket.socket]:
        """Answers the listening sockets on ``ports`` and, with relayed names, ``resolver_sockets``.

        Of what was made ahead there are none: who made it has them.
        """
        order = self._order
        if order["kind"] == "made":
            return []
        if order["kind"] == "host":
            # The ports are the whole host's: each takes one that is free.
            return [_listening((LOOPBACK, 0)) for _ in ports]
        try:
            sockets = listen(ports)
            if self._outside is not None:
                join(order, self._outside)
        finally:
            self.close()
        if self._uplink is not None:
            _join_by(self._uplink, order)
        return [*sockets, *(resolver_sockets() if order["relayed"] else ())]

    def close(self) -> None:
        """Let go of the host's network. Safe to call twice."""
        if self._outside is not None:
            self._outside.__exit__()
            self._outside = None


def enter(order: dict[str, Any], ports: list[int]) -> list[socket.socket]:
    """Enter a new network as the order says, and nothing else. Answers what ``Way.settle`` does."""
    way = Way(order, None)
    way.look_outside()
    steps.take(way.entering(0))
    return way.settle(ports)


def listen(ports: list[int]) -> list[socket.socket]:
    """Bring the loopback up, and listen on it."""
    loopback_up()
    return [_listening((LOOPBACK, port)) for port in ports]


def no_ipv6_but_loopback() -> None:
    """Let interfaces to come have no IPv6."""
    with contextlib.suppress(FileNotFoundError):  # the kernel has none at all
        path = "/proc/sys/net/ipv6/conf/default/disable_ipv6"
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"1")
        finally:
            os.close(descriptor)


def join(order: dict[str, Any], outside: Outside) -> None:
    """Join the new namespace that this process is in to the host's network."""
    no_ipv6_but_loopback()
    outside.lead_here(order)
    configure(order)


def _join_by(uplink: int, order: dict[str, Any]) -> None:
    """Hand the namespace to who makes the interface, and wait until it is there."""
    no_ipv6_but_loopback()
    said = b""
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with socket.socket(fileno=os.dup(uplink)) as peer:
            peer.settimeout(_UPLINK_S_MAX)
            wire.send(peer, {}, [namespace])
            # It says what it likes, and "1" once it serves.
            while True:
                word = peer.recv(4096)
                if word == b"1":
                    break
                if not word:
                    text = said.decode(errors="replace").strip() or "it ended"
                    raise OSError(errno.ECHILD, text, "slirp4netns")
                said = (said + word)[-_SAID_BYTES_MAX:]
    finally:
        os.close(namespace)
    configure(order)


def configure(order: dict[str, Any]) -> None:
    """Give the uplink, which is there, its address, and say what it leads to and what not."""
    index = socket.if_nametoindex(UPLINK)
    with Rtnetlink() as links:
        links.run(
            [
                rtnetlink.address(index, order["address"]),
                rtnetlink.link_up(UPLINK),
                *_way_out(order, index),
                *(rtnetlink.unreachable(one) for one in order["unreachable"]),
            ]
        )


def _way_out(order: dict[str, Any], index: int) -> list[rtnetlink.Request]:
    if "gateway" not in order:
        return [rtnetlink.route("0.0.0.0/0", index)]
    return [
        rtnetlink.link_mtu(UPLINK, order["mtu"]),
        rtnetlink.route(f"{order['gateway']}/32", index),
        rtnetlink.default_route(order["gateway"], index),
        # Known as the way, and no goal itself.
        rtnetlink.delete_route(f"{order['gateway']}/32", index),
    ]


def loopback_up() -> None:
    """Bring the loopback up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


def resolver_sockets() -> list[socket.socket]:
    """Where questions for names come in: a datagram socket, and a listening one."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((LOOPBACK, RESOLVER_PORT))
    datagrams.setblocking(False)
    return [datagrams, _listening((LOOPBACK, RESOLVER_PORT))]


def _listening(where: tuple[str, int]) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(where)
    listener.listen(_LISTEN_BACKLOG)
    listener.setblocking(False)
    return listener
