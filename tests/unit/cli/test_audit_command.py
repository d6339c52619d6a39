"""``alonzo audit`` on a folder of records."""

import gzip
import json

import pytest
from click.testing import CliRunner

from alonzo.cli.audit import audit
from alonzo.lib.clock import SystemClock, utc


def record(name, *, user="bob", at_s=None, error=None, source="iam.amazonaws.com"):
    at_s = SystemClock().now_s() if at_s is None else at_s
    made = {
        "eventTime": utc(at_s).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventName": name,
        "eventSource": source,
        "sourceIPAddress": "10.0.0.1",
        "userIdentity": {"arn": f"arn:aws:iam::000000000000:user/{user}", "accessKeyId": "AKIA1"},
    }
    return made if error is None else {**made, "errorCode": error, "errorMessage": "no\x1b[2J"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "audit").mkdir()
    old = SystemClock().now_s() - 3 * 86_400
    packed = [record("CreateUser", at_s=old)]
    lines = [
        record("CreateUser"),
        record("DeleteUser", user="eve", error="AccessDenied"),
        record("CreateFunction20150331", source="lambda.amazonaws.com"),
    ]
    with gzip.open(tmp_path / "audit/1.jsonl.gz", "wb") as file:
        file.write("".join(json.dumps(each) + "\n" for each in packed).encode())
    text = "".join(json.dumps(each) + "\n" for each in lines)
    (tmp_path / "audit/2.jsonl").write_text("torn{\n[]\n" + text + '{"eventName": "half')
    return tmp_path


def shown(folder, *options):
    result = CliRunner().invoke(audit, ["--data-dir", str(folder), *options])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_a_day_is_shown_by_default_and_more_on_demand(folder):
    assert len(shown(folder)) == 3
    assert len(shown(folder, "--since", "7d")) == 4
    assert len(shown(folder, "--since", "7d", "--last", "1")) == 1


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--user", "user/eve"], ["DeleteUser"]),
        (["--user", "AKIA1", "--failed"], ["DeleteUser"]),
        (["--operation", "createfunction"], ["CreateFunction20150331"]),
        (["--operation", "lambda:CreateFunction"], ["CreateFunction20150331"]),
        (["--operation", "iam:CreateFunction"], []),
        (["--operation", "Create"], []),
    ],
)
def test_records_are_found_by_who_and_what(folder, options, names):
    assert [json.loads(line)["eventName"] for line in shown(folder, "--json", *options)] == names


def test_what_others_wrote_does_not_drive_the_terminal(folder):
    (line,) = shown(folder, "--failed")
    assert "\x1b" not in line
    assert "AccessDenied" in line


def test_a_folder_without_a_log_is_said_to_be_none(tmp_path):
    result = CliRunner().invoke(audit, ["--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "no audit log" in result.output
