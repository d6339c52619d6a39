"""Extensions for real: their own processes in a sandbox, beside a managed or a custom runtime."""

import asyncio
import json

import pytest

from alonzo.testing.environments import run

HELLO = """
import os, time
started = open("/tmp/order").read().split() if os.path.exists("/tmp/order") else []
def handler(event, context):
    if "exit" in event: os._exit(event["exit"])
    if "sleep" in event: time.sleep(event["sleep"])
    if "print" in event: print(event["print"])
    if "read" in event: return open(event["read"]).read()
    return {"started": started, "event": event}
"""

#: What every extension here begins with.
CLIENT = """#!/usr/bin/python3
import json, os, sys, time, urllib.error, urllib.request
BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"]
NAME = os.path.basename(sys.argv[0])
def note(text):
    with open("/tmp/notes", "a") as notes: notes.write(text + "\\n")
def call(method, path, body=None, **headers):
    headers = {"Lambda-Extension-" + k.replace("_", "-"): v for k, v in headers.items()}
    request = urllib.request.Request(BASE + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()
def register(*events, name=NAME, **headers):
    body = json.dumps({"events": events}).encode()
    return call("POST", "/2020-01-01/extension/register", body, Name=name, **headers)
def next_event(identifier):
    _, headers, body = call("GET", "/2020-01-01/extension/event/next", Identifier=identifier)
    return json.loads(body)
"""

LOOP = (
    CLIENT
    + """
with open("/tmp/order", "a") as order: order.write(NAME + " ")
_, headers, body = register("INVOKE", "SHUTDOWN", Accept_Feature="accountId")
identifier = headers["Lambda-Extension-Identifier"]
note(body.decode())
print(NAME, "is there", flush=True)
while True:
    event = next_event(identifier)
    note(json.dumps(event))
    if event["eventType"] == "SHUTDOWN": sys.exit(0)
"""
)


@pytest.fixture
def world(tmp_path):
    """Runs a scenario whose function is ``HELLO`` and whose extensions are given by name."""

    def start(scenario, extensions=(), handler=HELLO, **settings):
        async def with_files(world):
            world.write("code/handler.py", handler, 0o644)
            for name, text in dict(extensions).items():
                world.write(f"opt/extensions/{name}", text)
            await scenario(world)

        run(tmp_path, with_files, **settings)

    return start


def result(outcome):
    assert outcome.error_type is None, outcome.payload
    return json.loads(outcome.payload)


async def until(condition):
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - what a process does has no event of its own
            await asyncio.sleep(0.005)


def test_an_external_extension_registers_first_and_hears_of_every_invoke(world):
    async def scenario(world):
        assert sorted(result(await world.invoke())["started"]) == ["one", "two"]
        await world.invoke()
        notes = result(await world.invoke(b'{"read": "/tmp/notes"}')).splitlines()
        about = {
            "functionName": "shop", "functionVersion": "$LATEST", "handler": "handler.handler",
            "accountId": "000000000000",
        }  # fmt: skip
        assert [json.loads(note) for note in notes[:2]] == [about, about]
        events = [json.loads(note) for note in notes[2:]]
        assert len(events) >= 4
        assert events[0] == {
            "eventType": "INVOKE",
            "deadlineMs": events[0]["deadlineMs"],
            "requestId": "00000000-0000-4000-8000-000000000001",
            "invokedFunctionArn": "arn:aws:lambda:eu-west-1:000000000000:function:shop:$LATEST",
            "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-0-0;Parent=0;Sampled=0"},
        }
        await until(lambda: sum(line.startswith("REPORT") for line in world.lines) == 3)
        assert "one is there" in world.lines
        assert "EXTENSION\tName: one\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in world.lines

    world(scenario, {"one": LOOP, "two": LOOP})


def reports(world):
    return [line for line in world.lines if line.startswith("REPORT")]


def alive(world):
    return [each for group in world.pool._groups.values() for each in group.all]


def states(world):
    return [each.state.name for each in alive(world)]


def printed(world, key):
    """What extensions printed as JSON objects with that member."""
    return [json.loads(line) for line in world.lines if line.startswith("{") and key in line]


TALKING = (
    CLIENT
    + """
events = os.environ.get("EVENTS", "INVOKE SHUTDOWN").split()
_, headers, _ = register(*events)
identifier = headers["Lambda-Extension-Identifier"]
while True:
    event = next_event(identifier)
    print(json.dumps(event), flush=True)
    if event["eventType"] == "INVOKE" and "AFTER_INVOKE" in os.environ:
        exec(os.environ["AFTER_INVOKE"])
    if event["eventType"] == "SHUTDOWN":
        exec(os.environ.get("AFTER_SHUTDOWN", "sys.exit(0)"))
"""
)


def test_the_answer_does_not_wait_for_extensions_and_the_environment_does(world):
    async def scenario(world):
        slow = {"AFTER_INVOKE": "time.sleep(0.4)"}
        outcome = await world.invoke(environment=slow)
        assert outcome.usage.duration_ms < 390
        assert reports(world) == []
        assert outcome.log_tail.decode().splitlines()[-1].startswith("END RequestId")
        await until(lambda: reports(world))
        assert float(reports(world)[0].split("Duration: ")[1].split()[0]) >= 400
        await until(lambda: states(world) == ["IDLE"])
        await world.invoke(environment=slow)
        assert len(world.pool) == 1

    world(scenario, {"slow": TALKING}, freeze_after_s=30)


def test_the_end_of_an_environment_is_told_and_waited_for(world):
    async def scenario(world):
        await world.invoke(
            environment={
                "AFTER_SHUTDOWN": "time.sleep(0.2); print('done', flush=True); sys.exit(0)"
            }
        )
        await world.pool.close()
        (event,) = printed(world, "SHUTDOWN")
        assert {**event, "deadlineMs": 0} == {
            "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 0,
        }  # fmt: skip
        assert world.lines[-1] == "done"

    world(scenario, {"polite": TALKING})


def test_a_frozen_environment_is_thawed_to_hear_of_its_end(world):
    async def scenario(world):
        await world.invoke()
        await until(lambda: states(world) == ["FROZEN"])
        await world.pool.close()
        assert len(printed(world, "SHUTDOWN")) == 1

    world(scenario, {"polite": TALKING}, freeze_after_s=0.01)


def test_who_does_not_end_in_time_is_ended(world):
    async def scenario(world):
        await world.invoke(environment={"AFTER_SHUTDOWN": "time.sleep(60)"})
        began = asyncio.get_running_loop().time()
        await world.pool.close()
        assert 1.9 < asyncio.get_running_loop().time() - began < 10

    world(scenario, {"stubborn": TALKING})


@pytest.mark.parametrize(
    ("event", "error_type", "reason"),
    [
        (b'{"sleep": 30}', "Sandbox.Timedout", "timeout"),
        (b'{"exit": 3}', "Runtime.ExitError", "failure"),
    ],
)
def test_why_everything_starts_anew_is_told_to_extensions(world, event, error_type, reason):
    async def scenario(world):
        outcome = await world.invoke(event, timeout_s=1)
        assert outcome.error_type == error_type
        await until(lambda: printed(world, "SHUTDOWN"))
        assert printed(world, "SHUTDOWN")[0]["shutdownReason"] == reason
        await until(lambda: states(world) == ["DOWN"])
        assert result(await world.invoke(timeout_s=1))["event"] == {}
        await until(lambda: len(printed(world, "INVOKE")) == 2)
        assert sum(line.startswith("EXTENSION") for line in world.lines) == 2

    world(scenario, {"e": TALKING})


def test_an_extension_that_is_too_slow_is_a_timeout_of_the_report(world):
    async def scenario(world):
        slow = {"AFTER_INVOKE": "time.sleep(60)"}
        assert result(await world.invoke(timeout_s=1, environment=slow))
        await until(lambda: reports(world))
        assert reports(world)[0].endswith("Status: timeout")

    world(scenario, {"slow": TALKING})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("sys.exit(3)", "exit status 3"),
        ("sys.exit(0)", "exit code 0"),
        ("os.kill(os.getpid(), 9)", "signal: killed"),
    ],
)
def test_an_extension_that_ends_takes_its_invoke_with_it(world, code, message):
    async def scenario(world):
        outcome = await world.invoke(b'{"sleep": 20}', environment={"AFTER_INVOKE": code})
        assert outcome.error_type == "Extension.Crash"
        assert json.loads(outcome.payload) == {
            "errorType": "Extension.Crash",
            "errorMessage": f"RequestId: 00000000-0000-4000-8000-000000000001 Error: {message}",
        }
        assert reports(world)[0].endswith("Status: error\tError Type: Extension.Crash")

    world(scenario, {"dying": TALKING})


def test_an_extension_that_ends_while_nobody_calls_starts_anew_with_the_next_call(world):
    async def scenario(world):
        await world.invoke(environment={"AFTER_INVOKE": BACKGROUND_END})
        await until(lambda: states(world) == ["DOWN"])
        assert result(await world.invoke(environment={"AFTER_INVOKE": BACKGROUND_END}))

    world(scenario, {"dying": TALKING}, freeze_after_s=30)


#: Ends the extension a moment after it waits for the next event.
BACKGROUND_END = "import threading; threading.Timer(0.3, os._exit, (1,)).start()"

DIRTY = {
    "a crash": ("sys.exit(2)", "Extension.Crash", "exit status 2", "Exited"),
    "an init error": (
        "print(call('POST', '/2020-01-01/extension/init/error', b'', Identifier=identifier,"
        " Function_Error_Type='Extension.Mine')[0], flush=True); sys.exit(1)",
        "Extension.InitError", "exit status 1", "InitError",
    ),
    "an exit error": (
        "print(call('POST', '/2020-01-01/extension/exit/error', b'', Identifier=identifier,"
        " Function_Error_Type='Extension.Mine')[0], flush=True); sys.exit(1)",
        "Extension.ExitError", "exit status 1", "ExitError",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DIRTY)
def test_an_extension_that_fails_in_init_fails_the_call(world, kind):
    code, error_type, message, state = DIRTY[kind]
    extension = CLIENT + (
        "_, headers, _ = register('INVOKE')\n"
        "identifier = headers['Lambda-Extension-Identifier']\n" + code
    )

    async def scenario(world):
        outcome = await world.invoke()
        assert outcome.error_type == error_type
        assert json.loads(outcome.payload)["errorMessage"].endswith(f" Error: {message}")
        (first, *_) = [line for line in world.lines if line.startswith("EXTENSION")]
        assert f"State: {state}\tEvents: [INVOKE]" in first
        assert any(
            f"Phase: init\tStatus: error\tError Type: {error_type}" in line for line in world.lines
        )
        if "error" in kind:
            assert "202" in world.lines
            assert first.endswith("Error Type: Extension.Mine")

    world(scenario, {"failing": extension})


@pytest.mark.parametrize(
    ("text", "mode", "why", "shown"),
    [
        ("#!/bin/sh\n", 0o644, "permission denied", "PermissionDenied"),
        ("\x7fELF nonsense", 0o755, "exec format error", "UnknownError"),
        ("#!/no/such/interpreter\n", 0o755, "no such file or directory", "UnknownError"),
    ],
)
def test_what_is_no_program_is_a_launch_error(world, text, mode, why, shown):
    async def scenario(world):
        world.write("opt/extensions/broken", text, mode)
        outcome = await world.invoke()
        assert outcome.error_type == "Extension.LaunchError"
        assert json.loads(outcome.payload)["errorMessage"].endswith(
            f"Error: fork/exec /opt/extensions/broken: {why}"
        )
        assert (
            f"EXTENSION\tName: broken\tState: LaunchError\tEvents: []\tError Type: {shown}"
            in world.lines
        )

    world(scenario)


def test_eleven_extensions_are_one_too_many(world):
    async def scenario(world):
        assert (await world.invoke()).error_type == "Extension.LaunchError"
        assert any("Error Type: TooManyExtensions" in line for line in world.lines)

    world(scenario, {f"e{n:02}": "#!/bin/sh\nsleep 60\n" for n in range(11)})


def test_init_waits_for_extensions_and_has_an_end(world):
    async def scenario(world):
        outcome = await world.invoke(timeout_s=1)
        assert outcome.error_type == "Sandbox.Timedout"
        assert any("Phase: init\tStatus: timeout" in line for line in world.lines)

    world(scenario, {"silent": "#!/bin/sh\nsleep 60\n"}, init_timeout_s=0.5)


def test_who_registers_for_nothing_is_waited_for_in_init_only(world):
    async def scenario(world):
        for _ in range(2):
            assert result(await world.invoke(environment={"EVENTS": ""}))
        assert len(reports(world)) == 2
        assert printed(world, "eventType") == []

    world(scenario, {"quiet": TALKING})


INTERNAL = (
    CLIENT.replace("#!/usr/bin/python3", "")
    + """
import threading
seen = []
refused = register("SHUTDOWN", name="inside")
status, headers, body = register("INVOKE", name="inside")
again = register("INVOKE", name="inside")
identifier = headers["Lambda-Extension-Identifier"]
def listen():
    while True: seen.append(next_event(identifier))
threading.Thread(target=listen, daemon=True).start()
def handler(event, context):
    late = register("INVOKE", name="late")
    next_runtime = call("GET", "/2018-06-01/runtime/invocation/next")
    while not seen: time.sleep(0.001)
    answers = {"refused": refused, "again": again, "late": late, "runtime": next_runtime}
    told = {key: [answer[0], json.loads(answer[2])] for key, answer in answers.items()}
    return {**told, "request": seen[-1]["requestId"], "status": status}
"""
)


def test_an_extension_inside_the_runtime_process(world):
    async def scenario(world):
        told = result(await world.invoke())
        assert told["status"] == 200
        assert told["request"] == "00000000-0000-4000-8000-000000000001"
        assert told["refused"] == [403, {
            "errorType": "Extension.InvalidEventType",
            "errorMessage": "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
        }]  # fmt: skip
        assert told["again"] == [403, {
            "errorType": "Extension.InvalidExtensionState",
            "errorMessage": "Extension with this name already registered",
        }]  # fmt: skip
        assert told["late"] == [403, {
            "errorType": "Extension.RegistrationClosed",
            "errorMessage": "Extension registration closed already",
        }]  # fmt: skip
        assert told["runtime"][0] == 403, "a framed runtime's events are not for others"
        await world.invoke()
        assert "EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]" in world.lines

    world(scenario, handler=INTERNAL)


def test_a_runtime_with_an_extension_is_asked_to_end(world):
    polite = INTERNAL + (
        "import signal\n"
        "def end(*_): print('asked to end', flush=True); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
    )

    async def scenario(world):
        assert result(await world.invoke())
        await world.pool.close()
        assert "asked to end" in world.lines

    world(scenario, handler=polite)


def test_a_runtime_without_an_extension_is_not_asked(world):
    silent = (
        "import os, signal\n"
        "def end(*_): print('asked to end', flush=True); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "def handler(event, context): return event\n"
    )

    async def scenario(world):
        assert result(await world.invoke(b"1")) == 1
        await world.pool.close()
        assert "asked to end" not in world.lines

    world(scenario, handler=silent)


def test_init_lasts_until_every_extension_waits(world):
    late = TALKING.replace("while True:", "time.sleep(0.5)\nwhile True:", 1)

    async def scenario(world):
        outcome = await world.invoke()
        assert outcome.usage.init_ms > 500

    world(scenario, {"late": late})


def test_a_custom_runtime_and_extensions_share_the_port(world):
    bootstrap = (
        CLIENT
        + """
while True:
    with urllib.request.urlopen(BASE + "/2018-06-01/runtime/invocation/next") as event:
        request_id, body = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    call("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", body)
"""
    )

    async def scenario(world):
        world.write("code/bootstrap", bootstrap)
        for _ in range(2):
            assert result(await world.invoke(b'{"n":1}', runtime="provided.al2023")) == {"n": 1}
        await until(lambda: len(reports(world)) == 2)
        await until(lambda: len(printed(world, "INVOKE")) == 2)

    world(scenario, {"e": TALKING})


def test_an_extension_has_the_variables_of_the_function_but_not_of_its_runtime(world):
    extension = TALKING.replace(
        "events =", "print(json.dumps(dict(os.environ)), flush=True)\nevents =", 1
    )

    async def scenario(world):
        await world.invoke(environment={"MINE": "1", "LAMBDA_MINE": "2"})
        (variables,) = printed(world, "MINE")
        assert variables["MINE"] == "1"
        assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "shop"
        assert variables["AWS_ACCESS_KEY_ID"] == "ASIA"
        assert not {
            "_HANDLER", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "LAMBDA_TASK_ROOT",
            "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_RUNTIME_DIR", "PYTHONPATH",
        } & set(variables)  # fmt: skip

    world(scenario, {"e": extension})


# Through the whole platform


def test_a_deployed_function_may_have_an_extension_inside(function):
    inside = function(INTERNAL)
    for _ in range(2):
        outcome = inside.invoke({}, LogType="Tail")
        assert outcome.function_error is None, outcome.body
        assert outcome.json["status"] == 200
        assert outcome.json["late"][1]["errorType"] == "Extension.RegistrationClosed"
        assert outcome.json["runtime"][0] == 403
