"""What is hidden in records, and what is not."""

import pytest

from alonzo.audit.masking import HIDDEN, Masks, without
from alonzo.edge.models import service_model

MASKS = Masks(service_model)


def masked(service, operation, params, hidden=None):
    return MASKS.of(service, operation)[0](params, hidden)


def test_variables_and_code_of_a_function_are_hidden_and_the_rest_is_not():
    kept = masked(
        "lambda",
        "CreateFunction",
        {
            "FunctionName": "f",
            "Code": {"ZipFile": b"PK"},
            "Environment": {"Variables": {"TOKEN": "abc"}},
            "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],
            "Tags": {"team": "blue"},
        },
    )
    assert kept == {
        "functionName": "f",
        "code": {"zipFile": HIDDEN},
        "environment": {"variables": HIDDEN},
        "layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"],
        "tags": {"team": "blue"},
    }


@pytest.mark.parametrize(
    ("service", "operation", "member", "value"),
    [
        ("ssm", "PutParameter", "Value", "v"),
        ("secretsmanager", "CreateSecret", "SecretString", "v"),
        ("secretsmanager", "CreateSecret", "SecretBinary", b"v"),
        ("kms", "Encrypt", "Plaintext", b"v"),
        ("kms", "Decrypt", "CiphertextBlob", b"v"),
        ("iam", "CreateLoginProfile", "Password", "v"),
        ("sts", "AssumeRoleWithWebIdentity", "WebIdentityToken", "v"),
        ("sqs", "SendMessage", "MessageBody", "v"),
        ("sns", "Publish", "Message", "v"),
        ("dynamodb", "PutItem", "Item", {"a": {"S": "v"}}),
        ("kinesis", "PutRecord", "Data", b"v"),
        ("logs", "PutLogEvents", "logEvents", [{"message": "v", "timestamp": 1}]),
        ("sns", "CreatePlatformApplication", "Attributes", {"PlatformCredential": "v"}),
        ("events", "PutEvents", "Entries", [{"Detail": "v"}]),
        ("lambda", "Invoke", "Payload", b"v"),
        ("s3", "PutObject", "Body", b"v"),
    ],
)
def test_what_is_secret_or_data_is_hidden(service, operation, member, value):
    hidden = []
    kept = masked(service, operation, {member: value}, hidden)
    assert HIDDEN in str(kept)
    assert "'v'" not in str(kept)
    assert "v" in hidden


def test_credentials_that_are_given_out_are_hidden():
    answer = {"Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"}}
    kept = MASKS.of("sts", "AssumeRole")[1](answer, None)
    assert kept == {
        "credentials": {"accessKeyId": "ASIA", "secretAccessKey": HIDDEN, "sessionToken": HIDDEN}
    }


def test_members_that_no_model_knows_are_left_out():
    assert masked("lambda", "GetFunction", {"FunctionName": "f", "Password": "x"}) == {
        "functionName": "f"
    }


def test_values_of_another_kind_than_the_model_says_are_hidden():
    assert masked("lambda", "CreateFunction", {"Tags": ["secret"], "Code": "secret"}) == {
        "tags": HIDDEN,
        "code": HIDDEN,
    }


def test_a_shape_that_holds_itself_has_a_mask():
    expression = {"And": [{"Or": [{"Not": {"Tags": {"Key": "k"}}}]}]}
    kept = masked("ce", "GetCostAndUsage", {"Filter": expression})
    assert kept == {"filter": {"and": [{"or": [{"not": {"tags": {"key": "k"}}}]}]}}


def test_hidden_values_are_taken_out_of_messages_longest_first():
    text = without("Value hunter2hunter2 and hunter2 and ab", ["hunter2", "hunter2hunter2", "ab"])
    assert text == f"Value {HIDDEN} and {HIDDEN} and ab"


def test_a_long_value_that_a_message_cuts_short_is_taken_out_too():
    secret = "".join(str(number) for number in range(500))
    assert (
        without(f"Value '{secret[:400]}...' is wrong", [secret]) == f"Value '{HIDDEN}...' is wrong"
    )
