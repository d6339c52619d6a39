"""The AWS CLI, version 1, unmodified, against a running platform."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from alonzo.testing.functions import PYTHON_RUNTIME, ROLE, package

#: Does for each line what the program ``aws`` does, in a fork: importing it takes longer.
PROGRAM = """
import json, os, sys
import awscli.clidriver
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        own = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}  # which the import has set
        os.environ.clear()
        os.environ.update(order["environment"] | own)
        os.chdir(order["folder"])
        files = os.devnull, order["output"], order["errors"]
        for number, path in enumerate(files):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
        sys.argv = ["aws", *order["arguments"]]
        sys.exit(awscli.clidriver.main())
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

TALK = """
def handler(event, context):
    print("greeting", event.get("name"))
    if event.get("fail"):
        raise ValueError("told to fail")
    return {"hello": event.get("name"), "version": 1}
"""


class Cli:
    """Runs ``aws`` as a person does: everything it needs is in the environment."""

    def __init__(self, program, platform, home, region):
        self.program = program
        key_id, secret = platform.root_key()
        self.folder = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))},
            "HOME": str(home),
            "AWS_ENDPOINT_URL": platform.endpoint,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": region,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }

    def run(self, *arguments, **environment):
        """Run it, whatever comes of it."""
        output, errors = self.folder / "output", self.folder / "errors"
        order = {
            "arguments": arguments,
            "environment": {**self.environment, **environment},
            "folder": str(self.folder),
            "output": str(output),
            "errors": str(errors),
        }
        print(json.dumps(order), file=self.program.stdin, flush=True)
        code = int(self.program.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, output.read_text(), errors.read_text())

    def text(self, *arguments):
        """What a command that must succeed prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    def json(self, *arguments):
        """What a command that must succeed prints, as a document."""
        return json.loads(self.text(*arguments, "--output", "json"))

    def invoke(self, name, event, *options):
        """The metadata that invoke prints, and the payload that it writes."""
        shown = self.json(
            "lambda", "invoke", "--function-name", name, "--payload", json.dumps(event), *options,
            "answer.json",
        )  # fmt: skip
        return shown, json.loads((self.folder / "answer.json").read_bytes())


@pytest.fixture(scope="module")
def program():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


@pytest.fixture
def aws(program, platform, tmp_path):
    return Cli(program, platform, tmp_path, "us-east-1")


@pytest.fixture
def deployed(function):
    """The name of a function that is there already."""
    return function(TALK, Tags={"team": "core", "stage": "test"}).name


def test_create_invoke_update_and_delete(aws, function_name):
    name = ("--function-name", function_name)
    (aws.folder / "code.zip").write_bytes(package(TALK))
    created = aws.json(
        "lambda", "create-function", *name, "--runtime", PYTHON_RUNTIME, "--role", ROLE,
        "--handler", "handler.handler", "--zip-file", "fileb://code.zip",
    )  # fmt: skip
    aws.text("lambda", "wait", "function-active-v2", *name)
    assert (created["State"], created["Version"]) == ("Pending", "$LATEST")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function_name}"
    assert created["FunctionArn"] == arn

    shown, answer = aws.invoke(function_name, {"name": "Grüße"})
    assert shown == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert answer == {"hello": "Grüße", "version": 1}

    new_code = package(TALK.replace('"version": 1', '"version": 2'))
    (aws.folder / "new.zip").write_bytes(new_code)
    updated = aws.json("lambda", "update-function-code", *name, "--zip-file", "fileb://new.zip")
    assert updated["LastUpdateStatus"] == "InProgress"
    assert updated["CodeSha256"] == base64.b64encode(hashlib.sha256(new_code).digest()).decode()
    aws.text("lambda", "wait", "function-updated-v2", *name)
    assert aws.invoke(function_name, {})[1]["version"] == 2

    updated = aws.json(
        "lambda", "update-function-configuration", *name, "--memory-size", "256", "--timeout", "7",
        "--environment", "Variables={FIRST=1,SECOND=two words}", "--description", "changed",
    )  # fmt: skip
    assert (updated["MemorySize"], updated["Timeout"], updated["Description"]) == (
        256, 7, "changed",
    )  # fmt: skip
    assert updated["Environment"] == {"Variables": {"FIRST": "1", "SECOND": "two words"}}
    aws.text("lambda", "wait", "function-updated", *name)

    assert aws.json("lambda", "delete-function", *name) == {"StatusCode": 204}
    gone = aws.run("lambda", "get-function", *name)
    assert gone.returncode == 255
    assert gone.stderr.strip() == (
        "An error occurred (ResourceNotFoundException) when calling the GetFunction operation: "
        f"Function not found: {arn}"
    )


def test_invoke_shows_the_log_tail_and_a_function_s_error(aws, deployed):
    log = aws.text(
        "lambda", "invoke", "--function-name", deployed, "--payload", '{"name": "you"}',
        "--log-type", "Tail", "--query", "LogResult", "--output", "text", "answer.json",
    )  # fmt: skip
    lines = base64.b64decode(log).decode().splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert lines[1] == "greeting you"
    assert lines[-1].startswith("REPORT RequestId: ")
    shown, answer = aws.invoke(deployed, {"fail": True})
    assert (shown["StatusCode"], shown["FunctionError"]) == (200, "Unhandled")
    assert answer["errorMessage"] == "told to fail"
    queued = aws.json(
        "lambda", "invoke", "--function-name", deployed, "--invocation-type", "Event",
        "--payload", "{}", "answer.json",
    )  # fmt: skip
    assert queued == {"StatusCode": 202}
    dry = aws.json(
        "lambda", "invoke", "--function-name", deployed, "--invocation-type", "DryRun",
        "answer.json",
    )  # fmt: skip
    assert dry == {"StatusCode": 204}


def test_get_function_leads_to_the_very_package(aws, deployed):
    shown = aws.json("lambda", "get-function", "--function-name", deployed)
    assert shown["Configuration"]["State"] == "Active"
    assert shown["Tags"] == {"team": "core", "stage": "test"}
    assert shown["Code"]["RepositoryType"] == "S3"
    with urllib.request.urlopen(shown["Code"]["Location"], timeout=10) as response:
        downloaded = response.read()
    assert downloaded == package(TALK)
    digest = base64.b64encode(hashlib.sha256(downloaded).digest()).decode()
    assert shown["Configuration"]["CodeSha256"] == digest
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(shown["Code"]["Location"] + "0", timeout=10)
    with refused.value:
        assert refused.value.code == 403


def test_list_functions_goes_on_where_the_last_command_stopped(program, platform, tmp_path):
    """In a region of its own, so that nothing but these functions is listed."""
    client = platform.client("lambda", "eu-south-2")
    names = [f"listed-{n}" for n in range(5)]
    for name in reversed(names):
        client.create_function(
            FunctionName=name,
            Runtime=PYTHON_RUNTIME,
            Role=ROLE,
            Handler="handler.handler",
            Code={"ZipFile": package(TALK)},
        )
    aws = Cli(program, platform, tmp_path, "eu-south-2")
    try:
        pages, token = [], []
        while True:
            page = aws.json("lambda", "list-functions", "--max-items", "2", *token)
            pages.append([each["FunctionName"] for each in page["Functions"]])
            if "NextToken" not in page:
                break
            token = ["--starting-token", page["NextToken"]]
        assert pages == [names[:2], names[2:4], names[4:]]
        listed = aws.text(
            "lambda", "list-functions", "--page-size", "2", "--output", "text",
            "--query", "Functions[].FunctionName",
        )  # fmt: skip
        assert listed.split() == names
        usage = aws.json("lambda", "get-account-settings")["AccountUsage"]
        assert usage["FunctionCount"] == 5
        assert usage["TotalCodeSize"] == 5 * len(TALK.encode())
    finally:
        for name in names:
            client.delete_function(FunctionName=name)


def test_account_settings_are_those_of_aws_and_the_caller_is_root(aws):
    limits = aws.json("lambda", "get-account-settings")["AccountLimit"]
    assert limits == {
        "TotalCodeSize": 322122547200,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
    caller = aws.text("sts", "get-caller-identity", "--query", "[Account,Arn]", "--output", "text")
    assert caller.split() == ["000000000000", "arn:aws:iam::000000000000:root"]


def test_the_log_of_a_function_can_be_read(aws, deployed):
    before_ms = int(time.time() * 1000)
    aws.invoke(deployed, {"name": "ada"})
    group = f"/aws/lambda/{deployed}"
    groups = aws.json("logs", "describe-log-groups", "--log-group-name-prefix", group)["logGroups"]
    assert [each["logGroupName"] for each in groups] == [group]
    assert groups[0]["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*"
    stream = aws.text(
        "logs", "describe-log-streams", "--log-group-name", group, "--order-by", "LastEventTime",
        "--descending", "--query", "logStreams[0].logStreamName", "--output", "text",
    ).strip()  # fmt: skip
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    found = aws.json(
        "logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "greeting",
        "--start-time", str(before_ms - 1000),
    )["events"]  # fmt: skip
    assert [each["message"] for each in found] == ["greeting ada\n"]
    assert found[0]["logStreamName"] == stream
    got = aws.json(
        "logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream,
        "--start-from-head", "--limit", "2",
    )  # fmt: skip
    assert got["events"][0]["message"].startswith("INIT_START ")
    rest = aws.json(
        "logs", "get-log-events", "--log-group-name", group, "--log-stream-name", stream,
        "--start-from-head", "--next-token", got["nextForwardToken"],
    )  # fmt: skip
    words = [each["message"].split()[0] for each in got["events"] + rest["events"]]
    assert words == ["INIT_START", "START", "greeting", "END", "REPORT"]


@pytest.mark.parametrize(
    ("arguments", "environment", "exit_code", "said"),
    [
        (
            ["lambda", "invoke", "--function-name", "no-such", "answer.json"],
            {},
            255,
            "(ResourceNotFoundException) when calling the Invoke operation: Function not found: "
            "arn:aws:lambda:us-east-1:000000000000:function:no-such:$LATEST",
        ),
        (
            ["logs", "get-log-events", "--log-group-name", "no", "--log-stream-name", "such"],
            {},
            255,
            "(ResourceNotFoundException) when calling the GetLogEvents operation: "
            "The specified log group does not exist.",
        ),
        (
            ["lambda", "list-functions"],
            {"AWS_SECRET_ACCESS_KEY": "wrong"},
            255,
            "(InvalidSignatureException) when calling the ListFunctions operation: The request "
            "signature we calculated does not match the signature you provided. Check your AWS "
            "Secret Access Key and signing method. Consult the service documentation for details.",
        ),
        (
            ["sts", "get-caller-identity"],
            {"AWS_SECRET_ACCESS_KEY": "wrong"},
            255,
            "(SignatureDoesNotMatch) when calling the GetCallerIdentity operation: ",
        ),
        (
            ["lambda", "list-functions"],
            {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"},
            255,
            "(UnrecognizedClientException) when calling the ListFunctions operation: "
            "The security token included in the request is invalid",
        ),
        (
            ["lambda", "list-functions", "--max-items", "2", "--starting-token", "bm9uc2Vuc2U="],
            {},
            255,
            "(InvalidParameterValueException) when calling the ListFunctions operation: Marker: ",
        ),
        (
            ["lambda", "list-capacity-providers"],
            {},
            255,
            "(UnknownOperationException) when calling the ListCapacityProviders operation: "
            "ListCapacityProviders is not supported by Alonzo yet.",
        ),
    ],
)
def test_what_is_refused_is_said_on_standard_error(aws, arguments, environment, exit_code, said):
    done = aws.run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert said in done.stderr


def test_a_name_in_use_is_refused_and_waiters_end(aws, deployed):
    (aws.folder / "code.zip").write_bytes(package(TALK))
    again = aws.run(
        "lambda", "create-function", "--function-name", deployed, "--runtime", PYTHON_RUNTIME,
        "--role", ROLE, "--handler", "handler.handler", "--zip-file", "fileb://code.zip",
    )  # fmt: skip
    assert again.returncode == 255
    assert again.stderr.strip() == (
        "An error occurred (ResourceConflictException) when calling the CreateFunction operation: "
        f"Function already exist: {deployed}"
    )
    aws.text("lambda", "wait", "function-exists", "--function-name", deployed)
    missing = aws.run("lambda", "wait", "function-active-v2", "--function-name", "no-such")
    assert missing.returncode == 255
    assert "Waiter FunctionActiveV2 failed" in missing.stderr
