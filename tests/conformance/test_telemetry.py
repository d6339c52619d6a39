"""The Telemetry API and the old Logs API for real: subscribers inside a sandbox."""

import asyncio
import json
import re

import pytest

from alonzo.testing.environments import run

HANDLER = """
import json, time
print("while it initialises")
def handler(event, context):
    for n in range(event.get("lines", 1)): print("line", n)
    time.sleep(event.get("sleep", 0))
    if event.get("exit"): __import__("os")._exit(3)
    if event.get("json"): print(json.dumps({"level": "DEBUG", "message": "structured"}))
    return 42
"""

CLIENT = """#!/usr/bin/python3
import http.server, json, os, socketserver, sys, threading, time, urllib.error, urllib.request
BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
SUBSCRIPTION = json.loads(os.environ.get("SUBSCRIPTION", "{}"))
def call(method, path, body=None, **headers):
    headers = {"Lambda-Extension-" + k.replace("_", "-"): v for k, v in headers.items()}
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(BASE + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()
def tell(**facts): print(json.dumps(facts), flush=True)
status, headers, body = call("POST", "/2020-01-01/extension/register",
    json.dumps({"events": ["INVOKE", "SHUTDOWN"]}).encode(), Name=NAME)
identifier = headers["Lambda-Extension-Identifier"]
def subscribe(path="/2022-07-01/telemetry", **more):
    document = {"schemaVersion": "2022-12-13", "types": ["platform", "function"],
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/in"},
        "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}, **more}
    return call("PUT", path, json.dumps(document).encode(), Identifier=identifier)
def events():
    while True:
        _, _, body = call("GET", "/2020-01-01/extension/event/next", Identifier=identifier)
        event = json.loads(body)
        if event["eventType"] == "SHUTDOWN":
            time.sleep(0.3)
            sys.exit(0)
"""

HTTP = (
    CLIENT
    + """
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if FAILURES:
            self.send_error(FAILURES.pop())
            return
        for event in batch: tell(got=event, path=self.path)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
FAILURES = [503] * int(os.environ.get("FAILURES", "0"))
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell(answer=[(status, body.decode()) for status, _, body in [subscribe(**SUBSCRIPTION)]][0])
events()
"""
)

TCP = (
    CLIENT
    + """
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: tell(got=json.loads(line))
server = socketserver.ThreadingTCPServer(("", 8080), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
tell(answer=subscribe(destination={"protocol": "TCP", "port": 8080})[0])
events()
"""
)


@pytest.fixture
def world(tmp_path):
    """Runs a scenario whose function is ``HANDLER`` and whose extensions are given by name."""

    def start(scenario, extensions, handler=HANDLER, **settings):
        async def with_files(world):
            world.write("code/handler.py", handler, 0o644)
            for name, text in dict(extensions).items():
                world.write(f"opt/extensions/{name}", text)
            await scenario(world)

        run(tmp_path, with_files, **{"freeze_after_s": 30, **settings})

    return start


async def until(condition):
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - what a process does has no event of its own
            await asyncio.sleep(0.005)


def told(world, member):
    documents = [json.loads(line) for line in world.lines if line.startswith('{"')]
    return [document[member] for document in documents if member in document]


def kinds(world):
    return [event["type"] for event in told(world, "got")]


def test_a_subscriber_hears_everything_from_the_beginning(world):
    async def scenario(world):
        await world.invoke()
        await until(lambda: "platform.report" in kinds(world))
        assert told(world, "answer") == [[200, '"OK"']]
        heard = kinds(world)
        assert heard[0] == "platform.initStart"
        # The extension goes on while the runtime initialises.
        assert sorted(heard[1:3]) == ["function", "platform.telemetrySubscription"]
        assert heard[3:] == [
            "platform.extension", "platform.initRuntimeDone", "platform.initReport",
            "platform.start", "function", "platform.runtimeDone", "platform.report",
        ]  # fmt: skip
        records = {event["type"]: event["record"] for event in told(world, "got")}
        request_id = "00000000-0000-4000-8000-000000000001"
        assert records["platform.telemetrySubscription"] == {
            "name": "listener", "state": "Subscribed", "types": ["platform", "function"],
        }  # fmt: skip
        assert records["platform.start"] == {"requestId": request_id, "version": "$LATEST"}
        assert records["function"] == "line 0"
        assert records["platform.extension"] == {
            "name": "listener", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"],
        }  # fmt: skip
        assert records["platform.runtimeDone"]["metrics"]["producedBytes"] == 2
        (span,) = records["platform.report"]["spans"]
        assert span["name"] == "extensionOverhead"
        assert (
            "TELEMETRY\tName: listener\tState: Subscribed\tTypes: [Platform, Function]"
            in world.lines
        )

    world(scenario, {"listener": HTTP})


def test_lines_over_a_tcp_connection(world):
    async def scenario(world):
        await world.invoke()
        await until(lambda: "platform.report" in kinds(world))
        assert told(world, "answer") == [200]

    world(scenario, {"listener": TCP})


def test_who_answers_with_an_error_gets_it_again(world):
    async def scenario(world):
        await world.invoke(environment={"FAILURES": "2"})
        await until(lambda: "platform.report" in kinds(world))
        assert kinds(world).count("platform.initStart") == 1

    world(scenario, {"listener": HTTP})


def test_what_waits_is_delivered_before_the_end(world):
    async def scenario(world):
        slow = {"SUBSCRIPTION": '{"buffering": {"timeoutMs": 30000}}'}
        await world.invoke(environment=slow)
        assert told(world, "got") == []
        await until(lambda: any(line.startswith("REPORT") for line in world.lines))
        await world.pool.close()
        assert kinds(world)[-1] == "platform.report"

    world(scenario, {"listener": HTTP})


def test_what_comes_while_frozen_is_delivered_after_the_thaw(world):
    async def scenario(world):
        later = {"SUBSCRIPTION": '{"buffering": {"timeoutMs": 600}}'}
        await world.invoke(environment=later)
        (environment,) = (each for group in world.pool._groups.values() for each in group.all)
        await until(lambda: environment.state.name == "FROZEN")
        await asyncio.sleep(0.7)  # The batch is due, and nobody runs who could take it.
        assert told(world, "got") == []
        await world.invoke(b'{"sleep": 2}', environment=later)
        assert "platform.initStart" in kinds(world)

    world(scenario, {"listener": HTTP}, freeze_after_s=0.01)


def test_the_old_api_has_its_own_words(world):
    extension = HTTP.replace(
        "subscribe(**", "subscribe('/2020-08-15/logs', schemaVersion='2020-08-15', **"
    )

    async def scenario(world):
        await world.invoke()
        await until(lambda: "platform.report" in kinds(world))
        heard = kinds(world)
        assert sorted(heard[:2]) == ["function", "platform.logsSubscription"]
        assert heard[2:] == [
            "platform.extension", "platform.start", "function", "platform.end", "platform.report",
        ]  # fmt: skip
        records = {event["type"]: event["record"] for event in told(world, "got")}
        assert sorted(records["platform.report"]) == ["metrics", "requestId"]
        assert any(line.startswith("LOGS\tName: listener") for line in world.lines)
        await world.invoke(b'{"exit": true}')
        await until(lambda: "platform.fault" in kinds(world))
        (fault,) = (e["record"] for e in told(world, "got") if e["type"] == "platform.fault")
        assert re.fullmatch(r"RequestId: \S+ Process exited before completing request", fault)

    world(scenario, {"listener": extension})


def test_json_logs_are_objects_and_unfiltered(world):
    async def scenario(world):
        await world.invoke(b'{"json": true}', log_format="JSON", application_log_level="ERROR",
                           system_log_level="WARN")  # fmt: skip
        await until(lambda: "platform.report" in kinds(world))
        assert {"level": "DEBUG", "message": "structured"} in [
            event["record"] for event in told(world, "got")
        ]
        assert not [line for line in world.lines if "structured" in line and "got" not in line]

    world(scenario, {"listener": HTTP})


def test_it_is_too_late_to_subscribe_after_init(world):
    extension = CLIENT + (
        "call('GET', '/2020-01-01/extension/event/next', Identifier=identifier)\n"
        "status, _, body = subscribe()\n"
        "tell(late=[status, json.loads(body)])\nevents()\n"
    )

    async def scenario(world):
        await world.invoke()
        await until(lambda: told(world, "late"))
        assert told(world, "late") == [[403, {
            "errorType": "Telemetry.ServiceClosed",
            "errorMessage": "Telemetry API subscription is closed already",
        }]]  # fmt: skip

    world(scenario, {"late": extension})


def test_a_subscription_that_does_not_hold_says_all_that_is_wrong(world):
    extension = CLIENT + (
        "for more in ({'types': [], 'destination': {'protocol': 'HTTP',"
        " 'URI': 'http://sandbox.localdomain/'}},):\n"
        "    status, _, body = subscribe(**more)\n"
        "    tell(wrong=[status, json.loads(body)])\nevents()\n"
    )

    async def scenario(world):
        await world.invoke()
        assert told(world, "wrong") == [[400, {
            "errorType": "ValidationError",
            "errorMessage": "URI port is not provided; types should not be empty",
        }]]  # fmt: skip

    world(scenario, {"wrong": extension})


def test_nobody_listening_and_nobody_reading_cost_no_more_than_their_share(world):
    absent = CLIENT + "tell(answer=subscribe()[0])\nevents()\n"
    deaf = CLIENT + (
        "import socket\n"
        "deaf = socket.create_server(('', 8081))\n"
        "tell(answer=subscribe(destination={'protocol': 'TCP', 'port': 8081})[0])\nevents()\n"
    )

    async def scenario(world):
        await world.invoke(b'{"lines": 60000}', timeout_s=20)
        await until(lambda: any(line.startswith("REPORT") for line in world.lines))
        (environment,) = (each for group in world.pool._groups.values() for each in group.all)
        subscribers = environment._home.extensions._telemetry._subscribers.values()
        held = [subscriber._buffer.held_bytes for subscriber, _ in subscribers]
        assert len(held) == 2
        assert all(0 < n_bytes <= 2 * 262_144 for n_bytes in held)
        await world.pool.close()
        assert world.pool._around.telemetry_budget._left_bytes == 64 << 20

    world(scenario, {"absent": absent, "deaf": deaf})


def test_a_subscriber_that_was_too_slow_hears_how_much_it_missed(world):
    slow = HTTP.replace("for event in batch:", "time.sleep(0.5)\n        for event in batch:")

    async def scenario(world):
        await world.invoke(b'{"lines": 20000}', timeout_s=20)
        await until(lambda: "platform.logsDropped" in kinds(world))
        records = {event["type"]: event["record"] for event in told(world, "got")}
        assert records["platform.logsDropped"]["droppedRecords"] > 0
        assert records["platform.logsDropped"]["droppedBytes"] > 0

    world(scenario, {"listener": slow})
