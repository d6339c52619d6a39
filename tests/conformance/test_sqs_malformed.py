"""Whatever is sent to SQS, in either protocol, the answer is one of its own."""

import json
import socket
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from alonzo.testing.clients import botocore_session

MODEL = botocore_session().get_service_model("sqs")
#: What a member may be given, whatever it is for.
ODD = (
    None,
    "\ud7ff\U0001f600\x00",
    "http://h/000000000000/malformed",
    "eyJ0YXNrSWQiOiAxfQ==",
    -1,
    1 << 70,
    ["x", "x"],
    [{}],
    {"x": "y"},
    {"Policy": '{"Statement": [[]]}'},
    {"RedrivePolicy": "[" * 5000},
    {"RedriveAllowPolicy": '{"sourceQueueArns": 7}'},
    {"a": {"DataType": "Number", "StringValue": "NaN"}},
)
SENSIBLE = {
    "QueueUrl": "malformed",
    "QueueName": "malformed",
    "MessageBody": "m",
    "Entries": [{"Id": "a", "MessageBody": "m", "ReceiptHandle": "x", "VisibilityTimeout": 1}],
    "SourceArn": "arn:aws:sqs:us-east-1:000000000000:malformed",
    "Label": "l",
    "AWSAccountIds": ["111111111111"],
    "Actions": ["*"],
    "Attributes": {"DelaySeconds": "0"},
    "Tags": {"a": "b"},
    "TagKeys": ["a"],
}


@pytest.fixture
def post(platform):
    credentials = Credentials(*platform.root_key())
    # Else each request waits 40 ms for an acknowledgement.
    session = URLLib3Session(socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)])

    def send(headers, body):
        request = AWSRequest("POST", platform.endpoint + "/", headers, body)
        SigV4Auth(credentials, "sqs", "us-east-1").add_auth(request)
        answer = session.send(request.prepare())
        return answer.status_code, answer.content

    yield send
    session.close()


def requests():
    for name in MODEL.operation_names:
        # Without its queue there is little to be wrong about.
        if name == "DeleteQueue":
            continue
        members = MODEL.operation_model(name).input_shape.members
        sensible = {key: SENSIBLE[key] for key in members if key in SENSIBLE}
        yield name, {}
        for member in members:
            for value in ODD:
                yield name, {**sensible, member: value}


def test_no_request_is_the_platform_s_fault(post, boto):
    boto("sqs").create_queue(QueueName="malformed")
    sent, faults = 0, []
    for name, params in requests():
        sent += 1
        headers = {
            "X-Amz-Target": f"AmazonSQS.{name}",
            "Content-Type": "application/x-amz-json-1.0",
        }
        status, content = post(headers, json.dumps(params))
        if status >= 500 or (status >= 400 and b"__type" not in content):
            faults.append((name, params, content))
    assert not faults
    assert sent > 500


@pytest.mark.parametrize(
    "fields",
    [
        {"Attribute.1.Name": "x"},
        {"Attribute.1.Value": "x"},
        {"Attribute.x.Name": "DelaySeconds", "Attribute.x.Value": "1"},
        {"Attribute": "x"},
        {"AttributeName.0": "All", "AttributeName.1.a": "All"},
        {"MessageAttribute.1.Name": "a", "MessageAttribute.1.Value": "b"},
        {"MessageAttribute.1.Name": "a", "MessageAttribute.1.Value.BinaryValue": "%%%"},
        {"SendMessageBatchRequestEntry.1": ""},
        {"DelaySeconds": "x"},
        {"MaxNumberOfMessages": "9" * 30},
        {"Tag.1.Key": "\x00", "Tag.1.Value": "\x0b"},
    ],
)
def test_no_form_is_the_platform_s_fault(post, boto, fields):
    boto("sqs").create_queue(QueueName="malformed")
    for name in ("SendMessage", "SendMessageBatch", "ReceiveMessage", "SetQueueAttributes"):
        form = {"Action": name, "QueueUrl": "malformed", "MessageBody": "m", **fields}
        status, content = post(
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form, quote_via=quote),
        )
        assert status < 500, content
        assert content.startswith((b"<ErrorResponse", f"<{name}Response".encode())), content
