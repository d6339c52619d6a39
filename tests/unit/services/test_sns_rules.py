"""Rules of SNS without a store: messages, delivery policies, addresses, URLs, envelopes."""

import json

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.sns import envelopes, messages
from alonzo.services.sns.addresses import may_post_to
from alonzo.services.sns.arns import check_name, one_page
from alonzo.services.sns.delivery_policies import (
    MANAGED,
    effective_topic_policy,
    http_policy,
    read_subscription_policy,
    read_topic_policy,
)
from alonzo.services.sns.posting import read_endpoint
from alonzo.services.sns.records import Kind, Message, State, Subscription, Topic
from alonzo.services.sns.subscription_attributes import with_attributes

ARN = "arn:aws:sns:us-east-1:000000000000:t"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
TOPIC = Topic(ARN, 0.0, {}, {})
FIFO = Topic(f"{ARN}.fifo", 0.0, {"ContentBasedDeduplication": "true"}, {})


def refusal(work, *args, **kwargs):
    with pytest.raises(AwsError) as caught:
        work(*args, **kwargs)
    return caught.value.message


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"Message": ""}, "Invalid parameter: Empty message"),
        ({"Message": "m", "Subject": ""}, "Invalid parameter: Subject"),
        ({"Message": "m", "Subject": "a\nb"}, "Invalid parameter: Subject"),
        ({"Message": "m", "Subject": "x" * 101}, "Invalid parameter: Subject"),
        ({"Message": "m", "MessageDeduplicationId": "d"}, "not valid for this topic type"),
        ({"Message": "m", "MessageGroupId": "a b"}, "MessageGroupId Reason"),
        ({"Message": "m", "MessageAttributes": {".a": {}}}, "starting with character '.'"),
        ({"Message": "m", "MessageAttributes": {"a.": {}}}, "ending with character '.'"),
        ({"Message": "m", "MessageAttributes": {"a..b": {}}}, "successive '.'"),
        ({"Message": "m", "MessageAttributes": {"a!": {}}}, "character '#x21'"),
        (
            {"Message": "m", "MessageAttributes": {"a": {"DataType": "Text"}}},
            "invalid message attribute type",
        ),
        (
            {"Message": "m", "MessageAttributes": {"a": {"DataType": "String"}}},
            "must contain non-empty message attribute value",
        ),
        (
            {
                "Message": "m",
                "MessageAttributes": {"a": {"DataType": "Number", "BinaryValue": b"1"}},
            },
            "must use field 'String'",
        ),
        (
            {
                "Message": "m",
                "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}},
            },
            "Could not cast",
        ),
    ],
)
def test_a_message_that_is_none_is_refused(params, said):
    assert said in refusal(messages.check_message, TOPIC, params)


def test_a_fifo_topic_wants_a_group_and_something_to_tell_duplicates_by():
    assert "MessageGroupId parameter is required" in refusal(
        messages.check_message, FIFO, {"Message": "m"}
    )
    plain = Topic(FIFO.arn, 0.0, {}, {})
    params = {"Message": "m", "MessageGroupId": "g"}
    assert "ContentBasedDeduplication enabled" in refusal(messages.check_message, plain, params)
    messages.check_message(FIFO, params)
    assert len(messages.deduplication_of(FIFO, params)) == 64


def test_texts_may_differ_by_protocol():
    given = json.dumps({"default": "d", "sqs": "q", "lambda": 5, "email": "e"})
    texts = messages.texts_of({"Message": given, "MessageStructure": "json"})
    assert texts == {"default": "d", "sqs": "q"}
    for text, said in [
        ("[]", "failed to parse"),
        ("{", "failed to parse"),
        ('{"default": "1", "default": "2"}', "failed to parse"),
        ('{"sqs": "q"}', "No default entry"),
        ('{"default": "\\ud800"}', "failed to parse"),
    ]:
        params = {"Message": text, "MessageStructure": "json"}
        assert said in refusal(messages.texts_of, params)


def test_attributes_count_for_the_size():
    attributes = {"ab": {"DataType": "Binary", "BinaryValue": b"123"}}
    assert messages.size_of({"Message": "\u00e9", "MessageAttributes": attributes}) == 2 + 2 + 6 + 3
    refusal(messages.check_size, TOPIC, 262_145)
    messages.check_size(Topic(ARN, 0.0, {"MaximumMessageSize": "1048576"}, {}), 262_145)


def test_names_of_topics():
    check_name("a_b-C1", fifo=False)
    check_name("a.fifo", fifo=True)
    for name, fifo in [("a.fifo", False), ("a", True), ("", False), ("x" * 257, False)]:
        refusal(check_name, name, fifo=fifo)


def test_pages_end_and_go_on():
    names = [f"{n:04d}" for n in range(250)]
    page, token = one_page(names, None, str)
    assert (len(page), token is None) == (100, False)
    page, token = one_page(names, token, str)
    page, token = one_page(names, token, str)
    assert (page[-1], token) == ("0249", None)
    refusal(one_page, names, "!", str)


def test_functions_and_queues_are_tried_for_23_days():
    delays = [MANAGED.delay_s(made) for made in range(1, 16)]
    assert delays[:5] == [0, 0, 0, 1, 1]
    assert delays[5:] == sorted(delays[5:])
    assert (delays[5], delays[14]) == (1, 20)
    assert MANAGED.delay_s(100_014) == 20
    assert MANAGED.delay_s(100_015) is None
    days = sum(MANAGED.delay_s(made) for made in range(1, 100_015)) / 86_400
    assert 23 < days < 24


def test_http_is_tried_as_its_policies_say():
    assert [http_policy(None, None).delay_s(made) for made in (1, 2, 3, 4)] == [20, 20, 20, None]
    own = {
        "healthyRetryPolicy": {
            "minDelayTarget": 2,
            "maxDelayTarget": 8,
            "numRetries": 7,
            "numNoDelayRetries": 1,
            "numMinDelayRetries": 1,
            "numMaxDelayRetries": 2,
            "backoffFunction": "linear",
        },
        "throttlePolicy": {"maxReceivesPerSecond": 3},
        "requestPolicy": {"headerContentType": "application/json"},
    }
    policy = http_policy(json.dumps(own), None)
    assert [policy.delay_s(made) for made in range(1, 9)] == [0, 2, 2, 5, 8, 8, 8, None]
    assert (policy.per_s, policy.content_type) == (3, "application/json")
    topic = {"http": {"defaultThrottlePolicy": {"maxReceivesPerSecond": 1}}}
    assert http_policy(None, json.dumps(topic)).per_s == 1
    topic["http"]["disableSubscriptionOverrides"] = True
    assert http_policy(json.dumps(own), json.dumps(topic)).per_s == 1
    assert effective_topic_policy(None)["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3


@pytest.mark.parametrize("curve", ["linear", "arithmetic", "geometric", "exponential"])
def test_backoff_only_grows(curve):
    own = {
        "healthyRetryPolicy": {
            "minDelayTarget": 1,
            "maxDelayTarget": 60,
            "numRetries": 10,
            "backoffFunction": curve,
        }
    }
    policy = http_policy(json.dumps(own), None)
    delays = [policy.delay_s(made) for made in range(1, 11)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (1, 60)


@pytest.mark.parametrize(
    "policy",
    [
        "{",
        "[]",
        '{"other": 1}',
        '{"healthyRetryPolicy": {"numRetries": 101}}',
        '{"healthyRetryPolicy": {"numRetries": 1e400}}',
        '{"healthyRetryPolicy": {"numRetries": true}}',
        '{"healthyRetryPolicy": {"minDelayTarget": 30}}',
        '{"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 2}}',
        '{"healthyRetryPolicy": {"backoffFunction": "x"}}',
        '{"healthyRetryPolicy": {"maxDelayTarget": 3600, "numRetries": 100}}',
        '{"throttlePolicy": {"maxReceivesPerSecond": 0}}',
        '{"requestPolicy": {"headerContentType": "a\\r\\nb: c"}}',
        json.dumps({"guaranteed": "x" * 9000}),
    ],
)
def test_a_delivery_policy_that_is_none_is_refused(policy):
    refusal(read_subscription_policy, policy)


def test_a_redrive_policy_has_a_length():
    subscription = Subscription(
        f"{ARN}:s", ARN, 0.0, "sqs", QUEUE, "000000000000", "", "", State.CONFIRMED, {}
    )
    policy = {"deadLetterTargetArn": QUEUE, "more": "x"}
    assert with_attributes(subscription, {"RedrivePolicy": json.dumps(policy)})
    policy["more"] = "x" * 9000
    long = {"RedrivePolicy": json.dumps(policy)}
    assert "too long" in refusal(with_attributes, subscription, long)


def test_a_topics_policy_is_all_about_http():
    read_topic_policy('{"http": {"defaultHealthyRetryPolicy": {"numRetries": 0}}}')
    for text in ('{"sqs": {}}', '{"http": {"x": 1}}', '{"http": []}'):
        refusal(read_topic_policy, text)


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("93.184.216.34", True),
        ("10.0.0.7", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("fd00::7", True),
        ("169.254.169.254", False),
        ("169.254.170.2", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("100.100.100.200", False),
        ("168.63.129.16", False),
        ("::ffff:169.254.169.254", False),
        ("::169.254.169.254", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::a9fe:a9fe", False),
        ("::ffff:0:a9fe:a9fe", False),
        ("2002:a9fe:a9fe::1", False),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("::", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("255.255.255.255", False),
        ("localhost", False),
    ],
)
def test_credentials_of_the_host_are_never_within_reach(address, fine):
    assert may_post_to(address) is fine


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///x",
        "ftp://h/",
        "http://h:0/",
        "http://h:99999/",
        "http://h/ x",
        "http://h/\r\nX: y",
        "http://h\u00e9/" + "x" * 3000,
        "http://[::1",
        "http://" + "a" * 70 + ".b/",
    ],
)
def test_a_url_that_cannot_be_posted_to_is_none(url):
    assert read_endpoint(url) is None


def test_a_url_is_taken_apart():
    found = read_endpoint("https://u%40:p@h.example:8443/a?b=1#c")
    assert (found.secure, found.host, found.port, found.target) == (
        True,
        "h.example",
        8443,
        "/a?b=1",
    )
    assert found.authorization == "Basic dUA6cA=="
    assert found.host_header == "h.example:8443"
    assert read_endpoint("http://[::1]/").host_header == "[::1]"


def test_what_is_signed_is_in_the_order_of_the_guide():
    message = Message("id", ARN, Kind.NOTIFICATION, 1.5, {"default": "m"}, {}, subject="s")
    assert envelopes.canonical(message, "m", "http://h") == (
        "Message\nm\nMessageId\nid\nSubject\ns\nTimestamp\n1970-01-01T00:00:01.500Z\n"
        f"TopicArn\n{ARN}\nType\nNotification\n"
    )
    asked = Message("id", ARN, Kind.CONFIRMATION, 1.5, {"default": "m"}, {}, token="abc")
    names = envelopes.canonical(asked, "m", "http://h").split("\n")[::2]
    assert names[:7] == [
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ]


def test_raw_delivery_is_the_message_alone_and_says_so():
    subscription = Subscription(
        f"{ARN}:1",
        ARN,
        0.0,
        "http",
        "http://h/",
        "0",
        "p",
        "http://me",
        State.CONFIRMED,
        {"RawMessageDelivery": "true"},
    )
    message = Message("id", ARN, Kind.NOTIFICATION, 1.5, {"default": "d", "http": "h"}, {})
    assert envelopes.body(message, subscription, None) == "h"
    assert envelopes.headers(message, subscription, "c")["x-amz-sns-rawdelivery"] == "true"
    asked = Message("id", ARN, Kind.CONFIRMATION, 1.5, {"default": "d"}, {}, token="abc")
    assert json.loads(envelopes.body(asked, subscription, None))["Token"] == "abc"
