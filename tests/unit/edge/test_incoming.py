"""A body as it comes in pieces, and the hash that is made of it meanwhile."""

from __future__ import annotations

import asyncio
import random
from hashlib import sha256

import pytest

from alonzo.edge.body_hash import BodyHash
from alonzo.edge.http1.head import Head
from alonzo.edge.http1.incoming import BodyTooLargeError, ClientGoneError, Incoming
from alonzo.edge.http1.room import Room
from alonzo.testing.allocations import allocated


class Client:
    """Sends its pieces once it is asked to, one for each turn of the loop; then it may leave."""

    def __init__(self, *pieces: bytes, leaves: bool = False, **fields: str) -> None:
        headers = [
            (name.replace("_", "-").encode(), text.encode()) for name, text in fields.items()
        ]
        self.pieces = iter(pieces)
        self.leaves = leaves
        self.incoming = Incoming(
            self,
            Head("PUT", b"/", b"", headers),
            "127.0.0.1",
            http_1_0=False,
            keep_alive=True,
            expects_continue=False,
        )

    def wants_body(self, incoming: Incoming) -> None:
        asyncio.get_running_loop().call_soon(self._send)

    def hold(self) -> None:
        """It has no more than it was asked for."""

    def _send(self) -> None:
        piece = next(self.pieces, None)
        if piece is not None:
            self.incoming.feed(piece)
            self.wants_body(self.incoming)
        elif self.leaves:
            self.incoming.drop()
        else:
            self.incoming.finish()


def read(client: Client, bytes_max: int = 1 << 30) -> bytes:
    async def main() -> bytes:
        return await client.incoming.read_body(bytes_max)

    return asyncio.run(main())


def test_body_of_any_pieces_is_whole() -> None:
    dice = random.Random(1)
    for _ in range(50):
        pieces = [dice.randbytes(dice.choice([1, 2, 4095, 4096, 9000])) for _ in range(9)]
        body = read(Client(*pieces))
        assert body == b"".join(pieces)
        assert type(body) is bytes


def test_no_body_is_an_empty_one() -> None:
    assert read(Client()) == b""


def test_announced_length_over_the_limit_is_refused_unread() -> None:
    client = Client(b"x", content_length="11")
    with pytest.raises(BodyTooLargeError) as caught:
        read(client, 10)
    assert (caught.value.n_bytes, client.incoming.asked) == (11, False)


def test_pieces_over_the_limit_are_refused_as_soon_as_they_are() -> None:
    client = Client(b"123456", b"789012", b"never sent", b"never sent")
    with pytest.raises(BodyTooLargeError) as caught:
        read(client, 10)
    assert caught.value.n_bytes == 12


def test_client_that_leaves_half_way_is_gone() -> None:
    with pytest.raises(ClientGoneError):
        read(Client(b"half", leaves=True))


def test_millions_of_tiny_pieces_take_no_more_memory_than_their_bytes() -> None:
    incoming = Client().incoming
    n_pieces = 300_000
    with allocated() as bytes_held:
        for number in range(n_pieces):
            incoming.feed(b"%d" % (number % 90 + 10))
        assert bytes_held() < 2 * 2 * n_pieces


def test_hash_is_that_of_the_whole_however_it_comes() -> None:
    dice = random.Random(2)
    pieces = [dice.randbytes(dice.choice([1, 70_000])) for _ in range(40)]

    async def main() -> str:
        body_hash = BodyHash()
        for piece in pieces:
            body_hash.feed(piece)
            if dice.random() < 0.5:
                await asyncio.sleep(0)
        return await body_hash.hex()

    assert asyncio.run(main()) == sha256(b"".join(pieces)).hexdigest()


def test_hash_of_nothing() -> None:
    async def main() -> str:
        return await BodyHash().hex()

    assert asyncio.run(main()) == sha256(b"").hexdigest()


class Stalling(Client):
    """Sends one piece, and then nothing."""

    def __init__(self, piece: bytes) -> None:
        super().__init__()
        self.piece, self.held = piece, False

    def wants_body(self, incoming: Incoming) -> None:
        self.held = False

    def hold(self) -> None:
        self.held = True


def test_bodies_that_stall_keep_nothing_once_the_room_is_full() -> None:
    room = Room(100_000)
    stalling = [Stalling(b"x" * 10_000) for _ in range(50)]
    taken: list[int] = []

    async def take(client: Stalling) -> None:
        while piece := await client.incoming.next_piece(1 << 30, room):
            taken.append(len(piece))

    async def main() -> None:
        tasks = [asyncio.ensure_future(take(client)) for client in stalling]
        await asyncio.sleep(0)
        for client in stalling:
            client.incoming.feed(client.piece)
            assert room.n_bytes <= 110_000
            if room.is_full:
                assert all(each.held for each in stalling)
                async with asyncio.timeout(20):
                    while room.is_full:  # noqa: ASYNC110  it is emptied within a few turns
                        await asyncio.sleep(0)
        for client in stalling:
            client.incoming.finish()
        await asyncio.gather(*tasks)
        for client in stalling:
            client.incoming.let_go()

    asyncio.run(main())
    assert (sum(taken), room.n_bytes) == (500_000, 0)


def test_a_body_that_nobody_wants_any_more_leaves_the_room() -> None:
    room = Room(100_000)
    client = Stalling(b"x" * 300_000)

    async def main() -> None:
        begun = asyncio.ensure_future(client.incoming.next_piece(1 << 30, room))
        await asyncio.sleep(0)
        client.incoming.feed(client.piece)
        assert (len(await begun), room.is_full) == (300_000, True)
        client.incoming.let_go()
        client.incoming.feed(client.piece)

    asyncio.run(main())
    assert (room.n_bytes, room.is_full, client.held) == (0, False, True)
