"""The pure rules of messages: digests, attributes, receipts, batches, what a send may say."""

import base64
import dataclasses

import pytest

from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.sqs.attributes import queue_of
from alonzo.services.sqs.messages import attributes as rules
from alonzo.services.sqs.messages.batches import check_bytes, check_entries
from alonzo.services.sqs.messages.entries import read_entry
from alonzo.services.sqs.messages.receipts import Receipt, read_handle
from alonzo.services.sqs.queue import QueueKey

ACCOUNT = "123456789012"
ADA = Principal(ACCOUNT, "arn:aws:iam::1:user/ada", "AIDAADA", "AKIA")
CONTEXT = RequestContext("r", ACCOUNT, "us-east-1", ADA, "http://localhost", "127.0.0.1")


def queue(name="q", **attributes):
    return queue_of(
        1,
        1,
        QueueKey(ACCOUNT, "us-east-1", name),
        created_at_s=0.0,
        modified_at_s=0.0,
        attributes=attributes,
        tags={},
    )


def text(value, kind="String"):
    return {"DataType": kind, "StringValue": value}


def read(params, of=None):
    return read_entry(CONTEXT, of or queue(), params, "id")


def refusal(params, of=None):
    with pytest.raises(AwsError) as refused:
        read(params, of)
    return refused.value.code, refused.value.message


@pytest.mark.parametrize(
    ("attributes", "digest"),
    [
        ({"Foo": text("Bar")}, "ae7155c6026991b6d54b11589678bf9c"),
        ({"Hello": text("There"), "General": text("Kenobi")}, "fca026605781cb4126a1e9044df24232"),
        (
            {
                "attr1": {
                    "DataType": "Binary",
                    "BinaryValue": b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-"
                    b"2d2482211f6489da-01",
                }
            },
            "8cbe4db156db8a94db8b801b7addb984",
        ),
    ],
)
def test_digests_of_attributes_are_those_that_aws_answered(attributes, digest):
    assert rules.md5_of(attributes) == digest


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ((), set()),
        (("All",), {"Hello", "Help.Me", "Help.You"}),
        ((".*",), {"Hello", "Help.Me", "Help.You"}),
        (("Help.*",), {"Help.Me", "Help.You"}),
        (("Hello", "no"), {"Hello"}),
        (("Hel",), set()),
    ],
)
def test_a_receive_shows_the_attributes_that_it_names(names, chosen):
    assert set(rules.chosen({"Hello": 1, "Help.Me": 2, "Help.You": 3}, names)) == chosen


@pytest.mark.parametrize(
    ("name", "attribute", "part"),
    [
        ("", text("x"), "non-empty message attribute name"),
        ("a" * 257, text("x"), "less than 256"),
        ("a b", text("x"), "non-alphanumeric"),
        (".a", text("x"), "start or end"),
        ("a..b", text("x"), "in succession"),
        ("AWS.x", text("x"), "reserved"),
        ("amazon.x", text("x"), "reserved"),
        ("a", {"StringValue": "x"}, "non-empty message attribute type"),
        ("a", text("x", "Text"), "set of supported type prefixes"),
        ("a", text("x", "String." + "y" * 256), "attribute type must be less"),
        ("a", text(""), "non-empty message attribute value"),
        ("a", {"DataType": "Binary", "StringValue": "x"}, "must use field 'Binary'"),
        ("a", text("one", "Number"), "to a number"),
        ("a", text("1" * 200_000 + "x", "Number"), "to a number"),
        ("a", text("x") | {"StringListValues": ["y"]}, "not supported"),
        ("a", text("\x00"), "Invalid characters"),
    ],
)
def test_bad_attributes_are_refused(name, attribute, part):
    code, message = refusal({"MessageBody": "b", "MessageAttributes": {name: attribute}})
    assert part in message
    assert code in ("InvalidParameterValueException", "InvalidMessageContents")


def test_eleven_attributes_are_too_many():
    many = {f"a{at}": text("x") for at in range(11)}
    assert "[11] exceeds" in refusal({"MessageBody": "b", "MessageAttributes": many})[1]


@pytest.mark.parametrize("number", ["0", "-1.5", "1e10", "+.5", "12345678901234567890.5"])
def test_numbers_are_kept_as_they_were_written(number):
    message = read({"MessageBody": "b", "MessageAttributes": {"n": text(number, "Number.int")}})
    assert message.attributes_md5 == rules.md5_of({"n": text(number, "Number.int")})


@pytest.mark.parametrize("body", ["\x00", "a\x1fb", "\ufffe", "\ud800", "\x0b"])
def test_characters_that_xml_has_not_are_refused(body):
    assert refusal({"MessageBody": body})[0] == "InvalidMessageContents"


@pytest.mark.parametrize("body", ["\t\n\r", "\ud7ff\ue000\ufffd", "\U0001f600", "\x7f"])
def test_all_other_characters_are_taken(body):
    assert read({"MessageBody": body}).body == body


@pytest.mark.parametrize("body", [None, ""])
def test_a_message_needs_a_body(body):
    code, message = refusal({"MessageBody": body})
    assert code == "MissingRequiredParameterException"
    assert message == "The request must contain the parameter MessageBody."


def test_body_and_attributes_count_together():
    small = queue(MaximumMessageSize="1024")
    attributes = {"a": text("b")}
    read({"MessageBody": "x" * (1024 - 8), "MessageAttributes": attributes}, small)
    _, message = refusal({"MessageBody": "x" * (1024 - 7), "MessageAttributes": attributes}, small)
    assert message == (
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
    )
    assert "1048576" in refusal({"MessageBody": "é" * 524_289})[1]


@pytest.mark.parametrize(
    ("delay_s", "reason"), [(-1, "must be >= 0"), (901, "must be >= 0 and <= 900")]
)
def test_a_delay_has_a_range(delay_s, reason):
    assert reason in refusal({"MessageBody": "b", "DelaySeconds": delay_s})[1]


def test_the_queue_has_the_delay_unless_the_message_has():
    slow = queue(DelaySeconds="5")
    assert read({"MessageBody": "b"}, slow).delay_ms == 5000
    assert read({"MessageBody": "b", "DelaySeconds": 0}, slow).delay_ms == 0


def test_a_fifo_message_needs_a_group_and_no_delay_of_its_own():
    fifo = queue("q.fifo", FifoQueue="true")
    assert refusal({"MessageBody": "b"}, fifo) == (
        "MissingRequiredParameterException",
        "The request must contain the parameter MessageGroupId.",
    )
    grouped = {"MessageBody": "b", "MessageGroupId": "g"}
    assert "ContentBasedDeduplication" in refusal(grouped, fifo)[1]
    params = grouped | {"MessageDeduplicationId": "d"}
    assert "not valid for this queue type" in refusal(params | {"DelaySeconds": 1}, fifo)[1]
    message = read(params, fifo)
    assert (message.group, message.deduplication_id) == ("g", "d")


def test_content_is_the_id_where_the_queue_says_so():
    fifo = queue("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    message = read({"MessageBody": "", "MessageGroupId": "g"} | {"MessageBody": "abc"}, fifo)
    assert message.deduplication_id == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@pytest.mark.parametrize("name", ["MessageGroupId", "MessageDeduplicationId"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 129, "é"])
def test_ids_have_a_form(name, value):
    fifo = queue("q.fifo", FifoQueue="true")
    params = {"MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    code, message = refusal(params | {name: value}, fifo)
    assert name in message
    assert code != "InternalFailure"


def test_a_standard_queue_takes_groups_and_no_deduplication():
    assert b'"group":"g"' in read({"MessageBody": "b", "MessageGroupId": "g"}).document
    assert "queue type" in refusal({"MessageBody": "b", "MessageDeduplicationId": "d"})[1]


def test_the_trace_comes_from_the_message_before_the_request():
    traced = dataclasses.replace(CONTEXT, trace_header="Root=1")
    message = read_entry(traced, queue(), {"MessageBody": "b"}, "id")
    assert b'"trace":"Root=1"' in message.document
    assert message.system_md5 is None
    own = {"AWSTraceHeader": text("Root=2")}
    message = read_entry(
        traced, queue(), {"MessageBody": "b", "MessageSystemAttributes": own}, "id"
    )
    assert b'"trace":"Root=2"' in message.document
    assert message.system_md5 == rules.md5_of(own)
    for bad in ({"Other": text("x")}, {"AWSTraceHeader": text("1", "Number")}):
        refusal({"MessageBody": "b", "MessageSystemAttributes": bad})


def test_a_handle_says_what_it_was_made_of():
    receipt = Receipt(7, 1 << 50, "00000000-0000-4000-8000-00000000000a", 3, 1_800_000_000_000)
    assert read_handle(receipt.handle(), 7) == receipt


@pytest.mark.parametrize(
    "handle",
    [
        "x",
        "é",
        "AAAA",
        "\x00",
        base64.b64encode(b"\x01" + b"\xff" * 44).decode(),
        base64.b64encode(b"\x02" + b"\x00" * 7 + b"\x07" + b"\x00" * 36).decode(),
        base64.b64encode(b"\x01" + b"\x00" * 7 + b"\x07" + b"\xff" * 36).decode(),
    ],
)
def test_no_other_text_is_a_handle(handle):
    with pytest.raises(AwsError) as refused:
        read_handle(handle, 7)
    assert refused.value.code == "ReceiptHandleIsInvalid"
    assert handle in refused.value.message


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([str(at) for at in range(11)], "TooManyEntriesInBatchRequest"),
        (["a", "a"], "BatchEntryIdsNotDistinct"),
        ([""], "InvalidBatchEntryId"),
        (["a:b"], "InvalidBatchEntryId"),
        (["a" * 81], "InvalidBatchEntryId"),
        ([None], "InvalidBatchEntryId"),
    ],
)
def test_a_bad_batch_is_refused_as_a_whole(ids, code):
    with pytest.raises(AwsError) as refused:
        check_entries([{"Id": each} for each in ids], "SendMessageBatchRequestEntry")
    assert refused.value.code == code


def test_a_batch_has_a_mebibyte():
    check_bytes(1_048_576)
    with pytest.raises(AwsError, match="You have sent 1048577 bytes"):
        check_bytes(1_048_577)
