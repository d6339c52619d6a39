"""What takes a response in pieces: a relay that fills and empties, and what gathers it all."""

import asyncio

from alonzo.environments.intake import FULL_BYTES, Gathered, Relay
from alonzo.lib.clock import SystemClock


class Valve:
    def __init__(self):
        self.calls = []

    def hold(self):
        self.calls.append("hold")

    def resume(self):
        self.calls.append("resume")


def relay(bytes_max=1 << 30):
    made, valve = Relay(bytes_max, SystemClock()), Valve()
    made.begin("text/plain", valve)
    return made, valve


def test_a_reader_gets_what_came_and_then_the_end():
    async def scenario():
        stream, _ = relay()
        reading = asyncio.ensure_future(stream.next())
        await asyncio.sleep(0)
        assert stream.take(b"a")
        assert await reading == b"a"
        assert stream.take(b"b")
        assert stream.take(b"c")
        stream.close()
        assert await stream.next() == b"bc"
        assert await stream.next() is None

    asyncio.run(scenario())


def test_a_full_relay_holds_its_link_until_it_is_read():
    async def scenario():
        stream, valve = relay()
        stream.take(bytes(FULL_BYTES - 1))
        assert valve.calls == []
        stream.take(b"x")
        stream.take(b"y")  # What was read already.
        assert valve.calls == ["hold"]
        assert len(await stream.next()) == FULL_BYTES + 1
        assert valve.calls == ["hold", "resume"]

    asyncio.run(scenario())


def test_a_relay_without_a_reader_throws_away_and_holds_nobody():
    async def scenario():
        stream, valve = relay()
        stream.take(bytes(FULL_BYTES))
        stream.discard()
        assert valve.calls == ["hold", "resume"]
        for _ in range(10):
            assert stream.take(bytes(FULL_BYTES))
        assert valve.calls == ["hold", "resume"]
        assert await stream.next() is None

    asyncio.run(scenario())


def test_a_reader_that_waits_hears_of_the_end_and_of_the_loss():
    async def scenario():
        for end in ("close", "discard"):
            stream, _ = relay()
            reading = asyncio.ensure_future(stream.next())
            await asyncio.sleep(0)
            getattr(stream, end)()
            assert await reading is None

    asyncio.run(scenario())


def test_a_relay_that_is_let_go_while_full_resumes_its_link_once():
    stream, valve = relay()
    stream.take(bytes(FULL_BYTES))
    assert stream.release() == b""
    stream.discard()
    assert valve.calls == ["hold", "resume"]


def test_what_is_over_the_limit_is_refused():
    for intake in (relay(3)[0], Gathered(3)):
        assert intake.take(b"123")
        assert not intake.take(b"4")
        assert intake.n_bytes == 4
        assert intake.release() == b""


def test_gathered_pieces_are_one():
    whole = Gathered(10)
    whole.begin(None, Valve())
    assert whole.take(b"ab")
    assert whole.take(b"c")
    assert whole.release() == b"abc"
