"""Calls that are written down as JSON: which there are, and their parameters."""

import pytest

from alonzo.daemon.api_calls import find_call, read_call
from alonzo.model.errors import AwsError

OPERATIONS = {
    "sqs": {"SendMessage": None},
    "events": {"PutEvents": None},
    "secretsmanager": {"PutSecretValue": None},
    "lambda": {"InvokeAsync": None},
    "sts": {"GetCallerIdentity": None},
}


@pytest.mark.parametrize(
    ("service", "action", "name"),
    [
        ("sqs", "sendMessage", "SendMessage"),
        # As SDKs call it, and as botocore does.
        ("eventbridge", "putEvents", "PutEvents"),
        ("events", "putEvents", "PutEvents"),
        ("secretsmanager", "putSecretValue", "PutSecretValue"),
        ("sqs", "purgeQueue", None),
        ("SQS", "sendMessage", None),
        ("ec2", "runInstances", None),
        ("sqs", "", None),
        # Its body comes in pieces.
        ("lambda", "invokeAsync", None),
    ],
)
def test_an_operation_is_found_by_the_names_of_the_sdks(service, action, name):
    found = find_call(OPERATIONS, service, action)
    assert (None if found is None else found.name) == name


def test_parameters_are_those_of_the_model():
    call = read_call(OPERATIONS, "sqs", "sendMessage", b'{"QueueUrl": "u", "MessageBody": "b"}')
    assert (call.service, call.operation) == ("sqs", "SendMessage")
    assert call.params == {"QueueUrl": "u", "MessageBody": "b"}
    secret = b'{"SecretId": "s", "SecretBinary": "eA==", "Odd": 1}'
    assert read_call(OPERATIONS, "secretsmanager", "putSecretValue", secret).params == {
        "SecretId": "s",
        "SecretBinary": b"x",
    }


@pytest.mark.parametrize(
    ("service", "action", "document"),
    [
        ("eventbridge", "putEvents", b"{}"),
        ("eventbridge", "putEvents", b'{"Entries": 1}'),
        ("eventbridge", "putEvents", b"nonsense"),
        ("eventbridge", "putEvents", b"[" * 100_000),
        ("eventbridge", "putEvents", b'{"Entries": "\xff"}'),
        ("sqs", "purgeQueue", b"{}"),
    ],
)
def test_what_is_no_call_is_refused(service, action, document):
    with pytest.raises(AwsError) as caught:
        read_call(OPERATIONS, service, action, document)
    assert caught.value.code == "ValidationException"
