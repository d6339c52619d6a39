"""What may be the target of a schedule, and the call that a tick becomes."""

import pytest

from alonzo.model.deliveries import ServiceCall
from alonzo.model.errors import AwsError
from alonzo.services.scheduler.targets import (
    Invocation,
    Offers,
    check_answer,
    check_target,
    planned,
    with_defaults,
)

REGION = "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:f"
QUEUE = f"arn:aws:sqs:{REGION}:123456789012:q"
BUS = f"arn:aws:events:{REGION}:123456789012:event-bus/default"
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:"
PARAMETERS = {"EventBridgeParameters": {"Source": "s", "DetailType": "d"}}
OFFERS = Offers(
    lambda service: service in ("sqs", "events"),
    lambda service, action: (service, action) == ("sqs", "sendMessage"),
)


def check(arn, **more):
    check_target({"Arn": arn, "RoleArn": "r", **more}, REGION, OFFERS)


@pytest.mark.parametrize(
    ("arn", "more"),
    [
        (FUNCTION, {}),
        (f"{FUNCTION}:prod", {"Input": "[1]"}),
        (QUEUE, {"Input": "no JSON"}),
        (f"{QUEUE}.fifo", {"SqsParameters": {"MessageGroupId": "g"}}),
        (BUS, PARAMETERS),
        (f"{UNIVERSAL}sqs:sendMessage", {"Input": "{}"}),
        (
            f"{UNIVERSAL}lambda:invoke",
            {"Input": '{"FunctionName": "f", "InvocationType": "Event"}'},
        ),
    ],
)
def test_a_target_is_taken(arn, more):
    check(arn, **more)


@pytest.mark.parametrize(
    ("arn", "more", "text"),
    [
        ("nonsense", {}, "Provided Arn is not in correct format."),
        (FUNCTION.replace(":123456789012", ":"), {}, "Provided Arn is not in correct format."),
        (f"arn:aws:sqs:{REGION}:123456789012:a/b", {}, "Provided Arn is not in correct format."),
        (
            QUEUE.replace(REGION, "us-east-1"),
            {},
            "The target ARN provided does not match the current region eu-west-1.",
        ),
        (f"arn:aws:ec2:{REGION}:1:i/x", {}, "Provided Arn is not in correct format."),
        (
            f"arn:aws:ec2:{REGION}:123456789012:instance/x",
            {},
            "ec2 is not a supported service for a target",
        ),
        (
            f"arn:aws:kinesis:{REGION}:123456789012:stream/s",
            {},
            "A target of Kinesis is not supported by Alonzo: that service is not here.",
        ),
        (
            f"arn:aws:states:{REGION}:123456789012:stateMachine:m",
            {},
            "A target of Step Functions is not supported by Alonzo: that service is not here.",
        ),
        (
            f"arn:aws:sns:{REGION}:123456789012:t",
            {},
            "A target of sns is not supported by Alonzo: that service is not here yet.",
        ),
        (FUNCTION, {"Input": "{"}, "JSON syntax error in input for the target"),
        (FUNCTION, {"Input": "[" * 100_000}, "JSON syntax error in input for the target"),
        (FUNCTION, PARAMETERS, "Parameters EventBridgeParameters not supported for the target."),
        (f"{QUEUE}.fifo", {}, "Parameters SqsParameters must be specified."),
        (
            QUEUE,
            {"SqsParameters": {"MessageGroupId": "g"}},
            "Parameters MessageGroupId not valid for the target.",
        ),
        (BUS, {}, "Parameters EventBridgeParameters must be specified."),
        (QUEUE, {"Input": "é" * 131_073}, "The Input of a target can have no more than 256 KB."),
        (
            QUEUE,
            {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:d"}},
            "The DeadLetterConfig must name a queue of the schedule's region.",
        ),
        (f"{UNIVERSAL}sqs:getQueueUrl", {"Input": "{}"}, "getQueueUrl API is not supported"),
        (
            f"{UNIVERSAL}sqs:sendMessage",
            {},
            "You must provide an input to set this target for your schedule",
        ),
        (
            f"{UNIVERSAL}sqs:sendMessage",
            {"Input": "[]"},
            "JSON syntax error in input for the target",
        ),
        (
            f"{UNIVERSAL}ec2:startInstances",
            {"Input": "{}"},
            "ec2:startInstances is not supported by Alonzo: there is no such operation here.",
        ),
        (
            f"arn:aws:scheduler:{REGION}:123456789012:aws-sdk:sqs:sendMessage",
            {"Input": "{}"},
            "scheduler is not a supported service for a target",
        ),
        (
            f"{UNIVERSAL}lambda:invoke",
            {"Input": '{"FunctionName": "f"}'},
            "lambda:invoke that waits for the function is not supported by Alonzo: give "
            '"InvocationType": "Event", or the ARN of the function as the target.',
        ),
        (
            f"{UNIVERSAL}lambda:invoke",
            {"Input": '{"FunctionName": 3}'},
            "The parameters of lambda:invoke need a FunctionName.",
        ),
    ],
)
def test_another_target_is_refused(arn, more, text):
    with pytest.raises(AwsError) as caught:
        check(arn, **more)
    assert (caught.value.code, caught.value.message) == ("ValidationException", text)


def read(service, action, document):
    return ServiceCall(service, action, {"document": document})


URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"


@pytest.mark.parametrize(
    ("target", "call"),
    [
        ({"Arn": FUNCTION}, Invocation(FUNCTION, None, b"{}")),
        (
            {"Arn": QUEUE},
            ServiceCall("sqs", "SendMessage", {"QueueUrl": URL, "MessageBody": "{}"}),
        ),
        (
            {"Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}},
            ServiceCall(
                "sqs",
                "SendMessage",
                {"QueueUrl": f"{URL}.fifo", "MessageBody": "{}", "MessageGroupId": "g"},
            ),
        ),
        (
            {"Arn": BUS, **PARAMETERS},
            ServiceCall(
                "events",
                "PutEvents",
                {
                    "Entries": [
                        {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": BUS}
                    ]
                },
            ),
        ),
        (
            {"Arn": f"{UNIVERSAL}sqs:sendMessage"},
            ServiceCall("sqs", "sendMessage", {"document": b"{}"}),
        ),
    ],
)
def test_a_tick_becomes_a_call(target, call):
    assert planned(target, "{}", read) == call


def test_an_event_is_put_down_for_a_function_by_any_of_its_names():
    text = '{"FunctionName": "f", "InvocationType": "Event", "Qualifier": "1", "Payload": "[1]"}'
    found = planned({"Arn": f"{UNIVERSAL}lambda:invoke"}, text, read)
    assert found == Invocation("f", "1", b"[1]")


def test_an_event_that_the_bus_refuses_is_a_failure():
    call = ServiceCall("events", "PutEvents", {})
    check_answer(call, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}
    with pytest.raises(AwsError, match="ThrottlingException"):
        check_answer(call, refused)


def test_a_retry_policy_is_completed():
    policy = {"MaximumRetryAttempts": 0}
    assert with_defaults({"RetryPolicy": policy})["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 86_400,
        "MaximumRetryAttempts": 0,
    }
