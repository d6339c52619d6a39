"""SQS in the query protocol, as SDKs spoke it before 2023: forms in, XML out."""

import socket
import xml.etree.ElementTree as ET
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from alonzo.testing.callers import ACCOUNT

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"


@pytest.fixture
def query(platform):
    """Sends a call; answers status and document."""
    credentials = Credentials(*platform.root_key())
    # Else each request waits 40 ms for an acknowledgement.
    session = URLLib3Session(socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)])

    def send(action, path="/", method="POST", **fields):
        form = urlencode({"Action": action, "Version": "2012-11-05", **fields}, quote_via=quote)
        url = platform.endpoint + path
        request = (
            AWSRequest("GET", f"{url}?{form}")
            if method == "GET"
            else AWSRequest(
                "POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, form
            )
        )
        SigV4Auth(credentials, "sqs", "us-east-1").add_auth(request)
        answer = session.send(request.prepare())
        assert answer.headers["Content-Type"] == "text/xml"
        return answer.status_code, ET.fromstring(answer.content)

    yield send
    session.close()


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-_")


def texts(document, path):
    return [each.text for each in document.iterfind(path.replace("/", f"/{NAMESPACE}"))]


def test_a_message_goes_all_the_way_in_the_query_protocol(query, platform, name):
    made = {
        "QueueName": name,
        "Attribute.1.Name": "VisibilityTimeout",
        "Attribute.1.Value": "40",
        "Tag.1.Key": "k",
        "Tag.1.Value": "v",
    }
    status, answer = query("CreateQueue", **made)
    assert (status, answer.tag) == (200, f"{NAMESPACE}CreateQueueResponse")
    (url,) = texts(answer, "./CreateQueueResult/QueueUrl")
    assert url == f"{platform.endpoint}/{ACCOUNT}/{name}"
    assert texts(query("ListQueues", QueueNamePrefix=name)[1], "./ListQueuesResult/QueueUrl") == [
        url
    ]
    _, answer = query("GetQueueAttributes", QueueUrl=url, **{"AttributeName.1": "All"})
    names = texts(answer, "./GetQueueAttributesResult/Attribute/Name")
    values = texts(answer, "./GetQueueAttributesResult/Attribute/Value")
    assert dict(zip(names, values, strict=True))["VisibilityTimeout"] == "40"
    _, answer = query("ListQueueTags", QueueUrl=url)
    assert texts(answer, "./ListQueueTagsResult/Tag/Key") == ["k"]

    # The path of a queue's own URL stands for its QueueUrl, in forms and in plain links.
    path = f"/{ACCOUNT}/{name}"
    status, answer = query(
        "SendMessage",
        path,
        "GET",
        **{
            "MessageBody": "a & b",
            "MessageAttribute.1.Name": "n",
            "MessageAttribute.1.Value.DataType": "Number",
            "MessageAttribute.1.Value.StringValue": "7",
        },
    )
    assert status == 200
    (message_id,) = texts(answer, "./SendMessageResult/MessageId")
    status, answer = query(
        "ReceiveMessage",
        path,
        **{"AttributeName.1": "All", "MessageAttributeName.1": "All", "VisibilityTimeout": "9"},
    )
    at = "./ReceiveMessageResult/Message"
    assert texts(answer, f"{at}/MessageId") == [message_id]
    assert texts(answer, f"{at}/Body") == ["a & b"]
    assert "ApproximateReceiveCount" in texts(answer, f"{at}/Attribute/Name")
    assert texts(answer, f"{at}/MessageAttribute/Name") == ["n"]
    assert texts(answer, f"{at}/MessageAttribute/Value/StringValue") == ["7"]
    (handle,) = texts(answer, f"{at}/ReceiptHandle")
    entry = "DeleteMessageBatchRequestEntry.1"
    status, answer = query(
        "DeleteMessageBatch", path, **{f"{entry}.Id": "x", f"{entry}.ReceiptHandle": handle}
    )
    assert texts(answer, "./DeleteMessageBatchResult/DeleteMessageBatchResultEntry/Id") == ["x"]
    status, answer = query("DeleteQueue", path)
    assert (status, answer.tag) == (200, f"{NAMESPACE}DeleteQueueResponse")


def test_errors_have_the_names_and_texts_of_the_query_protocol(query, name):
    def error(*args, **fields):
        status, document = query(*args, **fields)
        found = (texts(document, f"./Error/{each}")[0] for each in ("Type", "Code", "Message"))
        return (status, *found)

    assert error("GetQueueUrl", QueueName="there-is-none") == (
        400,
        "Sender",
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist for this wsdl version.",
    )
    assert error("SendMessage", f"/{ACCOUNT}/{name}")[2:] == (
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    )
    assert error("CreateQueue", QueueName="a b")[2] == "InvalidParameterValue"
    assert error("PurgeQueue")[2:] == (
        "MissingParameter",
        "The request must contain the parameter QueueUrl.",
    )
    assert error("Dance")[2] == "InvalidAction"
