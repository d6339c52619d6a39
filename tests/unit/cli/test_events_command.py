"""Sample events: one for each source, of the shape that the platform itself delivers."""

import base64
import gzip
import json

import pytest
from click.testing import CliRunner

from alonzo.cli import samples
from alonzo.cli.events import events
from alonzo.cli.invoke import invoke
from alonzo.services.sqs.messages.attributes import md5_of, md5_of_body


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
