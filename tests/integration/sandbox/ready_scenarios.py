"""Sandboxes in networks that were made ahead, in a world of their own."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from bench import until
from network_bench import FIND, backend, name_servers, reached, state_of_host
from worlds import HOST, PORT, SITE, World

_CALL = "import socket; socket.create_connection(('127.0.0.1', 9001)).sendall(b'{0}')"


async def a_network_made_ahead_is_as_one_made_when_needed(world: World, folder: Path) -> None:
    name_servers(folder, "127.0.0.53")  # out of reach, so names are relayed
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.53", 53))
    world.serve(server, world._name)
    before = state_of_host()
    async with backend("nat") as bench:
        backed = bench.backend
        boxes = [await bench.sandbox(listen_ports=(9001,))]
        await until(lambda: backed.networks_full)
        boxes += [await bench.sandbox(listen_ports=(9001,)) for _ in range(2)]
        assert not backed.networks_full, "none was taken"
        for number, box in enumerate(boxes):
            assert await reached(bench, box, (SITE, PORT)) == [HOST]
            assert (await bench.python(box, FIND))[1].strip() == SITE
            # What listens is in the sandbox's own network, and in nobody else's.
            _, text = await bench.python(box, _CALL.format(number))
            assert not text
            peer, _ = await asyncio.get_running_loop().sock_accept(box.listeners[9001])
            with peer:
                peer.setblocking(True)
                assert peer.recv(10) == b"%d" % number
        await asyncio.gather(*(box.close() for box in boxes))
        await until(lambda: backed.networks_full)
    await until(lambda: state_of_host() == before)
