"""The framed link, over a real socket pair, with our own hand on the runtime's end."""

import asyncio
import socket

import pytest

from alonzo.environments.intake import FULL_BYTES, Relay
from alonzo.environments.links import FramedLink, error_type_of
from alonzo.environments.values import Invocation, Reply
from alonzo.lib.clock import SystemClock
from alonzo.runtimes.framing import CHUNK_BYTES_MAX, Decoder, Kind, encode, encode_head

LIMIT = 1000


class Told:
    """What the link reported, as a queue."""

    def __init__(self):
        self.said = asyncio.Queue()

    def runtime_ready(self):
        self.said.put_nowait("ready")

    def runtime_answered(self, request_id, reply):
        self.said.put_nowait(("answered", request_id, reply))

    def runtime_init_failed(self, reply):
        self.said.put_nowait(("init failed", reply))

    def runtime_broke_protocol(self, detail):
        self.said.put_nowait(("broke", detail))


def event(payload=b"{}", request_id="r1"):
    return Invocation(request_id, "attempt", "arn:f", payload, "Root=1-0;Sampled=0")


class Runtime:
    """The other end."""

    def __init__(self, theirs: socket.socket):
        theirs.setblocking(False)
        self.socket = theirs
        self._decoder = Decoder()

    async def say(self, kind, header=None, body=b""):
        await asyncio.get_running_loop().sock_sendall(self.socket, encode(kind, header or {}, body))

    async def hear(self):
        while True:
            data = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 18)
            for frame in self._decoder.feed(data):
                return frame


def run(scenario):
    async def main():
        told = Told()
        async with asyncio.timeout(20):
            link, theirs = await FramedLink.open(told, body_bytes_max=LIMIT)
            with theirs:
                await scenario(link, told, Runtime(theirs))
                link.close()
            await asyncio.sleep(0)

    asyncio.run(main())


def test_an_event_goes_there_and_its_result_comes_back():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        assert await told.said.get() == "ready"
        link.send(event(b"[1]"), 123)
        frame = await runtime.hear()
        assert (frame.kind, frame.body) == (Kind.INVOKE, b"[1]")
        assert frame.header == {
            "id": "r1", "deadline_ms": 123, "arn": "arn:f", "trace": "Root=1-0;Sampled=0",
        }  # fmt: skip
        await runtime.say(Kind.RESPONSE, {"id": "r1"}, b"42")
        assert await told.said.get() == ("answered", "r1", Reply(b"42"))

    run(scenario)


@pytest.mark.parametrize(
    ("said", "at_once"),
    [
        ([encode(Kind.RESPONSE, {"id": "r1"}, b"42")], True),
        ([encode(Kind.ERROR, {"id": "r1", "type": "T"}, b"42")], True),
        ([encode_head(Kind.RESPONSE, {"id": "r1"}, 2), b"42"], False),
        ([encode(Kind.CHUNK, {"id": "r1"}, b"4") + encode(Kind.RESPONSE, {"id": "r1"})], False),
    ],
    ids=["response", "error", "in two reads", "in two frames"],
)
def test_a_link_knows_whether_its_answer_was_begun_and_over_in_one_look(said, at_once):
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        assert await told.said.get() == "ready"
        link.send(event(), 1)
        assert not link.came_at_once
        for piece in said:
            link.data_received(piece)
        assert (await told.said.get())[0] == "answered"
        assert link.came_at_once == at_once
        link.send(event(), 1)
        assert not link.came_at_once

    run(scenario)


def test_a_large_event_arrives_whole():
    async def scenario(link, told, runtime):
        payload = bytes(range(256)) * 4096
        link.send(event(payload), 1)
        assert (await runtime.hear()).body == payload

    run(scenario)


@pytest.mark.parametrize(
    ("kind", "header", "reply"),
    [
        (Kind.RESPONSE, {}, Reply(b"{}")),
        (Kind.ERROR, {"type": "Oops"}, Reply(b"{}", "Oops")),
    ],
    ids=["response", "error"],
)
def test_who_has_answered_waits_for_the_next_event(kind, header, reply):
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        assert await told.said.get() == "ready"
        for request_id in ("r1", "r2"):
            link.send(event(request_id=request_id), 1)
            await runtime.say(kind, {"id": request_id, **header}, b"{}")
            assert await told.said.get() == ("answered", request_id, reply)
            assert await told.said.get() == "ready"

    run(scenario)


def test_an_error_that_is_the_last_word_is_not_followed_by_ready():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        assert await told.said.get() == "ready"
        link.send(event(), 1)
        await runtime.say(Kind.ERROR, {"id": "r1", "type": "T", "last": True}, b"{}")
        assert await told.said.get() == ("answered", "r1", Reply(b"{}", "T"))
        runtime.socket.close()
        assert await told.said.get() == ("broke", "the runtime closed its channel")

    run(scenario)


def test_a_result_over_the_limit_is_an_answer_and_not_the_end():
    async def scenario(link, told, runtime):
        link.send(event(), 1)
        await runtime.say(Kind.RESPONSE, {"id": "r1"}, bytes(LIMIT + 1))
        assert await told.said.get() == ("answered", "r1", Reply(b"", too_large=True))
        assert await told.said.get() == "ready"
        link.send(event(), 1)
        await runtime.say(Kind.ERROR, {"id": "r1", "type": "T"}, bytes(LIMIT + 1))
        assert await told.said.get() == ("answered", "r1", Reply(b"", "T", too_large=True))

    run(scenario)


def test_a_failed_init_brings_its_document():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.INIT_ERROR, {"type": "Runtime.No"}, b"{}")
        assert await told.said.get() == ("init failed", Reply(b"{}", "Runtime.No"))

    run(scenario)


def test_a_channel_that_the_runtime_closes_is_reported():
    async def scenario(link, told, runtime):
        runtime.socket.close()
        assert await told.said.get() == ("broke", "the runtime closed its channel")
        link.send(event(), 1)
        await asyncio.sleep(0)
        assert told.said.empty()

    run(scenario)


def test_nothing_is_reported_once_the_link_is_closed():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        link.close()
        link.close()
        with pytest.raises(ConnectionResetError):
            await asyncio.get_running_loop().sock_recv(runtime.socket, 1)
        assert told.said.empty()

    run(scenario)


def test_what_came_in_one_piece_with_the_last_word_is_not_heard():
    async def scenario(link, told, runtime):
        def close(request_id, reply):
            link.close()
            told.said.put_nowait("closed")

        told.runtime_answered = close
        link.send(event(), 1)
        await runtime.say(Kind.RESPONSE, {"id": "r1"})
        assert await told.said.get() == "closed"
        await asyncio.sleep(0)
        assert told.said.empty()

    run(scenario)


NONSENSE = {
    "no frame": (b"GET / HTTP/1.1\r\n", "a frame of kind 47"),
    "not a runtime's": (encode(Kind.INVOKE, {}), "a frame INVOKE out of turn"),
    "answers before init": (encode(Kind.RESPONSE, {"id": "r1"}), "a frame RESPONSE out of turn"),
    "ready twice": (encode(Kind.READY, {}) * 2, "a frame READY out of turn"),
    "no type": (encode(Kind.INIT_ERROR, {}), "a INIT_ERROR frame without type"),
}


@pytest.mark.parametrize(("data", "detail"), NONSENSE.values(), ids=NONSENSE)
def test_what_no_runtime_says_breaks_the_protocol(data, detail):
    async def scenario(link, told, runtime):
        runtime.socket.send(data)
        heard = await told.said.get()
        if heard == "ready":
            heard = await told.said.get()
        assert heard == ("broke", detail)

    run(scenario)


def test_a_flood_of_answers_is_heard_once():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        assert await told.said.get() == "ready"
        link.send(event(), 1)
        runtime.socket.send(encode(Kind.RESPONSE, {"id": "r1"}) * 2000)
        assert (await told.said.get())[0] == "answered"
        assert await told.said.get() == "ready"
        assert await told.said.get() == ("broke", "a frame RESPONSE out of turn")
        assert told.said.empty()

    run(scenario)


def test_an_answer_to_another_request_breaks_the_protocol():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        assert await told.said.get() == "ready"
        link.send(event(), 1)
        await runtime.say(Kind.RESPONSE, {"id": "r0"})
        assert await told.said.get() == ("broke", "an answer to another request")

    run(scenario)


def test_an_endless_result_is_skipped_while_it_comes():
    async def scenario(link, told, runtime):
        link.send(event(), 1)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(runtime.socket, encode_head(Kind.RESPONSE, {"id": "r1"}, 1 << 30))
        for _ in range(32):
            await loop.sock_sendall(runtime.socket, bytes(1 << 18))
        assert link._decoder._body is None
        assert told.said.empty()

    run(scenario)


def test_the_type_of_an_error_document():
    assert error_type_of(b'{"errorType":"T"}') == "T"
    assert error_type_of(b'{"errorType":1}') is None
    assert error_type_of(b"[" * 100_000) is None
    assert error_type_of(b"\xff") is None
    assert error_type_of(b'{"errorType":"T","x":"%s"}' % (b"x" * (1 << 18))) is None


def test_a_parked_runtime_says_nothing_until_it_is_told_whose_it_is():
    async def main():
        async with asyncio.timeout(20):
            told = Told()
            link, theirs = await FramedLink.open(told, body_bytes_max=LIMIT, parked=True)
            with theirs:
                runtime = Runtime(theirs)
                link.configure({"A": "é"})
                frame = await runtime.hear()
                assert (frame.kind, frame.body) == (Kind.CONFIG, '{"A":"é"}'.encode())
                await runtime.say(Kind.READY)
                assert await told.said.get() == "ready"
                link.close()
            early = Told()
            link, theirs = await FramedLink.open(early, body_bytes_max=LIMIT, parked=True)
            with theirs:
                await Runtime(theirs).say(Kind.READY)
                assert (await early.said.get())[0] == "broke"

    asyncio.run(main())


# Answers that come in pieces


def test_pieces_for_a_caller_who_wants_all_are_gathered():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        assert await told.said.get() == "ready"
        for _ in range(2):
            link.send(event(), 1)
            await runtime.hear()
            await runtime.say(Kind.CHUNK, {"id": "r1", "type": "text/plain"}, b"a")
            await runtime.say(Kind.CHUNK, None, b"b")
            await runtime.say(Kind.RESPONSE, {"id": "r1"}, b"c")
            assert await told.said.get() == ("answered", "r1", Reply(b"abc"))
            assert await told.said.get() == "ready"

    run(scenario)


def test_pieces_go_to_the_intake_and_an_error_may_follow():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        await told.said.get()
        relay = Relay(1 << 20, SystemClock())
        call = event()
        call.intake = relay
        link.send(call, 1)
        await runtime.hear()
        await runtime.say(Kind.CHUNK, {"id": "r1", "type": "text/plain"}, b"a")
        assert await relay.next() == b"a"
        assert relay.content_type == "text/plain"
        await runtime.say(Kind.ERROR, {"id": "r1", "type": "Broken"}, b"{}")
        assert await told.said.get() == ("answered", "r1", Reply(b"{}", "Broken"))
        assert await told.said.get() == "ready"

    run(scenario)


def test_pieces_over_the_limit_are_told_at_once_and_the_rest_is_dropped():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        await told.said.get()
        link.send(event(), 1)
        await runtime.hear()
        await runtime.say(Kind.CHUNK, {"id": "r1"}, bytes(LIMIT))
        await runtime.say(Kind.CHUNK, None, b"x")
        assert await told.said.get() == ("answered", "r1", Reply(b"", too_large=True))
        await runtime.say(Kind.CHUNK, None, b"x")
        await runtime.say(Kind.RESPONSE, {"id": "r1"})
        assert await told.said.get() == "ready"
        link.send(event(request_id="r2"), 1)
        await runtime.hear()
        await runtime.say(Kind.RESPONSE, {"id": "r2"}, b"1")
        assert await told.said.get() == ("answered", "r2", Reply(b"1"))

    run(scenario)


def test_a_runtime_waits_while_nobody_reads_and_nothing_is_lost():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        await told.said.get()
        relay = Relay(1 << 30, SystemClock())
        call = event()
        call.intake = relay
        link.send(call, 1)
        await runtime.hear()
        n_chunks = 200
        await runtime.say(Kind.CHUNK, {"id": "r1"}, b"")

        async def talk():
            for _ in range(n_chunks):
                await runtime.say(Kind.CHUNK, None, bytes(CHUNK_BYTES_MAX))
            await runtime.say(Kind.RESPONSE, {"id": "r1"})

        talking = asyncio.ensure_future(talk())
        while relay.n_bytes < FULL_BYTES:  # noqa: ASYNC110 - it is no part of what is tested
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        # What is on the way: a full relay, and one read.
        assert relay.n_bytes < 1 << 20
        assert not talking.done()
        n_bytes = 0
        while n_bytes < n_chunks * CHUNK_BYTES_MAX:
            n_bytes += len(await relay.next())
        assert n_bytes == n_chunks * CHUNK_BYTES_MAX
        await talking
        assert await told.said.get() == ("answered", "r1", Reply(b""))

    run(scenario)


def test_a_flood_of_tiny_pieces_leaves_others_their_turn():
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        await told.said.get()
        relay = Relay(1 << 30, SystemClock())
        call = event()
        call.intake = relay
        link.send(call, 1)
        await runtime.hear()
        n_chunks = 10_000
        flood = encode(Kind.CHUNK, {"id": "r1"}) + encode(Kind.CHUNK, {}, b"x") * n_chunks
        link.data_received(flood + encode(Kind.RESPONSE, {"id": "r1"}))
        assert relay.n_bytes < 100
        await asyncio.sleep(0)
        assert relay.n_bytes < 200
        assert await told.said.get() == ("answered", "r1", Reply(b""))
        assert await relay.next() == b"x" * n_chunks
        # The socket is read again.
        assert await told.said.get() == "ready"
        link.send(event(request_id="r2"), 1)
        await runtime.hear()
        await runtime.say(Kind.RESPONSE, {"id": "r2"}, b"1")
        assert await told.said.get() == ("answered", "r2", Reply(b"1"))

    run(scenario)


@pytest.mark.parametrize(
    "frames",
    [
        encode(Kind.CHUNK, {}, b"no id"),
        encode(Kind.CHUNK, {"id": "another"}, b"x"),
        encode_head(Kind.CHUNK, {"id": "r1"}, CHUNK_BYTES_MAX + 1),
        encode(Kind.CHUNK, {"id": "r1"}, b"x") + encode(Kind.INIT_ERROR, {"type": "T"}, b"{}"),
        encode(Kind.RESPONSE, {"id": "r1"}, b"1") + encode(Kind.CHUNK, {}, b"late"),
    ],
)
def test_pieces_out_of_turn_break_the_protocol(frames):
    async def scenario(link, told, runtime):
        await runtime.say(Kind.READY)
        await told.said.get()
        link.send(event(), 1)
        await runtime.hear()
        await asyncio.get_running_loop().sock_sendall(runtime.socket, frames)
        while (said := await told.said.get())[0] != "broke":
            assert said == "ready" or said[0] == "answered"

    run(scenario)
