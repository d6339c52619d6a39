"""SNS as its users meet it: topics, subscriptions of queues, functions and HTTP endpoints."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, Household, allow, client_of
from alonzo.testing.functions import ADMIN_ROLE
from alonzo.testing.http_endpoints import HttpEndpoint
from alonzo.testing.topics import messages_of, opened, verify

ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}"
#: Sends its event to a queue, so that a test can see it.
REPORTS = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""
#: Publishes to the topic that calls it.
LOOPS = """
import os, boto3
sns, sqs = boto3.client("sns"), boto3.client("sqs")
def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody="ran")
    sns.publish(TopicArn=os.environ["TOPIC"], Message="again")
"""


@pytest.fixture
def endpoint():
    made = HttpEndpoint()
    yield made
    made.close()


@pytest.fixture
def sns(boto):
    return boto("sns")


@pytest.fixture
def sqs(boto):
    return boto("sqs")


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-_")


@pytest.fixture
def topic(sns, name):
    arn = sns.create_topic(Name=name)["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


@pytest.fixture
def queue(sqs, name):
    """Makes queues that topics may send to: ``queue("a")`` answers URL and ARN."""
    made = []

    def make(suffix, *, closed=False, **attributes):
        full = f"{name}{suffix}"
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{full}"
        if not closed:
            statement = allow("sqs:SendMessage", on=arn, Principal={"Service": "sns.amazonaws.com"})
            statement["Condition"] = {"ArnLike": {"aws:SourceArn": f"{ARN}:{name}*"}}
            attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": statement})
        made.append(sqs.create_queue(QueueName=full, Attributes=attributes)["QueueUrl"])
        return made[-1], arn

    yield make
    for url in made:
        sqs.delete_queue(QueueUrl=url)


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_topic_is_made_once_and_has_the_attributes_of_aws(sns, topic, name):
    assert topic == f"{ARN}:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == topic
    found = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    policy = json.loads(found.pop("Policy"))
    assert policy["Statement"][0]["Sid"] == "__default_statement_ID"
    delivery = json.loads(found.pop("EffectiveDeliveryPolicy"))
    assert delivery["http"]["defaultHealthyRetryPolicy"]["numRetries"] == 3
    assert found == {
        "DisplayName": "",
        "Owner": ACCOUNT,
        "SubscriptionsConfirmed": "0",
        "SubscriptionsDeleted": "0",
        "SubscriptionsPending": "0",
        "TopicArn": topic,
    }
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="D")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "D"
    different = {"Name": name, "Attributes": {"DisplayName": "E"}}
    assert refusal(sns.create_topic, **different) == (
        "InvalidParameter",
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
    )
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "b"}])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "b"}]
    sns.untag_resource(ResourceArn=topic, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == []
    sns.add_permission(
        TopicArn=topic, Label="L", AWSAccountId=["123456789012"], ActionName=["Publish"]
    )
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert policy["Statement"][1]["Action"] == "SNS:Publish"
    sns.remove_permission(TopicArn=topic, Label="L")
    absent = f"{ARN}:none"
    assert refusal(sns.publish, TopicArn=absent, Message="m")[0] == "NotFound"
    assert refusal(sns.publish, TopicArn=topic, Message="")[0] == "InvalidParameter"
    assert refusal(sns.publish, PhoneNumber="+1", Message="m")[0] == "InvalidParameter"
    assert "no mails" in refusal(sns.subscribe, TopicArn=topic, Protocol="email")[1]


def test_a_message_reaches_a_queue_and_a_function_signed(sns, sqs, topic, queue, function):
    url, arn = queue("q")
    raw_url, raw_arn = queue("raw")
    seen_url, _ = queue("seen", closed=True)
    called = function(REPORTS, Role=ADMIN_ROLE, Environment={"Variables": {"QUEUE": seen_url}})
    called.client.add_permission(
        FunctionName=called.name,
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="2")
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=raw_arn, Attributes=raw)
    of_function = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=called.arn)
    attributes = {
        "s": {"DataType": "String", "StringValue": "v"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    text = json.dumps({"default": "everybody \u00e9", "lambda": "functions"})
    published = sns.publish(
        TopicArn=topic,
        Message=text,
        MessageStructure="json",
        Subject="subject",
        MessageAttributes=attributes,
    )
    (message,) = messages_of(sqs, url, 1)
    body = json.loads(message["Body"])
    verify(body)
    expected = {
        "Type": "Notification",
        "MessageId": published["MessageId"],
        "TopicArn": topic,
        "Subject": "subject",
        "Message": "everybody \u00e9",
        "SignatureVersion": "2",
        "MessageAttributes": {
            "s": {"Type": "String", "Value": "v"},
            "b": {"Type": "Binary", "Value": "AP8="},
        },
    }
    assert expected.items() <= body.items()
    assert subscription in body["UnsubscribeURL"]
    (message,) = messages_of(sqs, raw_url, 1)
    assert message["Body"] == "everybody \u00e9"
    assert message["MessageAttributes"]["b"]["BinaryValue"] == b"\x00\xff"
    (message,) = messages_of(sqs, seen_url, 1)
    (record,) = json.loads(message["Body"])["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["EventSubscriptionArn"] == of_function["SubscriptionArn"]
    verify(record["Sns"], "SigningCertUrl")
    expected["Message"] = "functions"
    assert expected.items() <= record["Sns"].items()
    assert "UnsubscribeUrl" in record["Sns"]


def confirmed(sns, topic, endpoint, eventually, **attributes):
    """A subscription of the endpoint, confirmed by its own link."""
    asked = {"TopicArn": topic, "Protocol": "http", "Endpoint": endpoint.url}
    texts = {key: json.dumps(value) for key, value in attributes.items()}
    answer = sns.subscribe(**asked, Attributes=texts)
    assert answer["SubscriptionArn"] == "pending confirmation"
    eventually(lambda: endpoint.posts, within_s=30)
    path, headers, body = endpoint.posts.pop()
    document = json.loads(body)
    assert path == "/in?a=b"
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    verify(document)
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert "PendingConfirmation" in {each["SubscriptionArn"] for each in found}
    assert b"<SubscriptionArn>" in opened(document["SubscribeURL"])
    return sns.subscribe(**asked)["SubscriptionArn"]


def test_an_http_endpoint_confirms_is_posted_to_and_leaves(sns, topic, endpoint, eventually):
    arn = confirmed(sns, topic, endpoint, eventually)
    published = sns.publish(TopicArn=topic, Message="m")["MessageId"]
    eventually(lambda: endpoint.posts, within_s=30)
    _, headers, body = endpoint.posts.pop()
    document = json.loads(body)
    verify(document)
    assert document["MessageId"] == published
    assert headers["x-amz-sns-message-id"] == published
    assert headers["x-amz-sns-topic-arn"] == topic
    assert headers["x-amz-sns-subscription-arn"] == arn
    assert headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert headers["User-Agent"] == "Amazon Simple Notification Service Agent"
    # Whoever ends it without signing is told how to have it back.
    opened(document["UnsubscribeURL"])
    assert refusal(sns.get_subscription_attributes, SubscriptionArn=arn)[0] == "NotFound"
    eventually(lambda: endpoint.posts, within_s=30)
    farewell = json.loads(endpoint.posts.pop()[2])
    assert farewell["Type"] == "UnsubscribeConfirmation"
    verify(farewell)
    opened(farewell["SubscribeURL"])
    found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert found["PendingConfirmation"] == "false"
    assert found["ConfirmationWasAuthenticated"] == "false"
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_nothing_else_is_open_to_whoever_does_not_sign(sns, topic, endpoint, platform, eventually):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
    eventually(lambda: endpoint.posts, within_s=30)
    document = json.loads(endpoint.posts.pop()[2])
    links = document["SubscribeURL"].partition("?")[0]
    for query in (
        f"Action=Publish&TopicArn={topic}&Message=m",
        f"Action=ConfirmSubscription&TopicArn={topic}&Token=x",
        f"Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={topic}",
        "Action=Unsubscribe&SubscriptionArn=x",
        "",
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            opened(f"{links}?{query}")
        with caught.value as error:
            assert error.code in (400, 403)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(document["SubscribeURL"], method="HEAD"))
    caught.value.close()
    assert caught.value.code == 405
    # Whoever signs can have it that only signed requests end the subscription.
    arn = sns.confirm_subscription(
        TopicArn=topic, Token=document["Token"], AuthenticateOnUnsubscribe="true"
    )["SubscriptionArn"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        opened(f"{links}?Action=Unsubscribe&SubscriptionArn={arn}")
    with caught.value as error:
        assert (error.code, b"AuthorizationError" in error.read()) == (403, True)
    found = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert found["ConfirmationWasAuthenticated"] == "true"


def test_an_endpoint_out_of_order_is_tried_again_and_then_given_up(
    sns, sqs, topic, queue, endpoint, eventually
):
    dead_url, dead_arn = queue("dead")
    retries = {"numRetries": 2, "numNoDelayRetries": 2, "minDelayTarget": 1}
    confirmed(
        sns,
        topic,
        endpoint,
        eventually,
        DeliveryPolicy={"healthyRetryPolicy": retries},
        RedrivePolicy={"deadLetterTargetArn": dead_arn},
    )
    endpoint.answers += [503, 429]
    sns.publish(TopicArn=topic, Message="third time lucky")
    eventually(lambda: len(endpoint.posts) == 3, within_s=30)
    assert len({body for _, _, body in endpoint.posts}) == 1
    endpoint.answers += [500, 500, 500]
    sns.publish(TopicArn=topic, Message="down")
    endpoint.answers += [404]
    (message,) = messages_of(sqs, dead_url, 1)
    assert json.loads(message["Body"])["Message"] == "down"
    sns.publish(TopicArn=topic, Message="gone")
    (message,) = messages_of(sqs, dead_url, 1)
    assert json.loads(message["Body"])["Message"] == "gone"
    assert len(endpoint.posts) == 7


def test_metadata_of_the_host_is_never_posted_to(sns, sqs, topic, queue, platform, eventually):
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://169.254.169.254/latest")
    eventually(lambda: "the host's address is not one that is posted to" in platform.log, 30)


def test_filters_say_who_gets_what(sns, sqs, topic, queue):
    by_attribute_url, by_attribute = queue("a")
    by_body_url, by_body = queue("b")
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=by_attribute,
        Attributes={
            "FilterPolicy": '{"kind": ["x", {"prefix": "y"}]}',
            "RawMessageDelivery": "true",
        },
    )
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=by_body)["SubscriptionArn"]
    for attribute, value in (
        ("FilterPolicyScope", "MessageBody"),
        ("FilterPolicy", '{"order": {"total": [{"numeric": [">", 10]}]}}'),
        ("RawMessageDelivery", "true"),
    ):
        sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName=attribute, AttributeValue=value
        )
    for number, kind in enumerate(("x", "yes", "no")):
        sns.publish(
            TopicArn=topic,
            Message=json.dumps({"order": {"total": 10 * number}}),
            MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}},
        )
    got = {message["Body"] for message in messages_of(sqs, by_attribute_url, 2)}
    assert got == {'{"order": {"total": 0}}', '{"order": {"total": 10}}'}
    (message,) = messages_of(sqs, by_body_url, 1)
    assert message["Body"] == '{"order": {"total": 20}}'
    nested = {"AttributeName": "FilterPolicyScope", "AttributeValue": "MessageAttributes"}
    code, text = refusal(sns.set_subscription_attributes, SubscriptionArn=arn, **nested)
    assert (code, "nested" in text) == ("InvalidParameter", True)


def test_a_fifo_topic_keeps_order_and_drops_duplicates(sns, sqs, queue, name):
    attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    topic = sns.create_topic(Name=f"{name}.fifo", Attributes=attributes)["TopicArn"]
    url, arn = queue("q.fifo", FifoQueue="true")
    standard_url, standard = queue("standard")
    for endpoint in (arn, standard):
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=endpoint,
            Attributes={"RawMessageDelivery": "true"},
        )
    entries = [{"Id": str(n), "Message": str(n), "MessageGroupId": "g"} for n in range(10)]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    numbers = [each["SequenceNumber"] for each in answer["Successful"]]
    assert numbers == sorted(numbers)
    again = sns.publish(TopicArn=topic, Message="3", MessageGroupId="g")
    assert again["SequenceNumber"] == numbers[3]
    got = messages_of(sqs, url, 10)
    assert [message["Body"] for message in got] == list(map(str, range(10)))
    assert got[0]["Attributes"]["MessageGroupId"] == "g"
    assert {message["Body"] for message in messages_of(sqs, standard_url, 10)} == set(
        map(str, range(10))
    )
    assert refusal(sns.publish, TopicArn=topic, Message="m") == (
        "InvalidParameter",
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
    )
    assert refusal(
        sns.subscribe, TopicArn=topic, Protocol="lambda", Endpoint="arn:aws:lambda:::f"
    ) == ("InvalidParameter", "Invalid parameter: Invalid protocol type: lambda")
    sns.delete_topic(TopicArn=topic)


def test_a_batch_may_fail_in_part(sns, topic):
    entries = [{"Id": "good", "Message": "m"}, {"Id": "bad", "Message": "m", "Subject": "a\nb"}]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["good"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == (
        "bad",
        "InvalidParameter",
        True,
    )
    for wrong, code in (
        ([], "EmptyBatchRequest"),
        ([{"Id": "x", "Message": "m"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "?", "Message": "m"}], "InvalidBatchEntryId"),
        ([{"Id": f"{n}", "Message": "m"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": f"{n}", "Message": "m" * 200_000} for n in (1, 2)], "BatchRequestTooLong"),
    ):
        params = {"TopicArn": topic, "PublishBatchRequestEntries": wrong}
        assert refusal(sns.publish_batch, **params)[0] == code


def test_targets_that_do_not_let_the_topic_in_get_nothing(sns, sqs, topic, queue, function):
    dead_url, dead_arn = queue("dead")
    closed_url, closed = queue("closed", closed=True)
    called = function("def handler(event, context): pass")
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn})}
    for protocol, endpoint in (("sqs", closed), ("lambda", called.arn)):
        sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=redrive)
    sns.publish(TopicArn=topic, Message="m")
    got = messages_of(sqs, dead_url, 2)
    assert {json.loads(message["Body"])["Message"] for message in got} == {"m"}
    count = sqs.get_queue_attributes(
        QueueUrl=closed_url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    assert count == {"ApproximateNumberOfMessages": "0"}


def test_users_do_what_their_policies_and_the_topics_say(sns, topic, name, platform):
    household = Household(platform)
    try:
        key = household.user(name, allow("sns:GetTopicAttributes", on=topic))
        user = client_of(platform, "sns", key)
        user.get_topic_attributes(TopicArn=topic)
        code, text = refusal(user.publish, TopicArn=topic, Message="m")
        assert code == "AuthorizationError"
        assert "sns:Publish" in text.replace("SNS:", "sns:")
        statement = allow("SNS:Publish", on=topic)
        statement["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
        sns.set_topic_attributes(
            TopicArn=topic,
            AttributeName="Policy",
            AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        user.publish(TopicArn=topic, Message="m")
        refusal(user.delete_topic, TopicArn=topic)
    finally:
        household.close()


def test_a_topic_takes_the_records_of_a_function(sns, sqs, topic, queue, function):
    url, arn = queue("q")
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
    )
    called = function("def handler(event, context): return 7", Role=ADMIN_ROLE)
    called.client.put_function_event_invoke_config(
        FunctionName=called.name, DestinationConfig={"OnSuccess": {"Destination": topic}}
    )
    called.invoke({}, InvocationType="Event")
    (message,) = messages_of(sqs, url, 1)
    assert json.loads(message["Body"])["responsePayload"] == 7


def test_a_topic_with_a_key_asks_kms(sns, topic, name, platform):
    key = {"TopicArn": topic, "AttributeName": "KmsMasterKeyId"}
    sns.set_topic_attributes(**key, AttributeValue="alias/aws/sns")
    sns.publish(TopicArn=topic, Message="m")
    sns.set_topic_attributes(**key, AttributeValue="alias/none")
    assert refusal(sns.publish, TopicArn=topic, Message="m")[0] == "KMSNotFound"
    own = platform.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sns.set_topic_attributes(**key, AttributeValue=own)
    household = Household(platform)
    try:
        user = client_of(platform, "sns", household.user(name, allow("sns:Publish")))
        assert refusal(user.publish, TopicArn=topic, Message="m")[0] == "KMSAccessDenied"
    finally:
        household.close()


def test_a_function_that_publishes_to_its_own_topic_is_stopped(
    sns, sqs, topic, queue, function, eventually
):
    url, _ = queue("runs", closed=True)
    variables = {"QUEUE": url, "TOPIC": topic}
    loops = function(LOOPS, Role=ADMIN_ROLE, Environment={"Variables": variables}, Timeout=30)
    loops.client.add_permission(
        FunctionName=loops.name,
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    dead_url, dead_arn = queue("dead")
    loops.client.put_function_event_invoke_config(
        FunctionName=loops.name,
        DestinationConfig={"OnFailure": {"Destination": dead_arn}},
    )
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=loops.arn)
    sns.publish(TopicArn=topic, Message="begin")
    messages_of(sqs, dead_url, 1)
    # Source: Lambda developer guide: about 16 times.
    assert len(messages_of(sqs, url, 16)) == 16
