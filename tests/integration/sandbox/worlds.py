"""A host with an internet behind it, for tests, out of network namespaces.

The program that makes one runs in a network namespace of its own (``unshare --net``), which is the
host's here; the machine's own network is not touched.

    sandboxes -- host: up0 198.51.100.2, lan0 192.0.2.1 -- internet: 198.51.100.1, 203.0.113.1
                                                        '- lan: 192.0.2.9
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import threading

from alonzo.sandbox.backends.namespaces.inside import network, rtnetlink
from alonzo.sandbox.backends.namespaces.inside import syscalls as sys
from alonzo.sandbox.backends.namespaces.inside.rtnetlink import Rtnetlink

HOST, INTERNET, SITE = "198.51.100.2", "198.51.100.1", "203.0.113.1"
HOST_IN_LAN, LAN = "192.0.2.1", "192.0.2.9"
METADATA = ("169.254.169.254", "100.100.100.200", "168.63.129.16")
#: What has an address in the internet's namespace.
FAR = (INTERNET, SITE, *METADATA)
PORT, HOST_PORT, DNS_PORT, PAIRS_PORT = 80, 8080, 53, 7
#: The port that those send from who ask at ``PAIRS_PORT``.
FROM_PORT = 40000
_SIOCGSKNS = 0x894C


def within(namespace: int | None, work):
    """Do ``work`` in the network namespace behind a descriptor; None: in a new one."""
    results, errors = [], []

    def run() -> None:
        try:
            if namespace is None:
                sys.unshare(sys.CLONE_NEWNET)
            else:
                sys.setns(namespace, sys.CLONE_NEWNET)
            results.append(work())
        except BaseException as err:
            errors.append(err)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def namespace_of(inside: socket.socket) -> int:
    """A descriptor of the namespace that a socket belongs to."""
    return fcntl.ioctl(inside, _SIOCGSKNS)


def own_namespace() -> int:
    """A descriptor of this thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class World:
    """The internet, and a site in it that answers with the address of whoever connects.

    ``seen`` holds every IPv4 packet that got there, ``asked`` the names that were asked for.
    """

    def __init__(self, *, connected: bool = True) -> None:
        self.stack = contextlib.ExitStack()
        self.seen: list[bytes] = []
        self.connections: list[str] = []
        self.asked: list[str] = []
        self._loop = asyncio.get_running_loop()
        network.loopback_up()
        self.internet, self.lan = (within(None, own_namespace) for _ in range(2))
        for namespace in (self.internet, self.lan):
            self.stack.callback(os.close, namespace)
        self._lead("up0", self.internet, FAR)
        self._lead("lan0", self.lan, (LAN,))
        self._give("lan0", HOST_IN_LAN)
        if connected:
            self.connect()
        within(self.internet, self._sniff)
        for kind, answer in ((socket.SOCK_DGRAM, self._name), (socket.SOCK_STREAM, self._stream)):
            self.serve(within(self.internet, lambda kind=kind: _bound(kind, DNS_PORT)), answer)
        self.serve(within(self.internet, lambda: _bound(socket.SOCK_STREAM, PORT)), self._site)
        self._waiting: list[tuple[bytes, object]] = []
        self._stranger = within(self.internet, lambda: _bound(socket.SOCK_DGRAM, 0))
        self.stack.callback(self._stranger.close)
        pairs = within(self.internet, lambda: _bound(socket.SOCK_DGRAM, PAIRS_PORT))
        self.serve(pairs, self._pair)
        self.serve(_bound(socket.SOCK_STREAM, HOST_PORT), self._site)

    def close(self) -> None:
        """Leave nothing in this process; the namespaces end with it."""
        self.stack.close()

    def connect(self) -> None:
        """Have the host reach the internet."""
        self._give("up0", HOST)
        with Rtnetlink() as links:
            links.run([rtnetlink.route("0.0.0.0/0", socket.if_nametoindex("up0"))])

    def _lead(self, name: str, namespace: int, addresses: tuple[str, ...]) -> None:
        with Rtnetlink() as links:
            pair = rtnetlink.veth(name, peer="far", peer_namespace=namespace, mtu=1400)
            links.run([pair, rtnetlink.link_up(name)])

        def set_up() -> None:
            network.loopback_up()
            index = socket.if_nametoindex("far")
            with Rtnetlink() as links:
                links.run(
                    [
                        *(rtnetlink.address(index, one) for one in addresses),
                        rtnetlink.link_up("far"),
                        rtnetlink.route("0.0.0.0/0", index),
                    ]
                )

        within(namespace, set_up)

    def _give(self, name: str, address: str) -> None:
        with Rtnetlink() as links:
            links.run([rtnetlink.address(socket.if_nametoindex(name), address, 24)])

    def _sniff(self) -> None:
        every_ip = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
        every_ip.setblocking(False)
        self.stack.callback(every_ip.close)
        self._loop.add_reader(every_ip.fileno(), self._packet, every_ip)
        self.stack.callback(self._loop.remove_reader, every_ip.fileno())

    def _packet(self, sniffer: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.seen.append(sniffer.recv(65535))

    def serve(self, bound: socket.socket, answer) -> None:
        """Have ``answer`` called with a socket whenever something has come."""
        bound.setblocking(False)
        self.stack.callback(bound.close)
        self._loop.add_reader(bound.fileno(), answer, bound)
        self.stack.callback(self._loop.remove_reader, bound.fileno())

    def _site(self, listener: socket.socket) -> None:
        peer, (address, _) = listener.accept()
        self.connections.append(address)
        with peer:
            peer.sendall(address.encode())

    def _pair(self, datagrams: socket.socket) -> None:
        """Answer two at once, and after a stranger has sent to the port that both used."""
        self._waiting.append(datagrams.recvfrom(100))
        if len(self._waiting) == 2:
            self._stranger.sendto(b"a stranger", (HOST, FROM_PORT))
            for text, sender in self._waiting:
                datagrams.sendto(b"for " + text, sender)
            self._waiting.clear()

    def _name(self, datagrams: socket.socket) -> None:
        question, sender = datagrams.recvfrom(4096)
        datagrams.sendto(self.answer(question), sender)

    def _stream(self, listener: socket.socket) -> None:
        peer, _ = listener.accept()

        def reply() -> None:
            with peer:
                peer.settimeout(5)
                length = int.from_bytes(peer.recv(2, socket.MSG_WAITALL))
                answer = self.answer(peer.recv(length, socket.MSG_WAITALL))
                peer.sendall(len(answer).to_bytes(2) + answer)

        thread = threading.Thread(target=reply)
        thread.start()
        self.stack.callback(thread.join)

    def answer(self, question: bytes) -> bytes:
        """A name server's answer: whatever was asked for is the site."""
        end = question.index(b"\0", 12) + 5
        self.asked.append(question[13 : end - 5].decode(errors="replace"))
        kind = struct.unpack("!H", question[end - 4 : end - 2])[0]
        found = kind == 1
        head = question[:2] + struct.pack("!HHHHH", 0x8180, 1, int(found), 0, 0)
        record = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(SITE)
        return head + question[12:end] + (record if found else b"")


def _bound(kind: socket.SocketKind, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, kind)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("0.0.0.0", port))
    if kind is socket.SOCK_STREAM:
        bound.listen(256)
    return bound


def datagram(source: str, destination: str, port: int, payload: bytes) -> bytes:
    """An IPv4 packet with UDP in it, from anybody to anybody."""
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", 4242, port, length, 0) + payload
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64, 17, 0) + addresses
    return _summed(head) + udp


def with_option(packet: bytes, option: bytes) -> bytes:
    """The same packet with an option in its head, whose length is a multiple of four."""
    head, rest = packet[:20], packet[20:]
    length = struct.pack("!H", len(packet) + len(option))
    first = bytes([head[0] + len(option) // 4])
    return _summed(first + head[1:2] + length + head[4:10] + b"\0\0" + head[12:] + option) + rest


def _summed(head: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
