"""The calls that hand records and dead letters over, as the service models have them."""

import pytest
from botocore.validate import validate_parameters

from alonzo.invoke.targets import check_answer, planned_call, probe, region_of
from alonzo.lib.clock import utc
from alonzo.model.deliveries import DeadLetter, Delivery
from alonzo.model.destinations import DEAD_LETTER, TargetKind, target_kind
from alonzo.model.errors import AwsError
from alonzo.testing.clients import botocore_session

SENDER = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST"
ARNS = {
    TargetKind.QUEUE: "arn:aws:sqs:eu-west-1:123456789012:q",
    TargetKind.TOPIC: "arn:aws:sns:eu-west-1:123456789012:t",
    TargetKind.EVENT_BUS: "arn:aws:events:eu-west-1:123456789012:event-bus/b",
    TargetKind.BUCKET: "arn:aws:s3:::bucket",
}
ID = "0b7e9a9c-1111-4222-8333-444455556666"
LETTER = DeadLetter("r-1", 200, "no")


def delivery(kind, **changes):
    values = {
        "request_id": ID,
        "sender_arn": SENDER,
        "target_arn": ARNS[kind],
        "trace_header": "Root=1-2;Lineage=1:a84cdf6d:0",
        "document": b'{"a":"\xc3\xa9"}',
        "role_arn": "arn:aws:iam::123456789012:role/r",
        "ended_at_s": 1_795_168_800.9,  # 2026-11-20T10:00:00.9Z
        **changes,
    }
    return Delivery(**values)


def call(kind, **changes):
    return planned_call(kind, delivery(kind, **changes))


def valid(made):
    """The parameters of a call, which the service model takes."""
    model = botocore_session().get_service_model(made.service)
    validate_parameters(made.params, model.operation_model(made.operation).input_shape)
    return made.params


def test_a_queue_gets_the_record_and_its_trace():
    made = call(TargetKind.QUEUE)
    assert (made.service, made.operation) == ("sqs", "SendMessage")
    assert valid(made) == {
        "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
        "MessageBody": '{"a":"é"}',
        "MessageSystemAttributes": {
            "AWSTraceHeader": {
                "DataType": "String",
                "StringValue": "Root=1-2;Lineage=1:a84cdf6d:0",
            }
        },
    }


def test_a_topic_gets_the_record():
    made = call(TargetKind.TOPIC)
    assert (made.service, made.operation) == ("sns", "Publish")
    assert valid(made) == {"TopicArn": ARNS[TargetKind.TOPIC], "Message": '{"a":"é"}'}


@pytest.mark.parametrize(("succeeded", "outcome"), [(True, "Success"), (False, "Failure")])
def test_a_bus_gets_an_event_of_lambda(succeeded, outcome):
    made = call(TargetKind.EVENT_BUS, succeeded=succeeded)
    assert (made.service, made.operation) == ("events", "PutEvents")
    assert valid(made) == {
        "Entries": [
            {
                "Time": utc(1_795_168_800),
                "Source": "lambda",
                "Resources": [ARNS[TargetKind.EVENT_BUS], SENDER],
                "DetailType": f"Lambda Function Invocation Result - {outcome}",
                "Detail": '{"a":"é"}',
                "EventBusName": ARNS[TargetKind.EVENT_BUS],
                "TraceHeader": "Root=1-2;Lineage=1:a84cdf6d:0",
            }
        ]
    }


def test_a_bucket_gets_an_object_whose_key_tells_function_and_time():
    made = call(TargetKind.BUCKET)
    assert (made.service, made.operation) == ("s3", "PutObject")
    assert valid(made) == {
        "Bucket": "bucket",
        "Key": f"aws/lambda/async/f/2026/11/20/2026-11-20T10.00.00-{ID}",
        "Body": '{"a":"é"}'.encode(),
    }


@pytest.mark.parametrize("kind", sorted(DEAD_LETTER))
def test_a_dead_letter_is_the_event_with_three_attributes(kind):
    params = valid(call(kind, dead_letter=LETTER))
    assert params["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": "r-1"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no"},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
    }
    without = valid(call(kind, dead_letter=DeadLetter("r-1", None, "no")))
    assert set(without["MessageAttributes"]) == {"RequestID", "ErrorMessage"}


@pytest.mark.parametrize("kind", ARNS)
def test_each_kind_can_be_asked_whether_it_exists(kind):
    assert valid(probe(kind, ARNS[kind]))


def test_an_entry_that_a_bus_refuses_is_an_error():
    refused = {"Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "m"}]}
    with pytest.raises(AwsError, match="InternalFailure: m"):
        check_answer(TargetKind.EVENT_BUS, refused)
    check_answer(TargetKind.EVENT_BUS, {"Entries": [{"EventId": "1"}]})
    check_answer(TargetKind.QUEUE, None)


def test_a_target_has_a_region_or_the_senders():
    assert region_of(ARNS[TargetKind.QUEUE], "us-east-1") == "eu-west-1"
    assert region_of(ARNS[TargetKind.BUCKET], "us-east-1") == "us-east-1"


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        *((arn, kind) for kind, arn in ARNS.items()),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f:live", TargetKind.FUNCTION),
        ("arn:aws:sqs:eu-west-1:123456789012:q.fifo", None),
        ("arn:aws:sns:eu-west-1:123456789012:t.fifo", None),
        ("arn:aws:iam::123456789012:role/r", None),
        ("kafka://topic", None),
        ("", None),
    ],
)
def test_the_kind_of_a_target_is_in_its_arn(arn, kind):
    assert target_kind(arn) is kind
