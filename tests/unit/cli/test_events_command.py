"""Sample events: one for each source, of the shape that the platform itself delivers."""

import base64
import gzip
import json

import pytest
from click.testing import CliRunner

from alonzo.cli import samples
from alonzo.cli.events import events
from alonzo.cli.invoke import invoke
from alonzo.eventsources.pollers.sqs.event import item_of
from alonzo.model.context import Principal, RequestContext
from alonzo.services.sns import envelopes
from alonzo.services.sns.envelopes import Seal
from alonzo.services.sns.records import Kind, Message, State, Subscription
from alonzo.services.sqs.attributes import queue_of
from alonzo.services.sqs.messages.attributes import md5_of, md5_of_body
from alonzo.services.sqs.messages.documents import SYSTEM_NAMES, receipt_of, shown
from alonzo.services.sqs.messages.entries import read_entry
from alonzo.services.sqs.queue import QueueKey

ACCOUNT, REGION = "123456789012", "us-east-1"
TRACE = "Root=1-691eee00-7f3c2b8e5d414c0a9a3e2f6b"


def sample(name):
    return json.loads(samples.sample(name))


def run(command, *arguments):
    return CliRunner().invoke(command, arguments)


def test_every_source_is_listed_and_printed():
    listed = run(events, "list").output.split()
    assert len(listed) > 50
    for name in listed:
        printed = run(events, "generate", name)
        assert printed.exit_code == 0
        assert isinstance(json.loads(printed.output), dict)


@pytest.mark.parametrize("name", ["nothing", "../samples/sqs", "sqs.json", ""])
def test_what_is_no_source_is_refused_and_the_sources_are_named(name):
    refused = run(events, "generate", name)
    assert refused.exit_code == 2
    assert "function-url" in refused.output


def test_a_sample_or_a_payload_is_sent_and_not_both():
    refused = run(invoke, "f", "--event", "sqs", "--payload", "{}")
    assert refused.exit_code == 2
    assert "not both" in refused.output


@pytest.mark.parametrize("name", ["sqs", "sqs-fifo", "sqs-dead-letter", "sqs-sns"])
def test_the_digests_of_messages_are_true(name):
    (record,) = sample(name)["Records"]
    assert record["md5OfBody"] == md5_of_body(record["body"].encode())
    if not record["messageAttributes"]:
        return
    sent = {}
    for key, value in record["messageAttributes"].items():
        sent[key] = {"DataType": value["dataType"]}
        if "stringValue" in value:
            sent[key]["StringValue"] = value["stringValue"]
        else:
            sent[key]["BinaryValue"] = base64.b64decode(value["binaryValue"])
    assert record["md5OfMessageAttributes"] == md5_of(sent)


def test_logs_are_packed_as_a_subscriber_gets_them():
    packed = base64.b64decode(sample("logs")["awslogs"]["data"])
    assert json.loads(gzip.decompress(packed))["messageType"] == "DATA_MESSAGE"


def shape(value):
    """The keys of a document, in their order, and of what is in it; values do not count."""
    if isinstance(value, dict):
        return [(key, shape(each)) for key, each in value.items()]
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def record_of(queue_name, body, attributes, **fifo):
    """The record that a mapping makes of a message, sent and received as by the platform."""
    user = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ada", "AIDAADA", "AKIA")
    context = RequestContext("r", ACCOUNT, REGION, user, "", "127.0.0.1", TRACE)
    own = {"FifoQueue": "true"} if fifo else {}
    key = QueueKey(ACCOUNT, REGION, queue_name)
    queue = queue_of(1, 1, key, created_at_s=0.0, modified_at_s=0.0, attributes=own, tags={})
    params = {"MessageBody": body, "MessageAttributes": attributes, **fifo}
    sent = read_entry(context, queue, params, "7f3c2b8e-5d41-4c0a-9a3e-2f6b1d0c8e57")
    row = {
        "id": 1,
        "message_id": sent.message_id,
        "body": body,
        "attributes": sent.document,
        "sent_at_ms": 1,
        "receive_count": 1,
        "earlier_receives": 0,
        "first_received_at_ms": 2,
        "dead_letter_source": None,
    }
    receipt = receipt_of(queue, row, 2)
    message = shown(queue, row, receipt, system=SYSTEM_NAMES, own=["All"])
    item = item_of(message, queue_arn=key.arn, region=REGION, fifo=bool(fifo), now_s=0.0)
    return json.loads(item.document)


def notification(protocol, endpoint):
    """A message of a topic, a subscription that gets it, and its seal."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:news"
    kind = {"DataType": "String", "StringValue": "order"}
    message = Message(
        "m", topic, Kind.NOTIFICATION, 0.0, {"default": "m"}, {"kind": kind}, subject="s"
    )
    subscription = Subscription(
        *(f"{topic}:s", topic, 0.0, protocol, endpoint, ACCOUNT, "", "http://me"),
        State.CONFIRMED,
        {},
    )
    return message, subscription, Seal("c2lnbmF0dXJl", "http://me/cert.pem")


@pytest.mark.parametrize(
    ("name", "fifo"),
    [("sqs", {}), ("sqs-fifo", {"MessageGroupId": "g", "MessageDeduplicationId": "d"})],
)
def test_samples_of_queues_have_the_keys_of_what_a_mapping_delivers(name, fifo):
    (record,) = sample(name)["Records"]
    attributes = {
        "kind": {"DataType": "String", "StringValue": "order"},
        "seal": {"DataType": "Binary", "BinaryValue": b"sealed"},
    }
    made = record_of("q.fifo" if fifo else "q", record["body"], attributes, **fifo)
    for each in (record, made):
        each["attributes"] = dict(sorted(each["attributes"].items()))
    assert shape(record) == shape(made)


def test_the_sample_of_a_topic_has_the_keys_of_what_a_function_gets():
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    made = envelopes.event(*notification("lambda", function))
    assert shape(sample("sns")) == shape(json.loads(made))


def test_the_sample_of_a_topic_in_a_queue_has_the_keys_of_both():
    (record,) = sample("sqs-sns")["Records"]
    body = envelopes.body(*notification("sqs", f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"))
    made = record_of("q", body, {})
    for each in (record, made):
        each["attributes"] = dict(sorted(each["attributes"].items()))
    assert shape(record) == shape(made)
    assert shape(json.loads(record["body"])) == shape(json.loads(body))
