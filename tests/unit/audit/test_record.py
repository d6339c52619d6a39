"""Events as CloudTrail's records."""

import json
from dataclasses import replace

import pytest

from alonzo.audit.masking import HIDDEN, Masks
from alonzo.audit.names import event_name, event_source, is_data_event, is_read_only
from alonzo.audit.record import encode, record_of
from alonzo.edge.models import service_model
from alonzo.model.context import Principal, Session
from alonzo.model.ports.audit import AuditEvent, TlsFacts
from alonzo.model.sessions import WebIdentity

ACCOUNT = "000000000000"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA1", is_root=True)
BOB = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/team/bob", "AIDA1", "AKIA2")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app/worker"
WORKER = Principal(
    ACCOUNT,
    f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/f",
    "AROA1:f",
    "ASIA1",
    identity_id="AROA1",
    session=Session("f", 1_800_000_000.0, role_arn=ROLE),
)
SNS = Principal(ACCOUNT, "sns.amazonaws.com", "sns.amazonaws.com", "", service="sns.amazonaws.com")


def record(principal=ROOT, service="lambda", operation="DeleteFunction", **more):
    values = {"params": {"FunctionName": "f"}, "result": {}, **more}
    event = AuditEvent(
        service, operation, "r-1", ACCOUNT, "eu-west-1", principal, "10.0.0.9", "agent", **values
    )
    return record_of(event, Masks(service_model), "e-1", 1_800_000_000.0)


def test_a_record_says_who_what_where_and_how_it_ended():
    assert record() == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIA1",
        },
        "eventTime": "2027-01-15T08:00:00Z",
        "eventSource": "lambda.amazonaws.com",
        "eventName": "DeleteFunction20150331",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "10.0.0.9",
        "userAgent": "agent",
        "requestParameters": {"functionName": "f"},
        "responseElements": None,
        "requestID": "r-1",
        "eventID": "e-1",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def test_a_user_a_session_of_a_role_and_a_service_are_told_apart():
    assert record(BOB)["userIdentity"]["userName"] == "bob"
    worker = record(WORKER, invoked_by="lambda.amazonaws.com")["userIdentity"]
    assert (worker["type"], worker["invokedBy"]) == ("AssumedRole", "lambda.amazonaws.com")
    assert worker["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "principalId": "AROA1",
        "arn": ROLE,
        "accountId": ACCOUNT,
        "userName": "worker",
    }
    assert record(SNS)["userIdentity"] == {"type": "AWSService", "invokedBy": "sns.amazonaws.com"}


def test_who_needs_no_signature_is_unknown_and_who_needs_no_key_has_none():
    stranger = Principal("anonymous", "anonymous", "anonymous", "")
    assert record(stranger)["userIdentity"]["type"] == "Unknown"
    by_role = replace(WORKER, access_key_id=f"{ROLE} f")
    assert "accessKeyId" not in record(by_role)["userIdentity"]


def test_whom_a_token_vouched_for_is_told_with_its_provider():
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example/team"
    found = WebIdentity("repo:org/app", "clients", "https://issuer.example/team", arn)
    stranger = Principal("anonymous", "anonymous", "anonymous", "")
    made = record(stranger, web_identity=found, error=("AccessDenied", "no"))
    assert made["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{arn}:clients:repo:org/app",
        "userName": "repo:org/app",
        "identityProvider": arn,
    }
    assert made["recipientAccountId"] == ACCOUNT


def test_an_error_has_its_code_and_a_text_without_secrets():
    made = record(
        service="ssm",
        operation="PutParameter",
        params={"Name": "/a", "Value": "hunter2"},
        result=None,
        error=("ValidationException", "Parameter value, hunter2, is wrong."),
    )
    assert made["errorCode"] == "ValidationException"
    assert made["errorMessage"] == f"Parameter value, {HIDDEN}, is wrong."


def test_a_message_about_parameters_that_could_not_be_read_has_no_values():
    text = "1 validation error detected: Value 'hunter2' at 'x' failed to satisfy constraint: y"
    made = record(params=None, result=None, error=("ValidationException", text))
    assert made["errorMessage"] == f"1 validation error detected: Value {HIDDEN}"


def test_answers_of_reads_are_not_kept_and_those_of_sts_are():
    answer = {"Configuration": {"FunctionName": "f"}}
    assert record(operation="GetFunction", result=answer)["responseElements"] is None
    answer = {"AssumedRoleUser": {"Arn": "a"}}
    made = record(service="sts", operation="AssumeRole", params={}, result=answer)
    assert made["responseElements"] == {"assumedRoleUser": {"arn": "a"}}


def test_resources_are_those_that_the_parameters_name():
    made = record(service="kms", operation="EnableKey", params={"KeyId": "arn:aws:kms:r:1:key/k"})
    assert "resources" not in made  # An account has twelve digits.
    key = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"
    made = record(service="kms", operation="EnableKey", params={"KeyId": key})
    assert made["resources"] == [{"ARN": key, "accountId": ACCOUNT, "type": "AWS::KMS::Key"}]
    made = record(operation="Invoke")
    assert made["resources"][0]["ARN"].endswith(":function:f")
    assert (made["eventCategory"], made["managementEvent"]) == ("Data", False)


def test_tls_is_told_where_there_was_some():
    made = record(tls=TlsFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", "alonzo.example"))
    assert made["tlsDetails"]["clientProvidedHostHeader"] == "alonzo.example"


def test_parameters_that_are_too_long_are_left_out_with_their_size():
    made = record(params={"FunctionName": "f" * 200_000})
    line = json.loads(encode(made))
    assert line["requestParameters"]["omitted"] is True
    assert line["requestParameters"]["originalSize"] > 200_000


@pytest.mark.parametrize("odd", [1 << 70, "\ud800", float("nan")])
def test_what_json_does_not_know_still_makes_a_line(odd):
    line = encode(record(params={"MemorySize": odd, "FunctionName": "a\nb"}))
    assert line.count(b"\n") == 1
    json.loads(line)


def test_names_are_cloudtrails():
    assert event_source("cloudwatch") == "monitoring.amazonaws.com"
    assert event_source("stepfunctions") == "states.amazonaws.com"
    assert event_name("lambda", "AddPermission") == "AddPermission20150331v2"
    assert event_name("iam", "CreateUser") == "CreateUser"
    assert is_data_event("sqs", "SendMessage")
    assert not is_data_event("secretsmanager", "GetSecretValue")
    assert is_read_only("kms", "Decrypt")
    assert not is_read_only("iam", "CreateAccessKey")
