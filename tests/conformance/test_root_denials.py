"""What policies of queues and topics deny binds the root user too, who can always mend them."""

import json

import pytest
from botocore.exceptions import ClientError

from alonzo.testing.callers import ACCOUNT, deny, document


@pytest.fixture
def name(function_name):
    return function_name[-40:].strip("-_")


def code_of(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return caught.value.response["Error"]["Code"]


def test_the_policy_of_a_queue_denies_the_root_user_all_but_the_policy(boto, name):
    sqs = boto("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = {"QueueUrl": url}
    denied = {**deny("sqs:*", on=f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"), "Principal": "*"}
    sqs.set_queue_attributes(**queue, Attributes={"Policy": document(denied)})
    assert code_of(sqs.send_message, **queue, MessageBody="x") == "AccessDenied"
    assert code_of(sqs.receive_message, **queue) == "AccessDenied"
    assert code_of(sqs.purge_queue, **queue) == "AccessDenied"
    assert code_of(sqs.delete_queue, **queue) == "AccessDenied"
    found = sqs.get_queue_attributes(**queue, AttributeNames=["Policy"])["Attributes"]
    assert json.loads(found["Policy"]) == json.loads(document(denied))
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    sqs.set_queue_attributes(**queue, Attributes={"Policy": ""})
    sqs.send_message(**queue, MessageBody="x")
    sqs.delete_queue(**queue)


def test_the_policy_of_a_topic_denies_the_root_user_all_but_the_policy(boto, name):
    sns = boto("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    actions = "sns:Publish", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:GetTopicAttributes"
    denied = {**deny(*actions, on=topic), "Principal": "*"}
    setting = {"TopicArn": topic, "AttributeName": "Policy"}
    before = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    sns.set_topic_attributes(**setting, AttributeValue=document(denied))
    assert code_of(sns.publish, TopicArn=topic, Message="x") == "AuthorizationError"
    assert code_of(sns.delete_topic, TopicArn=topic) == "AuthorizationError"
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    assert json.loads(shown) == json.loads(document(denied))
    sns.set_topic_attributes(**setting, AttributeValue=before)
    assert sns.publish(TopicArn=topic, Message="x")["MessageId"]
    sns.delete_topic(TopicArn=topic)
