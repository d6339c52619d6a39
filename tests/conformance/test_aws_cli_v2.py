"""The AWS CLI, version 2, unmodified, where the host has it: ``logs tail``, not in version 1."""

import os
import re
import shutil
import subprocess

import pytest

from alonzo.testing.functions import deploy
from alonzo.testing.waiting import eventually

AWS = shutil.which("aws", path="/usr/local/bin:/usr/bin:/bin")
COMMAND_S_MAX = 30

TALK = """
def handler(event, context):
    print("greeting", event["name"])
"""


def _is_version_2():
    if AWS is None:
        return False
    done = subprocess.run([AWS, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.startswith("aws-cli/2.")


pytestmark = pytest.mark.skipif(
    not _is_version_2(), reason="needs the AWS CLI, version 2 (Debian: apt-get install awscli)"
)


@pytest.fixture
def tail(platform, tmp_path):
    """Starts ``aws logs tail``. Its older releases read the endpoint from the command line only."""
    key_id, secret = platform.root_key()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))},
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
        "PYTHONUNBUFFERED": "1",
    }
    started = []

    def start(*arguments):
        command = [AWS, "--endpoint-url", platform.endpoint, "logs", "tail", *arguments]
        output = tmp_path / f"tail-{len(started)}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
        started.append(process)
        return process, output

    yield start
    for process in started:
        process.kill()
        process.wait(COMMAND_S_MAX)


@pytest.fixture
def talker(platform, function_name):
    made = deploy(platform.client("lambda"), function_name, TALK)
    yield made
    made.delete()


def test_tail_shows_what_functions_printed(talker, tail):
    talker.invoke({"name": "Ada"})

    def shown():
        process, output = tail(f"/aws/lambda/{talker.name}", "--since", "10m", "--format", "short")
        assert process.wait(COMMAND_S_MAX) == 0, output.read_text()
        return "greeting Ada" in output.read_text() and output

    lines = eventually(shown, COMMAND_S_MAX).read_text().splitlines()
    assert [line.split()[1] for line in lines] == [
        "INIT_START",
        "START",
        "greeting",
        "END",
        "REPORT",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d ", line) for line in lines)


def test_tail_follow_shows_what_is_printed_while_it_runs(talker, tail):
    talker.invoke({"name": "first"})
    _, output = tail(f"/aws/lambda/{talker.name}", "--follow", "--since", "10m")
    eventually(lambda: "greeting first" in output.read_text(), COMMAND_S_MAX)
    talker.invoke({"name": "second"})
    eventually(lambda: "greeting second" in output.read_text(), COMMAND_S_MAX)
    assert output.read_text().count("greeting") == 2
