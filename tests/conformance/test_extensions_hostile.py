"""Extensions that misbehave: contained, and no concern of their neighbours."""

import asyncio
import json

import pytest

from alonzo.testing.environments import run

HANDLER = "def handler(event, context): return event\n"

CLIENT = """#!/usr/bin/python3
import json, os, socket, sys, threading, time, urllib.error, urllib.request
BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
def call(method, path, body=None, **headers):
    headers = {"Lambda-Extension-" + k.replace("_", "-"): v for k, v in headers.items()}
    request = urllib.request.Request(BASE + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()
def register():
    body = json.dumps({"events": ["INVOKE", "SHUTDOWN"]}).encode()
    _, headers, _ = call("POST", "/2020-01-01/extension/register", body, Name=NAME)
    return headers["Lambda-Extension-Identifier"]
def serve(identifier):
    while True:
        _, _, body = call("GET", "/2020-01-01/extension/event/next", Identifier=identifier)
        if json.loads(body)["eventType"] == "SHUTDOWN": sys.exit(0)
"""

#: Each registers and serves, and does its harm before or beside that.
HARM = {
    "a flood of requests": """
identifier = register()
def flood():
    while True: call("GET", "/2020-01-01/extension/nothing")
for _ in range(8): threading.Thread(target=flood, daemon=True).start()
serve(identifier)
""",
    "a thousand registrations": """
for n in range(1000):
    call("POST", "/2020-01-01/extension/register", b"{}", Name=f"x{n}")
serve(register())
""",
    "a huge body": """
identifier = register()
peer = socket.create_connection(("127.0.0.1", 9001))
peer.sendall(b"POST /2020-01-01/extension/register HTTP/1.1\\r\\nHost: x\\r\\n")
peer.sendall(b"Transfer-Encoding: chunked\\r\\n\\r\\n")
def pour():
    while True: peer.sendall(b"10000\\r\\n" + bytes(65536) + b"\\r\\n")
threading.Thread(target=pour, daemon=True).start()
serve(identifier)
""",
    "requests that never end": """
identifier = register()
peers = []
for n in range(50):
    peers.append(socket.create_connection(("127.0.0.1", 9001)))
    peers[-1].sendall(b"POST /2020-01-01/extension/register HTTP/1.1\\r\\nX: ")
serve(identifier)
""",
    "more connections than there may be": """
identifier = register()
peers = []
def connect():
    while True:
        try: peers.append(socket.create_connection(("127.0.0.1", 9001)))
        except OSError: time.sleep(0.1)
        time.sleep(0.001)
threading.Thread(target=connect, daemon=True).start()
serve(identifier)
""",
    "a flood of output": """
identifier = register()
def shout():
    while True: os.write(1, b"x" * 1000 + b"\\n")
threading.Thread(target=shout, daemon=True).start()
serve(identifier)
""",
    "children that nobody waits for": """
identifier = register()
def fork():
    while True:
        try:
            if os.fork() == 0: time.sleep(60); os._exit(0)
        except OSError: time.sleep(0.05)
threading.Thread(target=fork, daemon=True).start()
serve(identifier)
""",
    "a bomb of forks in place of an extension": """
register()
while True:
    try: os.fork()
    except OSError: time.sleep(0.05)
""",
    "memory without end": """
identifier = register()
hoard = []
def grow():
    while True: hoard.append(bytes(1 << 20) + os.urandom(8))
threading.Thread(target=grow, daemon=True).start()
serve(identifier)
""",
    "the end of everybody else": """
identifier = register()
for _ in range(100):
    try: os.kill(-1, 9)
    except OSError: pass
serve(identifier)
""",
    "nonsense on the port": """
identifier = register()
for n in range(200):
    with socket.create_connection(("127.0.0.1", 9001)) as peer:
        peer.sendall(os.urandom(500))
serve(identifier)
""",
}


@pytest.mark.parametrize("harm", HARM)
def test_what_an_extension_does_harms_only_its_own_environment(tmp_path, harm):
    async def scenario(world):
        world.write("code/handler.py", HANDLER, 0o644)
        world.write("opt/extensions/bad", CLIENT + HARM[harm])
        neighbour = {"layers": (), "generation": "neighbour"}
        await world.invoke(b"0", **neighbour)
        bad = asyncio.ensure_future(world.invoke(b"1", timeout_s=2))
        # Its neighbour is served all the while.
        while not bad.done():
            outcome = await world.invoke(b"2", **neighbour)
            assert outcome.payload == b"2"
            await asyncio.sleep(0.05)
        outcome = await bad
        # It gets an answer or an error that has a name.
        assert outcome.payload == b"1" or json.loads(outcome.payload)["errorType"]
        assert (await world.invoke(b"3", **neighbour)).payload == b"3"
        await world.pool.close()
        assert world.pool._around.backend._sandboxes == {}

    run(tmp_path, scenario, init_timeout_s=3, processes_max=100)


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_an_extension_may_be_killed_at_any_moment(tmp_path, after_s):
    dying = CLIENT + (f"threading.Timer({after_s}, os._exit, (1,)).start()\nserve(register())\n")

    async def scenario(world):
        world.write("code/handler.py", HANDLER, 0o644)
        world.write("opt/extensions/dying", dying)
        for n in range(3):
            outcome = await world.invoke(b"%d" % n, timeout_s=3)
            if outcome.payload != b"%d" % n:
                assert json.loads(outcome.payload)["errorType"] == "Extension.Crash"

    run(tmp_path, scenario)
