"""The ``alonzo`` command against a real platform, as a person types it."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "alonzo"]
COMMAND_S_MAX = 30

GREET = """
import sys

def handler(event, context):
    print("greeting", event.get("name"))
    if event.get("fail"):
        raise ValueError("told to fail")
    return {"hello": event.get("name"), "version": context.function_version}
"""


def environment(**changes):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))}
    return {**kept, **changes}


def alonzo(*arguments, stdin="", **changes):
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        env=environment(**changes),
    )


@pytest.fixture
def here(platform):
    """The option that names the platform under test."""
    return f"--data-dir={platform.data_dir}"


def test_env_gives_a_shell_all_that_an_aws_tool_needs(platform, here):
    printed = alonzo("env", here, "--region", "eu-west-1")
    assert printed.returncode == 0, printed.stderr
    program = (
        "import botocore.session as s; "
        "print(s.Session().create_client('sts').get_caller_identity()['Arn'])"
    )
    script = f"{printed.stdout}\n{shlex.join([sys.executable, '-c', program])}"
    shown = subprocess.run(
        ["sh", "-euc", script],
        capture_output=True,
        text=True,
        env=environment(AWS_SESSION_TOKEN="left over from elsewhere"),
    )
    assert shown.stdout == "arn:aws:iam::000000000000:root\n", shown.stderr


def test_invoke_prints_the_answer_alone_on_standard_output(function, here):
    name = function(GREET).name
    done = alonzo("invoke", name, "--payload", '{"name": "you"}', "--log", here)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"hello": "you", "version": "$LATEST"}
    assert "ok, version $LATEST, " in done.stderr
    assert "greeting you" in done.stderr
    assert "REPORT RequestId: " in done.stderr


def test_invoke_takes_its_payload_from_a_file_and_from_standard_input(function, here, tmp_path):
    name = function(GREET).name
    event_file = tmp_path / "event.json"
    event_file.write_text('{"name": "file"}')
    from_file = alonzo("invoke", name, "-p", f"@{event_file}", here)
    from_stdin = alonzo("invoke", name, "-p", "-", here, stdin='{"name": "pipe"}')
    without = alonzo("invoke", name, here)
    answers = [json.loads(done.stdout)["hello"] for done in (from_file, from_stdin, without)]
    assert answers == ["file", "pipe", None]


def test_invoke_shows_a_function_s_error_and_exits_with_1(function, here):
    done = alonzo("invoke", function(GREET).name, "-p", '{"fail": true}', here)
    assert done.returncode == 1
    assert "function error (Unhandled)" in done.stderr
    assert json.loads(done.stdout)["errorMessage"] == "told to fail"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-function"], "ResourceNotFoundException: Function not found: "),
        (["no such name"], "ValidationException: "),
        (["no-such-function", "-p", "@no-such-file"], "No such file"),
    ],
)
def test_invoke_says_in_plain_words_why_it_was_refused(arguments, said, here):
    done = alonzo("invoke", *arguments, here)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_invoke_refuses_a_key_that_the_platform_does_not_know(platform):
    done = alonzo(
        "invoke",
        "f",
        AWS_ENDPOINT_URL=platform.endpoint,
        AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
        AWS_SECRET_ACCESS_KEY="secret",
    )
    assert done.returncode == 1
    assert "UnrecognizedClientException" in done.stderr


def test_an_event_is_queued_and_shows_up_in_the_log(function, here, eventually):
    name = function(GREET).name
    done = alonzo("invoke", name, "--async", "-p", '{"name": "later"}', here)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "queued, " in done.stderr
    shown = eventually(
        lambda: log if "greeting later" in (log := alonzo("logs", name, here).stdout) else None,
        within_s=20,
    )
    assert "START RequestId: " in shown


def test_logs_can_be_filtered_and_bounded_in_time(function, here, eventually):
    deployed = function(GREET)
    for name in ("ada", "grace"):
        deployed.invoke({"name": name})
    eventually(
        lambda: alonzo("logs", deployed.name, here).stdout.count("REPORT ") == 2, within_s=20
    )
    filtered = alonzo("logs", deployed.name, "--filter", "greeting grace", here)
    assert [line.split(" ", 1)[1] for line in filtered.stdout.splitlines()] == ["greeting grace"]
    assert alonzo("logs", deployed.name, "--since", "2999-01-01", here).stdout == ""


def test_logs_of_a_function_that_never_ran_say_so(function, here):
    done = alonzo("logs", function(GREET).name, here)
    assert done.returncode == 1
    assert "there is no log group /aws/lambda/" in done.stderr


def test_logs_follow_shows_what_comes_and_ends_with_ctrl_c(function, here, tmp_path, eventually):
    deployed = function(GREET)
    shown = tmp_path / "shown"
    with (
        shown.open("w") as output,
        subprocess.Popen(
            [*COMMAND, "logs", deployed.name, "--follow", here],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(PYTHONUNBUFFERED="1"),
        ) as follower,
    ):
        try:
            for name in ("first", "second"):
                deployed.invoke({"name": name})
                eventually(lambda name=name: f"greeting {name}" in shown.read_text(), within_s=15)
        finally:
            follower.send_signal(signal.SIGINT)
        assert follower.wait(10) == 130
    assert shown.read_text().count("greeting first") == 1


def test_doctor_names_layers_runtimes_and_the_running_platform(platform, here):
    done = alonzo("doctor", here)
    assert done.returncode == 0, done.stderr
    assert f"in use by the platform at {platform.endpoint}" in done.stdout
    for name in ("botocore", "provided.al2023", "nodejs22.x", f"python3.{sys.version_info.minor}"):
        assert name in done.stdout


def test_a_second_platform_on_the_same_data_is_refused(platform):
    done = alonzo("serve", "--port", "0", f"--data-dir={platform.data_dir}")
    assert done.returncode == 1
    assert "is in use by process" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = alonzo("serve", "--port", str(port), f"--data-dir={tmp_path / 'data'}")
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_says_where_it_listens_what_isolates_and_where_the_data_lies(platform):
    lines = platform.log.splitlines()
    assert f"listening on {platform.endpoint}" in lines[0]
    assert any("isolation" in line for line in lines)
    assert any(str(platform.data_dir) in line for line in lines)
