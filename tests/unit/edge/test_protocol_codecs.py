"""Routing, errors and edges of each codec, on the real service models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import cbor2
import orjson
import pytest

from alonzo.edge.protocols import codec_for
from alonzo.edge.protocols.event_stream import Frame, decode_frame, encode_frame
from alonzo.edge.protocols.malformed import Malformed
from alonzo.model.documents import JsonElements
from alonzo.model.errors import AwsError, PlatformError
from alonzo.model.http import HttpRequest

FORM = (b"content-type", b"application/x-www-form-urlencoded")


def request(
    method: str, target: str, body: bytes = b"", *headers: tuple[bytes, bytes]
) -> HttpRequest:
    path, _, query = target.partition("?")
    return HttpRequest(method, path.encode(), query.encode(), headers, body, "127.0.0.1")


def parse(service: str, sent: HttpRequest) -> tuple[str, dict[str, Any]]:
    operation, params = codec_for(service, sent).parse(sent)
    return operation.name, params


def refusal(service: str, sent: HttpRequest) -> AwsError:
    with pytest.raises(AwsError) as caught:
        codec_for(service, sent).parse(sent)
    return caught.value


DURABLE = (
    "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af%3A%24LATEST"
    "%2Fdurable-execution%2Fn%2Fi"
)


@pytest.mark.parametrize(
    ("service", "method", "target", "operation", "params"),
    [
        ("lambda", "GET", "/2015-03-31/functions", "ListFunctions", {}),
        ("lambda", "GET", "/2015-03-31/functions/?MaxItems=5", "ListFunctions", {"MaxItems": 5}),
        ("lambda", "GET", "/2015-03-31/functions/f", "GetFunction", {"FunctionName": "f"}),
        (
            "lambda",
            "GET",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"
            "?Qualifier=%24LATEST",
            "GetFunction",
            {
                "FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "Qualifier": "$LATEST",
            },
        ),
        (
            "lambda",
            "GET",
            "/2018-10-31/layers?find=LayerVersion&Arn=arn:aws:lambda:us-east-1:000000000000:layer:l:1",
            "GetLayerVersionByArn",
            {"Arn": "arn:aws:lambda:us-east-1:000000000000:layer:l:1"},
        ),
        ("lambda", "GET", "/2018-10-31/layers", "ListLayers", {}),
        (
            "lambda",
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?List=ALL",
            "ListProvisionedConcurrencyConfigs",
            {"FunctionName": "f"},
        ),
        (
            "lambda",
            "GET",
            f"/2025-12-01/durable-executions/{DURABLE}",
            "GetDurableExecution",
            {
                "DurableExecutionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
                "/durable-execution/n/i"
            },
        ),
        (
            "lambda",
            "DELETE",
            "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"
            "?tagKeys=a&tagKeys=b+c",
            "UntagResource",
            {
                "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f",
                "TagKeys": ["a", "b c"],
            },
        ),
        ("lambda", "POST", "/2015-03-31/functions/f/invocations", "Invoke", {"FunctionName": "f"}),
        ("s3", "GET", "/", "ListBuckets", {}),
        ("s3", "GET", "/b", "ListObjects", {"Bucket": "b"}),
        (
            "s3",
            "GET",
            "/b/?list-type=2&prefix=a%2F",
            "ListObjectsV2",
            {"Bucket": "b", "Prefix": "a/"},
        ),
        ("s3", "GET", "/b?lifecycle", "GetBucketLifecycleConfiguration", {"Bucket": "b"}),
        ("s3", "GET", "/b//k/%2F//", "GetObject", {"Bucket": "b", "Key": "/k////"}),
        ("s3", "PUT", "/b/k?x-id=PutObject", "PutObject", {"Bucket": "b", "Key": "k"}),
        (
            "s3",
            "PUT",
            "/b/k?partNumber=1&uploadId=u",
            "UploadPart",
            {"Bucket": "b", "Key": "k", "PartNumber": 1, "UploadId": "u"},
        ),
    ],
)  # fmt: skip
def test_a_path_finds_its_operation(
    service: str, method: str, target: str, operation: str, params: dict[str, Any]
) -> None:
    assert parse(service, request(method, target)) == (operation, params)


def test_a_copy_is_told_from_an_upload_by_its_header() -> None:
    sent = request("PUT", "/b/k", b"", (b"x-amz-copy-source", b"/b/other"))
    name, params = parse("s3", sent)
    assert (name, params["CopySource"]) == ("CopyObject", "/b/other")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("PATCH", "/2015-03-31/functions/f"),
        ("GET", "/2015-03-31/functions/a/b/c/d"),
        ("GET", "/2015-03-31//f"),
        ("GET", "/" + "a/" * 5000),
        ("GET", "/2025-12-01/durable-executions/a/b"),
        ("BREW", "/2015-03-31/functions"),
    ],
)
def test_a_path_of_no_operation_is_an_unknown_operation(method: str, target: str) -> None:
    error = refusal("lambda", request(method, target))
    assert (error.code, error.status) == ("UnknownOperationException", 404)


def test_a_label_may_hold_bytes_that_are_not_encoded() -> None:
    assert parse("s3", request("GET", "/b/é+%2B"))[1] == {"Bucket": "b", "Key": "é++"}
    bad = HttpRequest("GET", b"/b/\xff", b"", (), b"", "")
    assert refusal("s3", bad).code == "MalformedXML"


def test_a_long_text_in_xml_takes_no_longer_than_it_must() -> None:
    text = b"x" * (8 << 20)
    body = b"<LifecycleConfiguration><Rule><ID>" + text + b"</ID></Rule></LifecycleConfiguration>"
    error = refusal("s3", request("PUT", "/b?lifecycle", body))
    assert "rules.1.member.status" in error.message


def test_a_fault_of_the_server_is_a_500_also_without_a_modelled_status() -> None:
    assert rendered_error("dynamodb", AwsError("InternalServerError", "x")).status == 500


def test_a_payload_is_not_parsed() -> None:
    sent = request("POST", "/2015-03-31/functions/f/invocations", b"\xff not json")
    assert parse("lambda", sent)[1]["Payload"] == b"\xff not json"


def test_a_member_of_the_path_cannot_be_overridden_by_the_body() -> None:
    sent = request(
        "PUT", "/2015-03-31/functions/f/configuration", b'{"FunctionName":"g","Timeout":5}'
    )
    assert parse("lambda", sent)[1] == {"FunctionName": "f", "Timeout": 5}


def test_an_empty_structure_is_told_from_a_missing_one() -> None:
    path = "/2015-03-31/functions/f/configuration"
    assert parse("lambda", request("PUT", path, b'{"DeadLetterConfig":{}}'))[1] == {
        "FunctionName": "f",
        "DeadLetterConfig": {},
    }
    assert parse("lambda", request("PUT", path, b'{"DeadLetterConfig":null}'))[1] == {
        "FunctionName": "f"
    }


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"\xff", b'{"Timeout":"5"}', b'{"Timeout":1.5}', b'{"Timeout":true}',
     b'{"Timeout":3000000000}', b'{"Layers":"x"}', b'{"Layers":{}}', b'{"Environment":[]}',
     b'{"Environment":{"Variables":{"AA":1}}}', b'{"Handler":5}'],
)  # fmt: skip
def test_a_body_of_another_form_is_a_serialization_exception(body: bytes) -> None:
    error = refusal("lambda", request("PUT", "/2015-03-31/functions/f/configuration", body))
    assert (error.code, error.status) == ("SerializationException", 400)


def rendered_error(service: str, error: AwsError, *headers: tuple[bytes, bytes]) -> Any:
    codec = codec_for(service, request("POST", "/", b"", *headers))
    return codec.render_error(error, "request-1", None)


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (
            AwsError("ResourceNotFoundException", "gone", members={"Type": "User"}),
            404,
            {"Type": "User", "Message": "gone"},
        ),
        (AwsError("ServiceException", "oh"), 500, {"Type": "Service", "Message": "oh"}),
        (AwsError("ResourceConflictException", "x"), 409, {"Type": "User", "message": "x"}),
        (AwsError("ValidationException", "bad", status=400), 400, {"message": "bad"}),
        (AwsError("AccessDeniedException", "no", status=403), 403, {"message": "no"}),
        (AwsError("NobodyKnows", "x"), 400, {"message": "x"}),
    ],
)
def test_an_error_of_lambda_has_the_modelled_form(
    error: AwsError, status: int, body: dict[str, Any]
) -> None:
    response = rendered_error("lambda", error)
    found = orjson.loads(response.body)
    found.pop("message" if "Message" in body else "", None)
    assert (response.status, found) == (status, body)
    assert response.headers["x-amzn-ErrorType"] == error.code
    assert response.headers["x-amzn-RequestId"] == "request-1"


def test_a_throttle_says_when_to_come_back() -> None:
    members = {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "retryAfterSeconds": 1,
    }
    error = AwsError("TooManyRequestsException", "Rate Exceeded.", members=members)
    response = rendered_error("lambda", error)
    assert (response.status, response.headers["Retry-After"]) == (429, "1")
    assert orjson.loads(response.body) == {
        "Type": "User",
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "message": "Rate Exceeded.",
    }


def test_a_json_error_names_its_type_and_the_code_of_the_former_query_protocol() -> None:
    response = rendered_error(
        "sqs", AwsError("QueueDoesNotExist", "no queue"), (b"x-amz-target", b"AmazonSQS.X")
    )
    assert (
        response.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    )
    assert orjson.loads(response.body) == {
        "__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": "no queue",
    }
    response = rendered_error("dynamodb", AwsError("ResourceNotFoundException", "x"))
    assert orjson.loads(response.body)["__type"] == (
        "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
    )
    response = rendered_error("logs", AwsError("ResourceNotFoundException", "x"))
    assert orjson.loads(response.body) == {"__type": "ResourceNotFoundException", "message": "x"}
    assert response.headers["Content-Type"] == "application/x-amz-json-1.1"


def test_a_query_error_uses_the_modelled_code() -> None:
    response = rendered_error("iam", AwsError("NoSuchEntityException", "no <role>"))
    assert response.status == 404
    assert response.body == (
        b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error>'
        b"<Type>Sender</Type><Code>NoSuchEntity</Code><Message>no &lt;role&gt;</Message></Error>"
        b"<RequestId>request-1</RequestId></ErrorResponse>"
    )
    assert rendered_error("iam", AwsError("NoSuchEntity", "x")).status == 404


def test_an_error_of_s3_has_no_wrapper() -> None:
    response = rendered_error("s3", AwsError("NoSuchBucket", "no", members={"BucketName": "b"}))
    root = ElementTree.fromstring(response.body)
    assert root.tag == "Error"
    assert {part.tag: part.text for part in root} == {
        "Code": "NoSuchBucket",
        "Message": "no",
        "BucketName": "b",
        "RequestId": "request-1",
        "HostId": response.headers["x-amz-id-2"],
    }
    assert response.headers["x-amz-request-id"] == "request-1"


def test_a_cbor_error_is_a_map() -> None:
    error = AwsError("ResourceNotFound", "x", status=404)
    response = rendered_error("cloudwatch", error, (b"smithy-protocol", b"rpc-v2-cbor"))
    assert response.headers["smithy-protocol"] == "rpc-v2-cbor"
    document = cbor2.loads(response.body)
    assert document["__type"].endswith("#ResourceNotFound")
    assert document["message"] == "x"


def test_an_unknown_action_and_a_missing_one_are_told_apart() -> None:
    error = refusal("iam", request("POST", "/", b"Action=Nope&Version=1", FORM))
    assert error.message == "Could not find operation Nope for version 1"
    assert (error.code, error.status) == ("InvalidAction", 400)
    assert refusal("iam", request("GET", "/")).code == "MissingAction"


def test_an_action_may_stand_in_the_url() -> None:
    assert parse("sts", request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15")) == (
        "GetCallerIdentity",
        {},
    )


def test_validation_has_the_code_of_its_protocol_and_service() -> None:
    assert refusal("iam", request("POST", "/", b"Action=GetRole", FORM)).code == "ValidationError"
    target = (b"x-amz-target", b"Logs_20140328.CreateLogGroup")
    error = refusal("logs", request("POST", "/", b"{}", target))
    assert error.code == "InvalidParameterException"


def test_a_service_is_spoken_to_in_each_of_its_protocols() -> None:
    json = request(
        "POST",
        "/",
        b'{"QueueName":"q","tags":{"a":"b"}}',
        (b"x-amz-target", b"AmazonSQS.CreateQueue"),
    )
    form = request("POST", "/", b"Action=CreateQueue&QueueName=q&Tag.1.Key=a&Tag.1.Value=b", FORM)
    expected = ("CreateQueue", {"QueueName": "q", "tags": {"a": "b"}})
    assert parse("sqs", json) == parse("sqs", form) == expected
    assert codec_for("sqs", form).service.protocol == "query"
    operation = codec_for("sqs", form).parse(form)[0]
    response = codec_for("sqs", form).render(operation, {"QueueUrl": "http://u/q"}, "request-1")
    assert response.body == (
        b'<CreateQueueResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">'
        b"<CreateQueueResult><QueueUrl>http://u/q</QueueUrl></CreateQueueResult>"
        b"<ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata>"
        b"</CreateQueueResponse>"
    )


def test_the_messages_of_sqs_have_their_old_names_in_xml() -> None:
    form = request("POST", "/", b"Action=ReceiveMessage&QueueUrl=u&AttributeName.1=All", FORM)
    codec = codec_for("sqs", form)
    operation, params = codec.parse(form)
    assert params == {"QueueUrl": "u", "AttributeNames": ["All"]}
    message = {"Body": "a\r\x00", "Attributes": {"SenderId": "s"}}
    body = codec.render(operation, {"Messages": [message]}, "request-1").body
    assert isinstance(body, bytes)
    assert (
        "<ReceiveMessageResult><Message><Body>a&#13;\ufffd</Body><Attribute><Name>SenderId</Name>"
        "<Value>s</Value></Attribute></Message></ReceiveMessageResult>"
    ) in body.decode()


def test_there_is_no_codec_for_what_nobody_speaks() -> None:
    with pytest.raises(KeyError):
        codec_for("no-such-service")
    with pytest.raises(NotImplementedError):
        codec_for("ec2")


def test_a_member_that_an_output_does_not_have_is_our_bug() -> None:
    codec = codec_for("lambda")
    operation = codec.service.operation_model("GetAccountSettings")
    with pytest.raises(PlatformError, match="Limits"):
        codec.render(operation, {"Limits": {}}, "request-1")


def test_a_header_cannot_be_split_by_a_value() -> None:
    codec = codec_for("lambda")
    operation = codec.service.operation_model("Invoke")
    response = codec.render(operation, {"FunctionError": "a\r\nSet-Cookie: b"}, "request-1")
    assert response.headers["X-Amz-Function-Error"] == "a  Set-Cookie: b"


def test_an_answer_of_no_content_has_no_body() -> None:
    codec = codec_for("lambda")
    operation = codec.service.operation_model("DeleteFunction")
    response = codec.render(operation, {"StatusCode": 204}, "request-1")
    assert (response.status, response.body) == (204, b"")


async def _failing() -> AsyncIterator[dict[str, Any]]:
    yield {"sessionStart": {"requestId": "r"}}
    raise AwsError("SessionTimeoutException", "over")


def test_a_stream_of_the_json_protocol_starts_with_its_response_and_may_end_in_an_error() -> None:
    codec = codec_for("logs")
    operation = codec.service.operation_model("StartLiveTail")

    async def gather() -> bytes:
        response = codec.render(operation, {"responseStream": _failing()}, "request-1")
        assert not isinstance(response.body, bytes)
        return b"".join([piece async for piece in response.body])

    frames: list[Frame] = []
    rest = asyncio.run(gather())
    while (found := decode_frame(rest)) is not None:
        frame, rest = found
        frames.append(frame)
    kinds = [
        frame.headers.get(":event-type", frame.headers.get(":exception-type")) for frame in frames
    ]
    assert kinds == ["initial-response", "sessionStart", "SessionTimeoutException"]
    assert orjson.loads(frames[2].payload) == {"message": "over"}


def test_a_frame_keeps_every_kind_of_header() -> None:
    headers = {"yes": True, "no": False, "int": -5, "long": 1 << 40, "text": "é", "raw": b"\x00"}
    found = decode_frame(encode_frame(headers, b"payload") + b"more")
    assert found == (Frame(headers, b"payload"), b"more")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    stamped = decode_frame(encode_frame({"at": moment}, b""))
    assert stamped is not None
    assert stamped[0].headers == {"at": 1767225600000}


def test_a_damaged_frame_is_refused() -> None:
    whole = encode_frame({"a": "b"}, b"payload")
    assert all(decode_frame(whole[:size]) is None for size in range(len(whole)))
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x40
        with pytest.raises(Malformed):
            decode_frame(bytes(damaged))


@pytest.mark.parametrize("pieces", [[], [b"[]"], [b'[{"field":"a","value":"1"}],[]', b"[]"]])
def test_a_list_that_is_json_already_is_sent_piece_by_piece(pieces):
    async def elements() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def sent() -> list[bytes]:
        codec = codec_for("logs")
        operation, _ = codec.parse(
            request(
                "POST", "/", b'{"queryId":"q"}', (b"x-amz-target", b"Logs_20140328.GetQueryResults")
            )
        )
        result = {"status": "Complete", "results": JsonElements(elements())}
        response = codec.render(operation, result, "r")
        assert isinstance(response.body, AsyncIterator)
        return [piece async for piece in response.body]

    found = asyncio.run(sent())
    assert orjson.loads(b"".join(found)) == {
        "status": "Complete",
        "results": orjson.loads(b"[%b]" % b",".join(pieces)),
    }
    assert len(found) == len(pieces) + 1
