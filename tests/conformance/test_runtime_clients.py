"""Runtime clients that are not ours, over the HTTP Runtime API: AWS's own, a bare one, a shell's.

``awslambdaric`` is the unmodified package with its native module, as a user would zip it.
"""

import base64
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[1] / "functions"
HOST_PYTHON = "/usr/bin/python3"
DISTRIBUTIONS = ("awslambdaric", "simplejson", "snapshot-restore-py")

RIC_BOOTSTRAP = f"""#!/bin/sh
cd "$LAMBDA_TASK_ROOT"
exec {HOST_PYTHON} -m awslambdaric "$_HANDLER"
"""

RIC_HANDLER = """
import json, logging, sys

class Broken(Exception):
    pass

def handler(event, context):
    if event == "fail":
        raise Broken("told to fail")
    if event == "unserialisable":
        return {1, 2}
    if event == "log":
        logging.getLogger().warning("a warning")
        print("a line")
        print("an error line", file=sys.stderr)
        print("one line\\rstill the same event")
    if event == "context":
        return {
            "name": context.function_name, "version": context.function_version,
            "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
            "id": context.aws_request_id, "group": context.log_group_name,
            "stream": context.log_stream_name, "custom": context.client_context.custom,
            "remaining": context.get_remaining_time_in_millis(), "tenant": context.tenant_id,
        }
    return event
"""

#: Everything that a runtime must do, and what the API says to one that does something else.
BARE = f"""#!{HOST_PYTHON} -u
import http.client, json, os

def call(method, path, body=None, headers={{}}):
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer

BASE = "/2018-06-01/runtime/"
early = call("POST", BASE + "invocation/none/response", b"1")[0]
ping = call("GET", "/ping")[2].decode()
while True:
    status, headers, event = call("GET", BASE + "invocation/next")
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    mine = BASE + "invocation/" + request_id + "/"
    event = json.loads(event)
    seen = {{"early": early, "ping": ping, "status": status, "headers": headers}}
    if event == "twice":
        seen = [call("POST", BASE + "invocation/other/response", b"0")]
        seen.append(call("GET", BASE + "invocation/next"))
        seen.append(call("POST", BASE + "init/error", b"{{}}"))
        seen.append(call("PUT", mine + "response", b"0"))
        seen.append(call("POST", mine + "nothing", b"0"))
        seen.append(call("POST", mine + "response", b"0", {{"Lambda-Runtime-Invocation-Id": "x"}}))
        first = call("POST", mine + "response", json.dumps(
            [[status, json.loads(body)["errorType"]] for status, _, body in seen]
        ), {{"Lambda-Runtime-Invocation-Id": headers["Lambda-Runtime-Invocation-Id"]}})
        again = call("POST", mine + "response", b"0")
        print("first", first[0], first[2].decode().strip())
        print("again", again[0], json.loads(again[2])["errorType"])
        continue
    if event == "error":
        call("POST", mine + "error", json.dumps({{
            "errorMessage": "it is wrong", "errorType": "Wrong", "stackTrace": ["a", "b"],
        }}), {{"Lambda-Runtime-Function-Error-Type": "Function.Wrong"}})
    elif event == "chunked":
        call("POST", mine + "response", iter([b'["in', b' pieces"]']))
    elif event == "large":
        print("large", call("POST", mine + "response", b"x" * (7 << 20))[0])
    else:
        call("POST", mine + "response", json.dumps(seen))
"""


def ric_files(handler):
    """The package of a function that runs on awslambdaric."""
    files = {"bootstrap": RIC_BOOTSTRAP, "handler.py": handler}
    for name in DISTRIBUTIONS:
        for path in importlib.metadata.files(name) or ():
            if ".." not in path.parts and path.suffix != ".pyc":
                files[str(path)] = path.read_binary()
    return files


@pytest.fixture(scope="module")
def ric_package(tmp_path_factory):
    """Skips where no interpreter of the host can load the native module that is installed."""
    if not Path(HOST_PYTHON).exists():
        pytest.skip(f"there is no {HOST_PYTHON}")
    folder = tmp_path_factory.mktemp("ric")
    for name, content in ric_files(RIC_HANDLER).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    tried = subprocess.run(
        [HOST_PYTHON, "-B", "-I", "-S", "-c",
         "import sys; sys.path.insert(0, sys.argv[1]); import runtime_client, awslambdaric",
         str(folder)],
        capture_output=True,
        text=True,
    )  # fmt: skip
    shutil.rmtree(folder)
    if tried.returncode != 0:
        pytest.skip(
            f"the native module is for Python {sys.version_info.major}.{sys.version_info.minor} "
            f"and {HOST_PYTHON} cannot load it: {tried.stderr.splitlines()[-1]}"
        )
    return ric_files


def provided(function, files, handler="handler.handler", **configuration):
    return function(files, Runtime="provided.al2023", Handler=handler, Timeout=10, **configuration)


@pytest.fixture
def ric(function, ric_package):
    return provided(function, ric_package(RIC_HANDLER))


def test_awslambdaric_echoes_cold_and_warm(ric):
    for event in ({"text": "Grüße, 世界"}, [1, 2.5, None], "x", None, {"big": "x" * 1_000_000}):
        outcome = ric.invoke(event)
        assert (outcome.status, outcome.json, outcome.function_error) == (200, event, None)


def test_awslambdaric_answers_errors_as_documents(ric):
    failed = ric.invoke("fail")
    assert failed.function_error == "Unhandled"
    request_id = failed.headers["x-amzn-requestid"]
    document = failed.json
    (place,) = document.pop("stackTrace")
    assert document == {
        "errorMessage": "told to fail",
        "errorType": "Broken",
        "requestId": request_id,
    }
    assert 'File "/var/task/handler.py", line ' in place
    unserialisable = ric.invoke("unserialisable")
    assert unserialisable.function_error == "Unhandled"
    assert unserialisable.json["errorType"] == "Runtime.MarshalError"
    assert ric.invoke("and on").json == "and on"


def test_awslambdaric_sees_the_whole_context(ric):
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    outcome = ric.invoke("context", ClientContext=context)
    seen = outcome.json
    assert 0 < seen.pop("remaining") <= 10_000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen.pop("stream"))
    assert seen == {
        "name": ric.name, "version": "$LATEST", "arn": ric.arn, "memory": "128",
        "id": outcome.headers["x-amzn-requestid"], "group": f"/aws/lambda/{ric.name}",
        "custom": {"k": "v"}, "tenant": None,
    }  # fmt: skip


def test_awslambdaric_writes_its_lines_into_the_log(ric):
    outcome = ric.invoke("log", LogType="Tail")
    request_id = outcome.headers["x-amzn-requestid"]
    lines = outcome.log.splitlines()
    assert lines[0] == f"START RequestId: {request_id} Version: $LATEST"
    assert re.fullmatch(
        rf"\[WARNING\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{request_id}\ta warning",
        lines[1],
    )
    assert "a line" in lines
    assert "an error line" in lines
    assert lines[-2] == f"END RequestId: {request_id}"
    failed = ric.invoke("fail", LogType="Tail")
    assert "[ERROR] Broken: told to fail" in failed.log


@pytest.mark.parametrize(
    ("handler_source", "handler", "error_type"),
    [
        ("import nothing_of_the_kind", "handler.handler", "Runtime.ImportModuleError"),
        ("def handler(:", "handler.handler", "Runtime.UserCodeSyntaxError"),
        ("", "handler.missing", "Runtime.HandlerNotFound"),
    ],
)
def test_awslambdaric_reports_an_init_that_fails(
    function, ric_package, handler_source, handler, error_type
):
    broken = provided(function, ric_package(handler_source), handler)
    outcome = broken.invoke()
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.json["errorType"] == error_type


@pytest.fixture
def bare(function):
    """A runtime in thirty lines of standard library."""
    return provided(function, {"bootstrap": BARE})


def test_next_answers_with_aws_s_headers(bare):
    client_context = base64.b64encode(b'{"custom":{"k":"\xc3\xbc"}}').decode()
    outcome = bare.invoke("look", ClientContext=client_context)
    seen = outcome.json
    assert (seen["early"], seen["ping"], seen["status"]) == (400, "pong", 200)
    headers = seen["headers"]
    assert headers["Lambda-Runtime-Aws-Request-Id"] == outcome.headers["x-amzn-requestid"]
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == bare.arn
    assert headers["Content-Type"] == "application/json"
    assert int(headers["Content-Length"]) == len('"look"')
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01];Lineage=1:[0-9a-f]{8}:0",
        headers["Lambda-Runtime-Trace-Id"],
    )
    context = headers["Lambda-Runtime-Client-Context"].encode("latin-1").decode()
    assert json.loads(context) == {"custom": {"k": "ü"}}
    assert "Lambda-Runtime-Cognito-Identity" not in headers


def test_a_runtime_that_goes_astray_is_told_so_and_can_go_on(bare, logs_client):
    outcome = bare.invoke("twice")
    assert outcome.json == [
        [400, "InvalidRequestID"],
        [403, "InvalidStateTransition"],
        [403, "InvalidStateTransition"],
        [405, "MethodNotAllowed"],
        [404, "NotFound"],
        [400, "InvalidInvocationId"],
    ]
    bare.invoke("look")  # It was frozen after its answer; what it said since then came now.
    found = logs_client.filter_log_events(logGroupName=f"/aws/lambda/{bare.name}")["events"]
    messages = [each["message"] for each in found]
    assert 'first 202 {"status":"OK"}\n' in messages
    assert "again 400 InvalidRequestID\n" in messages


def test_errors_and_bodies_of_every_kind_arrive(bare):
    failed = bare.invoke("error")
    assert failed.function_error == "Unhandled"
    assert failed.json == {
        "errorMessage": "it is wrong", "errorType": "Wrong", "stackTrace": ["a", "b"],
    }  # fmt: skip
    assert bare.invoke("chunked").json == ["in pieces"]
    large = bare.invoke("large")
    assert large.function_error == "Unhandled"
    assert large.json["errorType"] == "Function.ResponseSizeTooLarge"
    assert bare.invoke("chunked").json == ["in pieces"]


@pytest.fixture
def shell(function):
    return provided(function, FUNCTIONS / "provided")


def test_a_shell_script_is_a_runtime(shell):
    for event in ({"text": "Grüße"}, [1, 2], "x"):
        assert shell.invoke(event).json == event
    outcome = shell.invoke({"n": 1}, LogType="Tail")
    assert f"echo {outcome.headers['x-amzn-requestid']}\n" in outcome.log


def test_a_shell_script_may_fail_and_exit(shell):
    failed = shell.invoke(payload=b'{"fail":1}', LogType="Tail")
    assert failed.function_error == "Unhandled"
    assert failed.json == {"errorMessage": "failed", "errorType": "Failed"}
    gone = shell.invoke(payload=b'{"exit":3}', LogType="Tail")
    assert gone.function_error == "Unhandled"
    assert gone.json == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {gone.headers['x-amzn-requestid']} Error: Runtime exited with "
        "error: exit status 3",
    }
    assert shell.invoke("again").json == "again"


def test_a_shell_script_may_refuse_to_start(function):
    broken = provided(function, FUNCTIONS / "provided", "init_error")
    outcome = broken.invoke()
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.json == {"errorMessage": "not ready", "errorType": "NotReady"}


@pytest.mark.parametrize(
    "files",
    [
        {"other": "#!/bin/sh\n"},
        {"bootstrap": "#!/no/such/interpreter\n"},
        {"bootstrap": b"\x00\x01 no program"},
        {"bootstrap/file": "a folder"},
    ],
    ids=["no bootstrap", "no interpreter", "no program", "a folder"],
)
def test_a_package_without_a_program_to_run_says_so(function, files):
    outcome = provided(function, files).invoke()
    assert (outcome.status, outcome.function_error) == (200, "Unhandled")
    assert outcome.json["errorType"] == "Runtime.InvalidEntrypoint"
