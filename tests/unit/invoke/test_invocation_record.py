"""The record that a destination gets, member by member."""

import json

import pytest

from alonzo.invoke.event_life import Condition, Over, Run
from alonzo.invoke.invocation_record import invocation_record
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST"


def record(*, payload=b'{"a":1}', condition=Condition.SUCCESS, runs=1, last=None):
    return invocation_record(
        request_id="id",
        function_arn=ARN,
        payload=payload,
        over=Over(condition, runs),
        last=last,
        now_s=1_795_168_800.5,
    )


def test_a_success_is_recorded_with_both_payloads():
    document = record(last=Run(b'"yes"', "7", failed=False))
    assert list(json.loads(document)) == [
        "version", "timestamp", "requestContext", "requestPayload", "responseContext",
        "responsePayload",
    ]  # fmt: skip
    assert json.loads(document) == {
        "version": "1.0",
        "timestamp": "2026-11-20T10:00:00.500Z",
        "requestContext": {
            "requestId": "id",
            "functionArn": ARN,
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "7"},
        "responsePayload": "yes",
    }


def test_a_failure_names_its_error():
    failed = Run(b'{"errorMessage":"x"}', "$LATEST", failed=True)
    document = json.loads(record(condition=Condition.RETRIES_EXHAUSTED, runs=3, last=failed))
    assert document["requestContext"]["condition"] == "RetriesExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 3
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert document["responsePayload"] == {"errorMessage": "x"}


def test_an_event_that_never_ran_has_no_response():
    document = json.loads(record(condition=Condition.ZERO_RESERVED_CONCURRENCY, runs=0))
    assert list(document)[-1] == "requestPayload"
    assert document["requestContext"]["approximateInvokeCount"] == 0


def test_payloads_keep_their_numbers_and_texts():
    payload = b'{"n":12345678901234567890123,"f":1.0,"e":"\\u00e9"}'
    assert payload in record(payload=payload)


@pytest.mark.parametrize("answer", [b"\xff not json", b"", b"NaN", b'"\\ud800"'])
def test_an_answer_that_is_no_json_becomes_a_text(answer):
    document = json.loads(record(last=Run(answer, "1", failed=False)))
    assert document["responsePayload"] == answer.decode(errors="replace")


def test_a_record_that_no_event_could_hold_is_none():
    long = b'"' + b"x" * ASYNC_PAYLOAD_BYTES_MAX + b'"'
    assert record(last=Run(long, "1", failed=False)) is None
    nearly = b'"' + b"x" * (ASYNC_PAYLOAD_BYTES_MAX - 100) + b'"'
    assert record(last=Run(nearly, "1", failed=False)) is None
    assert len(record(last=Run(long[:-1000] + b'"', "1", failed=False))) <= ASYNC_PAYLOAD_BYTES_MAX
