"""What names a queue, and what its attributes may be: the pure rules."""

import json

import pytest

from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.sqs.attributes import (
    checked_change,
    checked_for_new,
    differing,
    queue_of,
    shown,
)
from alonzo.services.sqs.names import key_of_arn, key_of_url
from alonzo.services.sqs.queue import QueueKey, Redrive, RedriveAllow
from alonzo.services.sqs.redrive import read_redrive, read_redrive_allow

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, REGION, ROOT, "http://h:1", "127.0.0.1")
KEY = QueueKey(ACCOUNT, REGION, "q")
ARN = KEY.arn


def queue(name="q", **attributes):
    key = QueueKey(ACCOUNT, REGION, name)
    checked = checked_for_new(name, attributes)
    return queue_of(1, 1, key, created_at_s=1.5, modified_at_s=2.5, attributes=checked, tags={})


def refused(call, *args):
    with pytest.raises(AwsError) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize(
    "url",
    [
        KEY.url("http://127.0.0.1:4566"),
        KEY.url("https://sqs.eu-west-1.amazonaws.com") + "/",
        KEY.url("https://sqs-fips.eu-west-1.api.aws"),
        KEY.url("https://eu-west-1.queue.amazonaws.com"),
        KEY.url("http://[::1]:4566"),
        # A host that looks like a region is no region.
        KEY.url("http://my-server-1.lan:4566"),
        KEY.url("http://localhost/queue/eu-west-1"),
        KEY.url(""),
        "q",
    ],
)
def test_a_url_of_any_form_names_its_queue(url):
    assert key_of_url(CONTEXT, url) == KEY


def test_an_account_in_a_url_counts():
    url = "http://h:1/111111111111/q.fifo"
    assert key_of_url(CONTEXT, url) == QueueKey("111111111111", REGION, "q.fifo")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "MissingRequiredParameterException"),
        (KEY.url("https://sqs.us-east-1.amazonaws.com"), "QueueDoesNotExist"),
        (KEY.url("https://us-east-1.queue.amazonaws.com"), "QueueDoesNotExist"),
        (KEY.url("http://localhost/queue/us-east-1"), "QueueDoesNotExist"),
        (ARN, "InvalidAddress"),
        (KEY.url("ftp://h"), "InvalidAddress"),
        (KEY.url("http://h/more"), "InvalidAddress"),
        ("http://h/1234/q", "InvalidAddress"),
        (f"http://h/{ACCOUNT}/q?x", "InvalidAddress"),
        ("q" * 81, "InvalidAddress"),
    ],
)
def test_what_is_no_url_of_a_queue_here(url, code):
    assert refused(key_of_url, CONTEXT, url) == code


def test_an_arn_names_a_queue_or_none():
    assert key_of_arn(ARN) == KEY
    for text in ("", ARN + ":x", ARN.replace("sqs", "sns"), ARN + "/x", "q"):
        assert key_of_arn(text) is None


def test_defaults_are_shown_and_what_was_set():
    found = shown(queue(DelaySeconds="007"))
    assert found["DelaySeconds"] == "7"
    assert found["VisibilityTimeout"] == "30"
    assert (found["CreatedTimestamp"], found["LastModifiedTimestamp"]) == ("1", "2")
    assert "KmsDataKeyReusePeriodSeconds" not in found
    assert "FifoQueue" not in found
    made = queue("q.fifo", FifoQueue="TRUE")
    assert made.is_fifo
    assert shown(made)["FifoQueue"] == "true"


def test_a_queue_differs_only_in_what_is_asked_for():
    made = queue(DelaySeconds="3")
    assert differing(made, {}) is None
    assert differing(made, {"VisibilityTimeout": "30", "DelaySeconds": "3"}) is None
    assert differing(made, {"VisibilityTimeout": "31"}) == "VisibilityTimeout"
    assert differing(made, {"RedrivePolicy": "x"}) == "RedrivePolicy"


def test_a_key_turns_the_other_encryption_off_until_it_is_taken_away():
    made = queue(KmsMasterKeyId="k")
    assert not made.managed_encryption
    assert shown(made)["SqsManagedSseEnabled"] == "false"
    assert refused(checked_change, made, {"SqsManagedSseEnabled": "true"}) == "InvalidAttributeName"
    changed = checked_change(made, {"KmsMasterKeyId": "", "SqsManagedSseEnabled": "true"})
    assert changed == {"SqsManagedSseEnabled": "true"}


def test_the_kind_of_a_queue_does_not_change():
    fifo = queue("q.fifo", FifoQueue="true")
    assert refused(checked_change, fifo, {"FifoQueue": "false"}) == "InvalidParameterValueException"
    assert checked_change(fifo, {"FifoQueue": "true"}) == {"FifoQueue": "true"}
    assert refused(checked_change, queue(), {"FifoQueue": "true"}) == "InvalidAttributeName"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DelaySeconds", "-1"),
        ("DelaySeconds", " 1"),
        ("DelaySeconds", "1.0"),
        ("DelaySeconds", "\u0661"),
        ("MaximumMessageSize", "1023"),
        ("MaximumMessageSize", "1048577"),
        ("KmsDataKeyReusePeriodSeconds", "59"),
        ("SqsManagedSseEnabled", "yes"),
        ("RedriveAllowPolicy", "[]"),
        ("RedriveAllowPolicy", '{"redrivePermission": "byQueue"}'),
        ("RedriveAllowPolicy", '{"redrivePermission": "byQueue", "sourceQueueArns": ["x"]}'),
        ("Policy", "x" * 9000),
    ],
)
def test_values_that_an_attribute_cannot_have(name, value):
    assert refused(checked_for_new, "q", {name: value}) == "InvalidAttributeValue"


def test_a_policy_is_about_queues():
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": ARN}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert refused(checked_for_new, "q", {"Policy": text}) == "InvalidParameterValueException"
    text = text.replace("sns:Publish", "SQS:SendMessage")
    assert queue(Policy=text).policy == text


@pytest.mark.parametrize("count", [1, "1", 1000])
def test_a_redrive_policy_is_shown_as_it_is_understood(count):
    text = json.dumps({"maxReceiveCount": count, "deadLetterTargetArn": ARN, "more": 1})
    redrive, canonical = read_redrive(text)
    assert redrive == Redrive(ARN, int(count))
    assert canonical == f'{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":{int(count)}}}'
    assert read_redrive(canonical) == (redrive, canonical)


@pytest.mark.parametrize("count", [0, 1001, "x", True, 1.5, None, "1" * 20])
def test_counts_that_are_none(count):
    text = json.dumps({"deadLetterTargetArn": ARN, "maxReceiveCount": count})
    assert refused(read_redrive, text) == "InvalidParameterValueException"


def test_who_may_send_dead_letters():
    other = QueueKey(ACCOUNT, REGION, "other").arn
    text = json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [ARN]})
    allow, _ = read_redrive_allow(text)
    assert (allow.allows(ARN), allow.allows(other)) == (True, False)
    assert RedriveAllow("allowAll").allows(other)
    assert not RedriveAllow("denyAll").allows(ARN)
