"""Who gets the answers to a sandbox's datagrams, whichever way it is connected."""

from __future__ import annotations

import asyncio

from network_bench import backend
from worlds import FROM_PORT, INTERNET, PAIRS_PORT

#: What no network of ours passes on.
TO_A_GROUP = b"to a group"

#: Sends to a group and argv[1] to somebody, and prints the first that comes back.
_SEND = f"""
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    peer.settimeout(10)
    peer.bind(("", {FROM_PORT}))
    try:
        peer.sendto({TO_A_GROUP}, ("224.0.0.251", {PAIRS_PORT}))
    except OSError:
        pass
    peer.sendto(sys.argv[1].encode(), ("{INTERNET}", {PAIRS_PORT}))
    print(peer.recv(100).decode())
"""


async def each_sandbox_gets_its_own_answers_alone(*_: object) -> None:
    """Two send from the same port at a time. The pasta of Debian 12 gives the second both."""
    async with backend("nat") as bench:
        boxes = [await bench.sandbox() for _ in range(2)]
        sent = zip(boxes, ("one", "two"), strict=True)
        got = await asyncio.gather(*(bench.python(box, _SEND, name) for box, name in sent))
        assert [text.strip() for _, text in got] == ["for one", "for two"], got
