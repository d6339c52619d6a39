"""The HTTP Runtime API, over real sockets, driven as a runtime drives it."""

import asyncio
import base64
import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from alonzo.environments.api_server import ApiServer
from alonzo.environments.runtime_api import DATE, RuntimeApi
from alonzo.environments.values import Invocation, Reply

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
