"""The HTTP Runtime API, over real sockets, driven as a runtime drives it."""

import asyncio
import base64
import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import pytest

from alonzo.environments.api_server import ApiServer
from alonzo.environments.intake import FULL_BYTES, Relay
from alonzo.environments.runtime_api import DATE, RuntimeApi
from alonzo.environments.values import Invocation, Reply
from alonzo.lib.clock import SystemClock

LIMIT = 1000
NEXT = "/2018-06-01/runtime/invocation/next"
RESPONSE = "/2018-06-01/runtime/invocation/r1/response"


class Told:
    """What the API reported, as a queue."""

    def __init__(self):
        self.said = asyncio.Queue()

    def runtime_ready(self):
        self.said.put_nowait(("ready",))

    def runtime_answered(self, request_id, reply):
        self.said.put_nowait(("answered", request_id, reply))

    def runtime_init_failed(self, reply):
        self.said.put_nowait(("init failed", reply))

    def runtime_broke_protocol(self, detail):
        self.said.put_nowait(("broke", detail))


class Runtime:
    """A blocking HTTP client on a thread of its own."""

    def __init__(self, port):
        self._threads = ThreadPoolExecutor(1)
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, method, path, body=None, headers=None):
        def call():
            self._http.request(method, path, body, headers or {})
            response = self._http.getresponse()
            return response.status, dict(response.getheaders()), response.read()

        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self):
        self._http.close()
        self._threads.shutdown()


def event(request_id="r1", payload=b'{"n":1}', **more):
    return Invocation(request_id, "attempt", "arn:f", payload, "Root=1-0;Sampled=0", **more)


@asynccontextmanager
async def serving():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told = Told()
        api = RuntimeApi(told, body_bytes_max=LIMIT)
        server = ApiServer()
        server.mount(DATE, api)
        await server.serve(listening)
        runtime = Runtime(listening.getsockname()[1])
        try:
            yield api, told, runtime
        finally:
            runtime.close()
            server.close()
            api.close()


def run(scenario):
    async def main():
        async with asyncio.timeout(20), serving() as parts:
            await scenario(*parts)

    asyncio.run(main())


def test_next_waits_for_an_event_and_answers_with_its_headers():
    async def scenario(api, told, runtime):
        waiting = runtime.ask("GET", NEXT)
        assert await told.said.get() == ("ready",)
        api.send(event(client_context='{"custom":{}}'), 123)
        status, headers, body = await waiting
        assert (status, body) == (200, b'{"n":1}')
        assert headers["Lambda-Runtime-Aws-Request-Id"] == "r1"
        assert headers["Lambda-Runtime-Deadline-Ms"] == "123"
        assert headers["Lambda-Runtime-Client-Context"] == '{"custom":{}}'
        assert "Lambda-Runtime-Aws-Tenant-Id" not in headers

    run(scenario)


async def take_event(api, told, runtime):
    waiting = runtime.ask("GET", NEXT)
    await told.said.get()
    api.send(event(), 1)
    await waiting


def test_a_response_is_accepted_once():
    async def scenario(api, told, runtime):
        await take_event(api, told, runtime)
        assert await runtime.ask("POST", RESPONSE, b"42") == (
            202, {"Content-Type": "application/json", "Content-Length": "16"}, b'{"status":"OK"}\n',
        )  # fmt: skip
        assert await told.said.get() == ("answered", "r1", Reply(b"42"))
        status, _, body = await runtime.ask("POST", RESPONSE, b"43")
        assert status == 400
        assert json.loads(body) == {
            "errorMessage": "Invalid request ID", "errorType": "InvalidRequestID",
        }  # fmt: skip
        assert told.said.empty()

    run(scenario)


def test_a_wrong_attempt_is_refused_and_the_right_one_still_counts():
    async def scenario(api, told, runtime):
        await take_event(api, told, runtime)
        wrong = {"Lambda-Runtime-Invocation-Id": "other"}
        assert (await runtime.ask("POST", RESPONSE, b"1", wrong))[0] == 400
        right = {"Lambda-Runtime-Invocation-Id": "attempt"}
        assert (await runtime.ask("POST", RESPONSE, b"2", right))[0] == 202
        assert (await told.said.get())[2] == Reply(b"2")

    run(scenario)


def test_an_error_brings_its_type():
    async def scenario(api, told, runtime):
        await take_event(api, told, runtime)
        path = "/2018-06-01/runtime/invocation/r1/error"
        headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.Bad"}
        assert (await runtime.ask("POST", path, b"{}", headers))[0] == 202
        assert await told.said.get() == ("answered", "r1", Reply(b"{}", "Runtime.Bad"))

    run(scenario)


@pytest.mark.parametrize(
    ("posted", "answered"),
    [
        (
            b'{"errorCause": {"exceptions": []}, "errorType": "E", "errorMessage": "m", '
            b'"stackTrace": ["a"]}',
            b'{"errorMessage":"m","errorType":"E","stackTrace":["a"]}',
        ),
        (b"{", b'"Invalid error body"'),
        (b"[1]", b'"Invalid error body"'),
        (b"[" * LIMIT, b'"Invalid error body"'),
    ],
)
def test_the_cause_of_an_error_is_not_its_callers(posted, answered):
    async def scenario(api, told, runtime):
        await take_event(api, told, runtime)
        path = "/2018-06-01/runtime/invocation/r1/error"
        headers = {
            "Lambda-Runtime-Function-Error-Type": "Runtime.Bad",
            "Content-Type": "application/vnd.aws.lambda.error.cause+json",
        }
        assert (await runtime.ask("POST", path, posted, headers))[0] == 202
        assert await told.said.get() == ("answered", "r1", Reply(answered, "Runtime.Bad"))

    run(scenario)


def test_a_response_past_the_limit_gets_413_and_is_reported_as_too_large():
    async def scenario(api, told, runtime):
        await take_event(api, told, runtime)
        assert (await runtime.ask("POST", RESPONSE, bytes(LIMIT + 1)))[0] == 413
        assert await told.said.get() == ("answered", "r1", Reply(b"", too_large=True))

    run(scenario)


def test_init_error_counts_only_before_the_first_next():
    async def scenario(api, told, runtime):
        path = "/2018-06-01/runtime/init/error"
        document = b'{"errorType":"Runtime.NoSuch","errorMessage":"m"}'
        assert (await runtime.ask("POST", path, document))[0] == 202
        assert await told.said.get() == ("init failed", Reply(document, "Runtime.NoSuch"))
        await take_event(api, told, runtime)
        status, _, body = await runtime.ask("POST", path, document)
        assert (status, json.loads(body)["errorType"]) == (403, "InvalidStateTransition")

    run(scenario)


def test_next_before_the_answer_is_refused():
    async def scenario(api, told, runtime):
        await take_event(api, told, runtime)
        assert (await runtime.ask("GET", NEXT))[0] == 403

    run(scenario)


def test_a_stream_may_end_in_an_error():
    async def scenario(api, told, runtime):
        await take_event(api, told, runtime)
        failure = base64.b64encode(b'{"errorType":"Boom"}').decode()
        text = (
            f"POST {RESPONSE} HTTP/1.1\r\nHost: x\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type\r\n\r\n"
            "3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.Boom\r\n"
            f"Lambda-Runtime-Function-Error-Body: {failure}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", runtime._http.port)
        writer.write(text.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        writer.close()
        await writer.wait_closed()
        reply = Reply(b'{"errorType":"Boom"}', "Runtime.Boom")
        assert await told.said.get() == ("answered", "r1", reply)

    run(scenario)


def test_unknown_paths_and_methods_are_refused():
    async def scenario(api, told, runtime):
        assert (await runtime.ask("GET", "/"))[0] == 404
        assert (await runtime.ask("GET", "/2018-06-01/runtime/restore/next"))[0] == 404
        assert (await runtime.ask("POST", NEXT, b""))[0] == 405
        assert (await runtime.ask("GET", "/ping"))[2] == b"pong"

    run(scenario)


def test_nonsense_closes_the_connection_and_no_other():
    async def scenario(api, told, runtime):
        reader, writer = await asyncio.open_connection("127.0.0.1", runtime._http.port)
        writer.write(b"\x00\xff nonsense\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await take_event(api, told, runtime)

    run(scenario)


# Responses that come in pieces

STREAM_HEAD = (
    f"POST {RESPONSE} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
).encode()
END = b"0\r\n\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def streaming(api, told, runtime, relay):
    """The event is with the runtime, and the response to it has begun on another connection."""
    asked = runtime.ask("GET", NEXT)
    assert await told.said.get() == ("ready",)
    api.send(event(intake=relay), 1)
    await asked
    reader, writer = await asyncio.open_connection("127.0.0.1", runtime._http.port)
    writer.write(STREAM_HEAD)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def test_pieces_are_passed_on_before_the_response_is_whole():
    async def scenario(api, told, runtime):
        relay = Relay(1 << 20, SystemClock())
        async with streaming(api, told, runtime, relay) as (reader, writer):
            writer.write(chunk(b"first"))
            assert await relay.next() == b"first"
            assert relay.content_type == "text/plain"
            status, _, _ = await runtime.ask("GET", NEXT)
            assert status == 403
            status, _, _ = await runtime.ask("POST", RESPONSE, b"another")
            assert status == 400
            writer.write(chunk(b"last") + END)
            assert (await reader.readline()).startswith(b"HTTP/1.1 202")
            assert await relay.next() == b"last"
        assert await told.said.get() == ("answered", "r1", Reply(b""))

    run(scenario)


def test_a_runtime_that_streams_waits_for_its_reader():
    async def scenario(api, told, runtime):
        relay = Relay(1 << 30, SystemClock())
        async with streaming(api, told, runtime, relay) as (reader, writer):
            whole = chunk(bytes(1 << 20)) * 16 + END
            writer.write(whole)
            while relay.n_bytes < FULL_BYTES:  # noqa: ASYNC110 - it is no part of what is tested
                await asyncio.sleep(0)
            for _ in range(100):
                await asyncio.sleep(0)
            assert relay.n_bytes < 1 << 20
            n_bytes = 0
            while n_bytes < 16 << 20:
                n_bytes += len(await relay.next())
            assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        assert await told.said.get() == ("answered", "r1", Reply(b""))

    run(scenario)


def test_a_stream_over_the_limit_is_told_at_once_and_its_sender_at_the_end():
    async def scenario(api, told, runtime):
        relay = Relay(10, SystemClock())
        async with streaming(api, told, runtime, relay) as (reader, writer):
            writer.write(chunk(bytes(11)))
            assert await told.said.get() == ("answered", "r1", Reply(b"", too_large=True))
            writer.write(chunk(bytes(11)) + END)
            assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        asked = runtime.ask("GET", NEXT)
        assert await told.said.get() == ("ready",)
        api.send(event("r2"), 1)
        assert (await asked)[0] == 200

    run(scenario)


def test_a_stream_whose_connection_closes_is_truncated():
    async def scenario(api, told, runtime):
        relay = Relay(1 << 20, SystemClock())
        async with streaming(api, told, runtime, relay) as (_, writer):
            writer.write(chunk(b"first"))
            assert await relay.next() == b"first"
        kind, request_id, reply = await told.said.get()
        assert (kind, request_id, reply.error_type) == (
            "answered",
            "r1",
            "Runtime.TruncatedResponse",
        )
        asked = runtime.ask("GET", NEXT)
        assert await told.said.get() == ("ready",)
        api.send(event("r2"), 1)
        assert (await asked)[0] == 200

    run(scenario)


def test_tiny_chunks_leave_others_their_turn():
    async def scenario(api, told, runtime):
        relay = Relay(1 << 30, SystemClock())
        async with streaming(api, told, runtime, relay) as (reader, writer):
            n_chunks = 50_000
            writer.write(chunk(b"x") * n_chunks + END)
            most, n_bytes = 0, 0
            while n_bytes < n_chunks:
                piece = await relay.next()
                most, n_bytes = max(most, len(piece)), n_bytes + len(piece)
            # A turn takes 16 KiB of the connection, six bytes for each chunk.
            assert most <= 2 * (16 << 10) // 6
            assert (await reader.readline()).startswith(b"HTTP/1.1 202")

    run(scenario)


def test_chunks_without_a_mode_are_streamed_to_who_wants_them_so():
    async def scenario(api, told, runtime):
        relay = Relay(1 << 20, SystemClock())
        asked = runtime.ask("GET", NEXT)
        assert await told.said.get() == ("ready",)
        api.send(event(intake=relay), 1)
        await asked
        reader, writer = await asyncio.open_connection("127.0.0.1", runtime._http.port)
        lines = [line for line in STREAM_HEAD.split(b"\r\n") if b"Response-Mode" not in line]
        writer.write(b"\r\n".join(lines) + chunk(b"first"))
        assert await relay.next() == b"first"
        writer.write(END)
        assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        writer.close()
        await writer.wait_closed()
        assert await told.said.get() == ("answered", "r1", Reply(b""))

    run(scenario)


def test_a_wrong_attempt_does_not_stream():
    async def scenario(api, told, runtime):
        relay = Relay(1 << 20, SystemClock())
        await take_event(api, told, runtime)
        mode = {"Lambda-Runtime-Function-Response-Mode": "streaming"}
        headers = {**mode, "Lambda-Runtime-Invocation-Id": "another"}
        status, _, body = await runtime.ask("POST", RESPONSE, b"x", headers)
        assert (status, json.loads(body)["errorType"]) == (400, "InvalidInvocationId")
        assert relay.began_at_s is None
        assert (await runtime.ask("POST", RESPONSE, b"x", mode))[0] == 202
        assert await told.said.get() == ("answered", "r1", Reply(b"x"))

    run(scenario)


RESTORE = "/2018-06-01/runtime/restore/"


@pytest.mark.parametrize("fails", [False, True])
def test_a_runtime_that_is_to_be_restored_waits_for_that_and_may_fail_then(fails):
    async def scenario(api, told, runtime):
        api._restores = True
        waiting = runtime.ask("GET", f"{RESTORE}next")
        assert await told.said.get() == ("ready",)
        api.configure({})
        assert (await waiting)[::2] == (200, b"")
        if fails:
            kind = {"Lambda-Runtime-Function-Error-Type": "Runtime.AfterRestoreError"}
            assert (await runtime.ask("POST", f"{RESTORE}error", b"{}", kind))[0] == 202
            reply = Reply(b"{}", "Runtime.AfterRestoreError")
            assert await told.said.get() == ("init failed", reply)
            return
        waiting = runtime.ask("GET", NEXT)
        assert await told.said.get() == ("ready",)
        api.send(event(), 1)
        assert (await waiting)[0] == 200

    run(scenario)


def test_a_runtime_waits_to_be_restored_once_and_fails_in_its_own_phase():
    async def scenario(api, told, runtime):
        async def refused(path, state, wanted, by=runtime):
            posted = bytes(LIMIT + 1) if path.endswith("error") else None
            method = "GET" if posted is None else "POST"
            status, _, body = await by.ask(method, f"/2018-06-01/runtime/{path}", posted)
            assert status == 403
            assert f"from Runtime{state} to Runtime{wanted} failed" in body.decode()

        api._restores = True
        await refused("restore/error", "Started", "RestoreError")
        waiting = runtime.ask("GET", f"{RESTORE}next")
        assert await told.said.get() == ("ready",)
        other = Runtime(runtime._http.port)
        await refused("invocation/next", "RestoreReady", "Ready", other)
        await refused("restore/next", "RestoreReady", "RestoreReady", other)
        other.close()
        api.configure({})
        await waiting
        await refused("init/error", "Restoring", "InitError")
        await refused("restore/next", "Restoring", "RestoreReady")
        waiting = runtime.ask("GET", NEXT)
        assert await told.said.get() == ("ready",)
        api.send(event(), 1)
        await waiting
        await refused("restore/error", "Ready", "RestoreError")
        await refused("restore/next", "Ready", "RestoreReady")
        assert told.said.empty()

    run(scenario)


def test_a_runtime_that_knows_nothing_of_restores_is_ready_at_once():
    async def scenario(api, told, runtime):
        assert (await runtime.ask("GET", f"{RESTORE}next"))[0] == 404
        waiting = runtime.ask("GET", NEXT)
        assert await told.said.get() == ("ready",)
        api.configure({})
        assert await told.said.get() == ("ready",)
        api.send(event(), 1)
        assert (await waiting)[0] == 200

    run(scenario)
