"""SQS's queues as their users meet them: making and setting them, URLs, redrive, policies."""

import json

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow

ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}"
#: What GetQueueAttributes shows of a new standard queue, but for times and its ARN.
DEFAULTS = {
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}


@pytest.fixture
def sqs(boto):
    return boto("sqs")


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-_")


@pytest.fixture
def household(platform):
    made = Household(platform)
    yield made
    made.close()


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def make(sqs, name, tags=None, **attributes):
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in attributes.items()
    }
    return sqs.create_queue(QueueName=name, Attributes=texts, tags=tags or {})["QueueUrl"]


def attributes_of(sqs, url, *names):
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names or ["All"])
    return answer.get("Attributes", {})


def bodies(sqs, url, **params):
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **params)
    return [message["Body"] for message in found.get("Messages", ())]


def test_a_queue_is_made_once_and_found_by_its_name(sqs, platform, name):
    url = make(sqs, name, VisibilityTimeout="20")
    assert url == f"{platform.endpoint}/{ACCOUNT}/{name}"
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    # Again, with equal attributes or none, it is the same queue.
    assert make(sqs, name, VisibilityTimeout="20") == url
    assert make(sqs, name) == url
    assert refusal(sqs.create_queue, QueueName=name, Attributes={"DelaySeconds": "2"}) == (
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute "
        "DelaySeconds",
    )
    shown = attributes_of(sqs, url)
    made, changed = shown.pop("CreatedTimestamp"), shown.pop("LastModifiedTimestamp")
    assert made == changed
    assert shown == {**DEFAULTS, "VisibilityTimeout": "20", "QueueArn": f"{ARN}:{name}"}
    sqs.delete_queue(QueueUrl=url)
    gone = ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
    assert refusal(sqs.get_queue_url, QueueName=name) == gone
    assert refusal(sqs.delete_queue, QueueUrl=url) == gone
    assert refusal(sqs.receive_message, QueueUrl=url) == gone


def test_handlers_of_old_and_new_names_of_an_error_both_work(sqs):
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="there-is-none")
    error = caught.value.response["Error"]
    assert error["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert error["QueryErrorCode"] == "QueueDoesNotExist"
    assert error["Type"] == "Sender"


def test_a_queue_made_anew_has_none_of_the_old_messages(sqs, name):
    url = make(sqs, name)
    sqs.send_message(QueueUrl=url, MessageBody="old")
    sqs.delete_queue(QueueUrl=url)
    assert make(sqs, name) == url
    assert bodies(sqs, url) == []


@pytest.mark.parametrize(
    ("names", "attributes", "refused"),
    [
        (
            "no spaces",
            {},
            (
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in "
                "length",
            ),
        ),
        (
            "q",
            {"FifoQueue": "true"},
            (
                "InvalidParameterValue",
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
                "underscores, must end with .fifo suffix and be 1 to 80 in length.",
            ),
        ),
        ("q", {"FifoQueue": "false"}, ("InvalidAttributeName", "Unknown Attribute FifoQueue.")),
        ("q", {"Colour": "red"}, ("InvalidAttributeName", "Unknown Attribute Colour.")),
        ("q", {"QueueArn": "a"}, ("InvalidAttributeName", "Unknown Attribute QueueArn.")),
        (
            "q",
            {"DeduplicationScope": "queue"},
            (
                "InvalidAttributeName",
                "You can specify the DeduplicationScope only when FifoQueue is set to true.",
            ),
        ),
        (
            "q",
            {"VisibilityTimeout": "43201"},
            ("InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."),
        ),
        (
            "q",
            {"MessageRetentionPeriod": "59"},
            ("InvalidAttributeValue", "Invalid value for the parameter MessageRetentionPeriod."),
        ),
        (
            "q",
            {"Policy": "{}"},
            ("InvalidAttributeValue", "Invalid value for the parameter Policy."),
        ),
        (
            "q",
            {"RedrivePolicy": '{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}'},
            (
                "InvalidParameterValue",
                'Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter '
                "RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn.",
            ),
        ),
        (
            "q.fifo",
            {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"},
            ("InvalidAttributeValue", "Invalid value for the parameter FifoThroughputLimit."),
        ),
        (
            "q",
            {"KmsMasterKeyId": "alias/aws/sqs", "SqsManagedSseEnabled": "true"},
            (
                "InvalidAttributeName",
                "You can use one type of server-side encryption (SSE) at one time. You can either "
                "enable KMS SSE or SQS SSE.",
            ),
        ),
    ],
)
def test_what_cannot_be_made(sqs, names, attributes, refused):
    assert refusal(sqs.create_queue, QueueName=names, Attributes=attributes) == refused


def test_attributes_change_at_once(sqs, name):
    url = make(sqs, name)
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"DelaySeconds": "900", "MaximumMessageSize": "1024"}
    )
    assert attributes_of(sqs, url, "DelaySeconds", "MaximumMessageSize", "Policy") == {
        "DelaySeconds": "900",
        "MaximumMessageSize": "1024",
    }
    assert refusal(sqs.send_message, QueueUrl=url, MessageBody="x" * 1025) == (
        "InvalidParameterValue",
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
    )
    sqs.send_message(QueueUrl=url, MessageBody="later")
    counts = attributes_of(sqs, url, "ApproximateNumberOfMessagesDelayed")
    assert counts == {"ApproximateNumberOfMessagesDelayed": "1"}
    assert refusal(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Colour"]) == (
        "InvalidAttributeName",
        "Unknown Attribute Colour.",
    )
    assert refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes={"DelaySeconds": "901"}) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter DelaySeconds.",
    )


def test_a_fifo_queue_shows_what_only_it_has(sqs, name):
    url = make(sqs, f"{name}.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    shown = attributes_of(sqs, url)
    assert {key: shown[key] for key in shown.keys() - DEFAULTS.keys() if "Time" not in key} == {
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "queue",
        "FifoQueue": "true",
        "FifoThroughputLimit": "perQueue",
        "QueueArn": f"{ARN}:{name}.fifo",
    }
    high = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=high)
    assert attributes_of(sqs, url, *high) == high


def test_lists_have_a_prefix_and_pages(sqs, name):
    assert sqs.list_queues(QueueNamePrefix=name).get("QueueUrls") is None
    urls = [make(sqs, f"{name}-{each}") for each in range(5)]
    assert sqs.list_queues(QueueNamePrefix=f"{name}-")["QueueUrls"] == urls
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix=f"{name}-", PaginationConfig={"PageSize": 2}
    )
    assert [page["QueueUrls"] for page in pages] == [urls[:2], urls[2:4], urls[4:]]
    assert refusal(sqs.list_queues, MaxResults=0)[0] == "InvalidParameterValue"
    assert refusal(sqs.list_queues, MaxResults=2, NextToken="?")[0] == "InvalidParameterValue"


def test_tags_and_permissions(sqs, name):
    url = make(sqs, name, tags={"a": "1"})
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2", "a": "3"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "3", "b": "2"}
    sqs.untag_queue(QueueUrl=url, TagKeys=["a", "c"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}

    sqs.add_permission(
        QueueUrl=url, Label="L", AWSAccountIds=["111111111111"], Actions=["SendMessage"]
    )
    assert json.loads(attributes_of(sqs, url, "Policy")["Policy"]) == {
        "Version": "2008-10-17",
        "Id": f"{ARN}:{name}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "L",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                "Action": "SQS:SendMessage",
                "Resource": f"{ARN}:{name}",
            }
        ],
    }
    again = {"QueueUrl": url, "Label": "L", "AWSAccountIds": ["1" * 12], "Actions": ["*"]}
    assert refusal(sqs.add_permission, **again) == (
        "InvalidParameterValue",
        "Value L for parameter Label is invalid. Reason: Already exists.",
    )
    sqs.remove_permission(QueueUrl=url, Label="L")
    assert attributes_of(sqs, url, "Policy") == {}
    assert refusal(sqs.remove_permission, QueueUrl=url, Label="L") == (
        "InvalidParameterValue",
        "Value L for parameter Label is invalid. Reason: can't find label.",
    )


def test_a_purge_leaves_nothing_and_may_not_be_repeated_at_once(sqs, name):
    url = make(sqs, name)
    sqs.send_message_batch(
        QueueUrl=url, Entries=[{"Id": str(each), "MessageBody": "m"} for each in range(10)]
    )
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=5)
    sqs.purge_queue(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="new")
    assert bodies(sqs, url) == ["new"]
    assert attributes_of(sqs, url)["ApproximateNumberOfMessagesNotVisible"] == "1"
    assert refusal(sqs.purge_queue, QueueUrl=url) == (
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.",
    )


@pytest.fixture
def pair(sqs, name):
    """A queue whose messages are dead after one receive, and its dead-letter queue."""
    dead = make(sqs, f"{name}-dead")
    redrive = {"deadLetterTargetArn": f"{ARN}:{name}-dead", "maxReceiveCount": "1"}
    live = make(sqs, name, RedrivePolicy=redrive, VisibilityTimeout="0")
    return live, dead


def bury(sqs, pair, *texts):
    live, dead = pair
    for text in texts:
        sqs.send_message(QueueUrl=live, MessageBody=text)
    for _ in range(2):
        bodies(sqs, live)
    assert attributes_of(sqs, dead)["ApproximateNumberOfMessages"] == str(len(texts))


def test_dead_letters_and_who_sends_them(sqs, pair, name):
    live, dead = pair
    assert json.loads(attributes_of(sqs, live, "RedrivePolicy")["RedrivePolicy"]) == {
        "deadLetterTargetArn": f"{ARN}:{name}-dead",
        "maxReceiveCount": 1,
    }
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [live]
    assert sqs.list_dead_letter_source_queues(QueueUrl=live)["queueUrls"] == []
    bury(sqs, pair, "bad")
    found = sqs.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["All"])["Messages"][0]
    assert found["Attributes"]["DeadLetterQueueSourceArn"] == f"{ARN}:{name}"
    sqs.set_queue_attributes(QueueUrl=live, Attributes={"RedrivePolicy": ""})
    assert attributes_of(sqs, live, "RedrivePolicy") == {}


def test_dead_letter_queues_that_a_queue_cannot_have(sqs, name):
    make(sqs, f"{name}.fifo", FifoQueue="true")
    closed = make(sqs, f"{name}-closed", RedriveAllowPolicy={"redrivePermission": "denyAll"})
    shown = attributes_of(sqs, closed, "RedriveAllowPolicy")["RedriveAllowPolicy"]
    assert json.loads(shown) == {"redrivePermission": "denyAll"}
    url = make(sqs, name)

    def reason(arn, count="3"):
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count})
        attributes = {"RedrivePolicy": redrive}
        code, message = refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes=attributes)
        assert code == "InvalidParameterValue"
        return message.partition("Reason: ")[2]

    assert reason(f"{ARN}:none") == "Dead letter target does not exist."
    assert reason(f"{ARN}:{name}.fifo").startswith("Dead-letter queue must be same type")
    assert reason(f"{ARN}:{name}-closed").startswith("The dead-letter queue does not allow")
    assert reason(f"{ARN}:{name}-closed", "0").startswith("Invalid value for maxReceiveCount: 0")
    other = f"arn:aws:sqs:us-east-1:111111111111:{name}"
    assert reason(other) == "Dead letter target owner should be same as the source."


def tasks_of(sqs, arn):
    return sqs.list_message_move_tasks(SourceArn=arn, MaxResults=10)["Results"]


def test_dead_letters_are_moved_back(sqs, pair, name, eventually):
    live, _ = pair
    arn = f"{ARN}:{name}-dead"
    bury(sqs, pair, "a", "b", "c")
    handle = sqs.start_message_move_task(SourceArn=arn)["TaskHandle"]
    assert handle
    eventually(lambda: tasks_of(sqs, arn)[0]["Status"] == "COMPLETED", 10)
    (task,) = tasks_of(sqs, arn)
    assert task.pop("StartedTimestamp") > 1e12
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": arn,
        "ApproximateNumberOfMessagesMoved": 3,
        "ApproximateNumberOfMessagesToMove": 3,
    }
    assert sorted(bodies(sqs, live)) == ["a", "b", "c"]
    assert refusal(sqs.cancel_message_move_task, TaskHandle=handle)[0] == "InvalidParameterValue"


def test_a_slow_task_is_cancelled_and_only_one_runs(sqs, pair, name, eventually):
    arn = f"{ARN}:{name}-dead"
    bury(sqs, pair, "a", "b")
    start = {
        "SourceArn": arn,
        "DestinationArn": f"{ARN}:{name}",
        "MaxNumberOfMessagesPerSecond": 1,
    }
    handle = sqs.start_message_move_task(**start)["TaskHandle"]
    assert refusal(sqs.start_message_move_task, **start) == (
        "InvalidParameterValue",
        "There is already a task running. Only one active task is allowed for a source queue arn "
        "at a given time.",
    )
    (task,) = tasks_of(sqs, arn)
    assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
    assert task["MaxNumberOfMessagesPerSecond"] == 1
    assert "ApproximateNumberOfMessagesMoved" in sqs.cancel_message_move_task(TaskHandle=handle)
    eventually(lambda: tasks_of(sqs, arn)[0]["Status"] == "CANCELLED", 10)


def test_tasks_that_cannot_be(sqs, name):
    make(sqs, name)
    missing = "The resource that you specified for the {} parameter doesn't exist."
    assert refusal(sqs.start_message_move_task, SourceArn=f"{ARN}:{name}") == (
        "InvalidParameterValue",
        "Source queue must be configured as a Dead Letter Queue.",
    )
    assert refusal(sqs.start_message_move_task, SourceArn=f"{ARN}:none") == (
        "ResourceNotFoundException",
        missing.format("SourceArn"),
    )
    assert refusal(sqs.list_message_move_tasks, SourceArn="nonsense")[0] == "InvalidParameterValue"
    assert refusal(sqs.cancel_message_move_task, TaskHandle="x") == (
        "InvalidParameterValue",
        "Value for parameter TaskHandle is invalid.",
    )


def test_a_queue_answers_to_every_form_of_its_url(sqs, name):
    make(sqs, name)
    for url in (
        f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{name}",
        f"http://localhost:4566/{ACCOUNT}/{name}",
        f"http://sqs.us-east-1.localhost:4566/{ACCOUNT}/{name}",
        f"http://localhost:4566/queue/us-east-1/{ACCOUNT}/{name}",
        name,
    ):
        assert attributes_of(sqs, url, "QueueArn") == {"QueueArn": f"{ARN}:{name}"}, url
    missing = "AWS.SimpleQueueService.NonExistentQueue"
    for url in (
        f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/{name}",
        f"http://localhost:4566/queue/eu-west-1/{ACCOUNT}/{name}",
    ):
        assert refusal(sqs.purge_queue, QueueUrl=url)[0] == missing, url
    # Another account says nothing about its queues.
    other = f"http://localhost:4566/111111111111/{name}"
    assert refusal(sqs.purge_queue, QueueUrl=other)[0] == "AccessDenied"
    for url in (f"{ARN}:{name}", "http://localhost:4566/", "no queue"):
        assert refusal(sqs.purge_queue, QueueUrl=url) == (
            "InvalidAddress",
            f"The address {url} is not valid for this endpoint.",
        )


def test_a_queue_is_in_one_region(boto, sqs, name):
    url = make(sqs, name)
    elsewhere = boto("sqs", "eu-west-1")
    assert refusal(elsewhere.get_queue_url, QueueName=name)[0].endswith("NonExistentQueue")
    assert refusal(elsewhere.purge_queue, QueueUrl=url)[0].endswith("NonExistentQueue")


def test_policies_of_callers_and_of_queues_decide(household, sqs, name):
    url, arn = make(sqs, name), f"{ARN}:{name}"
    caller = household.client(
        "sqs", household.user(name[-30:], allow("sqs:ReceiveMessage", on=arn))
    )
    assert bodies(caller, url) == []
    code, message = refusal(caller.send_message, QueueUrl=url, MessageBody="m")
    assert code == "AccessDenied"
    assert "is not authorized to perform: sqs:sendmessage on resource: " + arn in message
    assert refusal(caller.list_queues)[0] == "AccessDenied"
    # A queue's policy lets in, and keeps out.
    policy = {"Statement": statement_for("*", "sqs:SendMessage", arn)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    caller.send_message(QueueUrl=url, MessageBody="m")
    deny = {**statement_for("*", "sqs:ReceiveMessage", arn), "Effect": "Deny"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [deny]})})
    assert refusal(caller.receive_message, QueueUrl=url)[0] == "AccessDenied"


def statement_for(principal, action, arn):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn}


def stored_bytes(platform):
    return b"".join(path.read_bytes() for path in platform.data_dir.glob("*.db*"))


def test_bodies_are_encrypted_where_a_key_is_named(boto, platform, household, sqs, name):
    kms = boto("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for suffix, key_id in (("-own", key), ("-managed", "alias/aws/sqs")):
        url = make(sqs, name + suffix, KmsMasterKeyId=key_id)
        shown = attributes_of(sqs, url)
        assert shown["KmsMasterKeyId"] == key_id
        assert shown["KmsDataKeyReusePeriodSeconds"] == "300"
        assert shown["SqsManagedSseEnabled"] == "false"
        text = f"secret {name}{suffix}"
        sqs.send_message(QueueUrl=url, MessageBody=text)
        assert bodies(sqs, url, VisibilityTimeout=0) == [text]
        assert text.encode() not in stored_bytes(platform)
    plain = make(sqs, name)
    sqs.send_message(QueueUrl=plain, MessageBody=f"plain {name}")
    assert f"plain {name}".encode() in stored_bytes(platform)

    # Who may use the queue but not the key gets nothing out of it.
    caller = household.client("sqs", household.user(name[-30:], allow("sqs:*")))
    own = sqs.get_queue_url(QueueName=f"{name}-own")["QueueUrl"]
    for call in (caller.receive_message, caller.send_message):
        more = {"MessageBody": "m"} if call == caller.send_message else {}
        assert refusal(call, QueueUrl=own, **more)[0] == "KMS.AccessDeniedException"
    kms.disable_key(KeyId=key)
    assert refusal(sqs.send_message, QueueUrl=own, MessageBody="m")[0] == "KMS.DisabledException"
