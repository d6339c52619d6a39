"""The decisions behind ``alonzo invoke``."""

import base64

import click
import pytest

from alonzo.cli.invoke import read_payload, render_payload, show


def test_a_payload_is_the_text_itself():
    assert read_payload('{"ä": 1}') == '{"ä": 1}'.encode()
    assert read_payload(None) == b""


def test_a_payload_may_come_from_a_file(tmp_path):
    (tmp_path / "event.json").write_bytes(b"\xff\x00")
    assert read_payload(f"@{tmp_path}/event.json") == b"\xff\x00"


def test_a_payload_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(click.BadParameter, match=r"nowhere\.json: No such file"):
        read_payload(f"@{tmp_path}/nowhere.json")


def test_an_answer_is_indented_for_a_terminal_only():
    assert render_payload(b'{"a":[1]}', for_terminal=True) == '{\n  "a": [\n    1\n  ]\n}'
    assert render_payload(b'{"a":[1]}', for_terminal=False) == '{"a":[1]}'
    assert render_payload(b"no json", for_terminal=True) == "no json"


def test_only_the_answer_goes_to_standard_output(capsys):
    response = {
        "StatusCode": 200,
        "FunctionError": "Unhandled",
        "ExecutedVersion": "$LATEST",
        "LogResult": base64.b64encode("START\nbäng\n".encode()).decode(),
        "ResponseMetadata": {"RequestId": "r-1"},
    }
    show(response, b'{"errorMessage":"boom"}', 12.34)
    captured = capsys.readouterr()
    assert captured.out == '{"errorMessage":"boom"}\n'
    assert captured.err == (
        "START\nbäng\nfunction error (Unhandled), version $LATEST, 12.3 ms, request r-1\n"
    )


def test_a_queued_event_is_said_to_be_queued(capsys):
    response = {"StatusCode": 202, "ResponseMetadata": {"RequestId": "r-2"}}
    show(response, b"", 1.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "queued, 1.0 ms, request r-2\n"
