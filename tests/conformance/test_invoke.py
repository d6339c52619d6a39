"""Invoke, end to end: a real platform, real isolation, stock boto3."""

import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

FUNCTIONS = Path(__file__).parents[1] / "functions"
ECHO = "def handler(event, context): return event"


def test_an_echo_answers_cold_and_warm(function):
    echo = function(ECHO)
    for event in ({"n": 1, "text": "Grüße, 世界"}, [1, 2.5, None], "x", None, True):
        outcome = echo.invoke(event)
        assert (outcome.status, outcome.json, outcome.function_error) == (200, event, None)
        assert outcome.version == "$LATEST"


def test_the_tail_shows_the_log_of_this_invocation(function):
    talker = function("def handler(event, context): print('hello'); print(event['n'])")
    cold, warm = (talker.invoke({"n": n}, LogType="Tail") for n in (1, 2))
    request_id = warm.headers["x-amzn-requestid"]
    assert re.fullmatch(
        rf"START RequestId: {request_id} Version: \$LATEST\n"
        r"hello\n2\n"
        rf"END RequestId: {request_id}\n"
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: \d+ MB\t\n",
        warm.log,
    )
    assert re.search(r"\tInit Duration: \d+\.\d\d ms\t\n$", cold.log)
    assert "INIT_START" not in cold.log


def test_an_environment_is_reused_with_its_globals_and_tmp(function):
    counter = function(
        "import pathlib\nn = 0\ndef handler(event, context):\n"
        "    global n; n += 1\n"
        "    f = pathlib.Path('/tmp/n'); seen = f.exists(); f.write_text('x')\n"
        "    return [n, seen]"
    )
    assert [counter.invoke().json for _ in range(3)] == [[1, False], [2, True], [3, True]]


def test_a_timeout_ends_the_attempt_and_keeps_tmp(function):
    source = (
        "import os, time, pathlib\nn = 0\ndef handler(event, context):\n"
        "    global n; n += 1\n"
        "    f = pathlib.Path('/tmp/kept'); seen = f.exists(); f.write_text('x')\n"
        "    if event == 'sleep': time.sleep(60)\n    return [n, seen]"
    )
    sleeper = function(source, Timeout=1)
    assert sleeper.invoke().json == [1, False]
    late = sleeper.invoke("sleep", LogType="Tail")
    request_id = late.headers["x-amzn-requestid"]
    assert late.json == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    assert list(late.json) == ["errorType", "errorMessage"]
    assert late.function_error == "Unhandled"
    assert late.log.rstrip("\n").endswith("\tStatus: timeout")
    assert sleeper.invoke().json == [1, True], "a new process in the same environment"


@pytest.mark.parametrize(
    ("body", "error_type", "text"),
    [
        ("import os; os._exit(3)", "Runtime.ExitError", "exited with error: exit status 3"),
        ("import os; os._exit(0)", "Runtime.ExitError", "exited without providing a reason"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime.ExitError", "error: signal: killed"),
        ("x = bytearray(1 << 30)", "Runtime.OutOfMemory", "error: signal: killed"),
    ],
)  # fmt: skip
def test_a_process_that_ends_is_named_as_aws_names_it(function, body, error_type, text):
    # A share of a processor takes its time to fill the memory.
    fragile = function(
        f"def handler(event, context):\n    if event: {body}\n    return 'fine'", Timeout=30
    )
    assert fragile.invoke().json == "fine"
    failed = fragile.invoke(1, LogType="Tail")
    assert failed.function_error == "Unhandled"
    assert failed.json["errorType"] == error_type
    assert failed.json["errorMessage"].endswith(text)
    assert f"\tStatus: error\tError Type: {error_type}\n" in failed.log
    assert fragile.invoke().json == "fine"


def test_an_exception_comes_back_as_a_document(function):
    outcome = function("def handler(event, context):\n    raise ValueError('no')").invoke()
    assert outcome.function_error == "Unhandled"
    assert list(outcome.json) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (outcome.json["errorMessage"], outcome.json["errorType"]) == ("no", "ValueError")
    assert outcome.json["requestId"] == outcome.headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("source", "handler", "error_type"),
    [
        ("import nothing_of_the_kind", "handler.handler", "Runtime.ImportModuleError"),
        ("def handler(:", "handler.handler", "Runtime.UserCodeSyntaxError"),
        ("", "handler.missing", "Runtime.HandlerNotFound"),
        ("import sys; sys.exit(2)", "handler.handler", "Runtime.ExitError"),
    ],
)
def test_a_failed_init_answers_the_invoke(function, source, handler, error_type):
    outcome = function(source, Handler=handler).invoke(LogType="Tail")
    assert outcome.status == 200
    assert outcome.function_error == "Unhandled"
    assert outcome.json["errorType"] == error_type


def test_a_response_past_six_megabytes_is_refused(function):
    big = function("def handler(event, context): return 'x' * event")
    limit = 6 * 1024 * 1024 + 100
    assert len(big.invoke(limit - 2).body) == limit
    outcome = big.invoke(limit - 1)
    assert outcome.json == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        f"({limit} bytes).",
    }


def test_payloads_up_to_the_limit_pass_and_no_further(function):
    size = function("def handler(event, context): return len(event)")
    limit = 6 * 1024 * 1024
    assert size.invoke(payload=b'"' + b"x" * (limit - 2) + b'"').json == limit - 2
    with pytest.raises(ClientError) as caught:
        size.invoke(payload=b'"' + b"x" * (limit - 1) + b'"')
    assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    with pytest.raises(ClientError, match="Could not parse request body into json"):
        size.invoke(payload=b"{nonsense")


def test_a_dry_run_runs_nothing_and_an_unknown_function_is_named(function, lambda_client):
    echo = function(ECHO)
    outcome = echo.invoke(InvocationType="DryRun")
    assert (outcome.status, outcome.body) == (204, b"")
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException) as caught:
        lambda_client.invoke(FunctionName=f"{echo.name}-not")
    assert (
        caught.value.response["Error"]["Message"] == f"Function not found: {echo.arn}-not:$LATEST"
    )


def test_the_context_and_the_client_context_arrive(function):
    source = (
        "def handler(event, context):\n"
        "    return [context.function_name, context.function_version,\n"
        "            context.invoked_function_arn,\n"
        "            context.memory_limit_in_mb, context.aws_request_id, context.log_group_name,\n"
        "            context.client_context.custom, context.get_remaining_time_in_millis() > 2000]"
    )
    probe = function(source, MemorySize=256, Timeout=5)
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    outcome = probe.invoke(ClientContext=context)
    assert outcome.json == [
        probe.name, "$LATEST", probe.arn, "256", outcome.headers["x-amzn-requestid"],
        f"/aws/lambda/{probe.name}", {"k": "v"}, True,
    ]  # fmt: skip
    qualified = probe.client.invoke(FunctionName=probe.arn + ":$LATEST", ClientContext=context)
    assert json.loads(qualified["Payload"].read())[2] == probe.arn + ":$LATEST"


def test_many_slow_calls_run_beside_each_other(function):
    source = "import time\ndef handler(e, c): time.sleep(e); return c.log_stream_name"
    sleeper = function(source, Timeout=10)
    with ThreadPoolExecutor(8) as threads:
        streams = set(threads.map(lambda _: sleeper.invoke(2).json, range(8)))
        assert len(streams) == 8, "each call had an environment of its own"
        again = set(threads.map(lambda _: sleeper.invoke(0.3).json, range(8)))
        assert again <= streams, "and they serve again"


def test_nothing_runs_between_invocations(function):
    ticker = function(
        "import threading, time\nticks = 0\ndef run():\n    global ticks\n    while True:\n"
        "        time.sleep(0.01); ticks += 1\nthreading.Thread(target=run, daemon=True).start()\n"
        "def handler(event, context):\n    time.sleep(0.2); return ticks"
    )
    before = ticker.invoke().json
    time.sleep(1)  # The subject of the test: real time that passes while nothing is asked.
    assert ticker.invoke().json - before < 60


def test_an_update_serves_the_next_call(function, lambda_client):
    from alonzo.testing.functions import package

    versioned = function("import os\ndef handler(e, c): return [1, os.environ.get('MORE')]")
    assert versioned.invoke().json == [1, None]
    lambda_client.update_function_code(
        FunctionName=versioned.name,
        ZipFile=package("import os\ndef handler(e, c): return [2, os.environ.get('MORE')]"),
    )
    waiter = lambda_client.get_waiter("function_updated_v2")
    waiter.wait(FunctionName=versioned.name, WaiterConfig={"Delay": 0.02})
    assert versioned.invoke().json == [2, None]
    lambda_client.update_function_configuration(
        FunctionName=versioned.name, Environment={"Variables": {"MORE": "yes"}}
    )
    waiter.wait(FunctionName=versioned.name, WaiterConfig={"Delay": 0.02})
    assert versioned.invoke().json == [2, "yes"]


def test_the_platform_answers_a_function_with_its_roles_credentials(function):
    source = (
        "import os, json, hmac, hashlib, datetime, urllib.request\n"
        "def sign(key, text): return hmac.digest(key, text.encode(), 'sha256')\n"
        "def handler(event, context):\n"
        "    url = os.environ['AWS_ENDPOINT_URL'] + '/'\n"
        "    host = url.split('/')[2]\n"
        "    body = 'Action=GetCallerIdentity&Version=2011-06-15'\n"
        "    now = datetime.datetime.utcnow().strftime('%Y%m%dT%H%M%SZ')\n"
        "    scope = f'{now[:8]}/us-east-1/sts/aws4_request'\n"
        "    headers = {'host': host, 'x-amz-date': now,\n"
        "               'x-amz-security-token': os.environ['AWS_SESSION_TOKEN']}\n"
        "    names = ';'.join(headers)\n"
        "    canonical = '\\n'.join(['POST', '/', '', *(f'{k}:{v}' for k, v in headers.items()),\n"
        "                           '', names, hashlib.sha256(body.encode()).hexdigest()])\n"
        "    text = '\\n'.join(['AWS4-HMAC-SHA256', now, scope,\n"
        "                      hashlib.sha256(canonical.encode()).hexdigest()])\n"
        "    key = ('AWS4' + os.environ['AWS_SECRET_ACCESS_KEY']).encode()\n"
        "    for part in scope.split('/'): key = sign(key, part)\n"
        "    headers['authorization'] = (\n"
        "        f\"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, \"\n"
        "        f'SignedHeaders={names}, Signature={sign(key, text).hex()}')\n"
        "    headers['content-type'] = 'application/x-www-form-urlencoded'\n"
        "    request = urllib.request.Request(url, body.encode(), headers)\n"
        "    return urllib.request.urlopen(request, timeout=5).read().decode()\n"
    )
    caller = function(source, Timeout=10)
    answer = caller.invoke().json
    assert f":assumed-role/test/{caller.name}</Arn>" in answer


def test_a_function_is_told_which_zone_it_is_in(function):
    source = (
        "import os, urllib.request\n"
        "def handler(event, context):\n"
        "    url = 'http://' + os.environ['AWS_LAMBDA_METADATA_API'] + event\n"
        "    token = 'Bearer ' + os.environ['AWS_LAMBDA_METADATA_TOKEN']\n"
        "    request = urllib.request.Request(url, headers={'Authorization': token})\n"
        "    return urllib.request.urlopen(request, timeout=5).read().decode()\n"
    )
    outcome = function(source).invoke("/2026-01-15/metadata/execution-environment")
    assert json.loads(outcome.json) == {"AvailabilityZoneID": "use1-az1"}


def test_a_program_finds_out_on_which_system_it_runs(function):
    source = (
        "import platform\ndef handler(event, context): return platform.freedesktop_os_release()"
    )
    assert function(source).invoke().json["NAME"]


@pytest.mark.parametrize("runtime", ["nodejs20.x", "nodejs24.x"])
def test_the_same_echo_in_node(function, runtime):
    echo = function({"index.js": "exports.handler = async (event) => event;"},
                    Runtime=runtime, Handler="index.handler")  # fmt: skip
    assert echo.invoke({"a": [1, "ü"]}).json == {"a": [1, "ü"]}
    assert echo.invoke("again").json == "again"


def test_the_same_echo_in_bash(function):
    echo = function(
        {"bootstrap": (FUNCTIONS / "provided" / "bootstrap").read_bytes()},
        Runtime="provided.al2023",
        Handler="any",
    )
    assert echo.invoke({"a": [1, "ü"]}).json == {"a": [1, "ü"]}
    assert echo.invoke("again").json == "again"


def test_a_package_without_bootstrap_says_so(function):
    empty = function({"README": b"nothing here"}, Runtime="provided.al2", Handler="any")
    outcome = empty.invoke()
    assert outcome.json["errorType"] == "Runtime.InvalidEntrypoint"
