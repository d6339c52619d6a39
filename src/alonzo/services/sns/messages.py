"""What may be published, and what becomes of it. Pure.

Source: SNS API reference, Publish and PublishBatch; developer guide, message attributes; texts as
recorded from AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

from alonzo.model.errors import AwsError
from alonzo.services.sns.arns import is_text
from alonzo.services.sns.errors import invalid, invalid_value, not_supported
from alonzo.services.sns.limits import (
    ATTRIBUTE_NAME_MAX,
    BATCH_ENTRIES_MAX,
    BATCH_ID_MAX,
    MESSAGE_BYTES_DEFAULT,
    SUBJECT_MAX,
)
from alonzo.services.sns.records import Topic

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_NAME_LETTER = re.compile(r"[A-Za-z0-9_.-]")
_TYPE = re.compile(r"(?:String|Number|Binary)(?:\..+)?", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,126}(?:\.\d{1,126})?(?:[eE][+-]?\d{1,3})?")
_BATCH_ID = re.compile(r"[A-Za-z0-9_-]+")
#: What group and deduplication ids are made of: letters, digits and ASCII's punctuation.
_FIFO_ID = re.compile(r"[!-~]{1,128}")

Attributes = Mapping[str, Mapping[str, Any]]


def target_of(params: Mapping[str, Any]) -> str:
    """The ARN of the topic that is published to.

    Raises:
        AwsError: InvalidParameter: there is none, or it is a phone or an app.
    """
    if params.get("PhoneNumber"):
        raise not_supported("PhoneNumber", "no text messages are sent.")
    named = [params[name] for name in ("TopicArn", "TargetArn") if params.get(name)]
    if not named:
        raise invalid("TopicArn or TargetArn Reason: no value for required parameter")
    if len(named) > 1:
        raise invalid("TopicArn or TargetArn Reason: only one of the two can be given")
    if ":endpoint/" in named[0]:
        raise invalid("TargetArn Reason: No endpoint found for the target arn specified")
    return str(named[0])


def check_message(topic: Topic, params: Mapping[str, Any]) -> None:
    """Refuse what the topic does not take.

    Raises:
        AwsError: InvalidParameter, ParameterValueInvalid.
    """
    subject = params.get("Subject")
    if subject is not None and not _is_subject(subject):
        raise invalid("Subject")
    if not params.get("Message"):
        raise invalid("Empty message")
    if not is_text(params["Message"]):
        raise invalid("Message Reason: it is not UTF-8")
    check_attributes(params.get("MessageAttributes") or {})
    check_fifo(topic, params)


def check_size(topic: Topic, n_bytes: int) -> None:
    """Refuse a message that is too long for the topic.

    Raises:
        AwsError: InvalidParameter.
    """
    if n_bytes > message_bytes_max(topic):
        raise invalid("Message too long")


def message_bytes_max(topic: Topic) -> int:
    """The longest message of a topic, attributes included."""
    return int(topic.attributes.get("MaximumMessageSize", MESSAGE_BYTES_DEFAULT))


def size_of(params: Mapping[str, Any]) -> int:
    """The bytes that count: the message, and names, types and values of its attributes."""
    total = _bytes(params["Message"])
    attributes: Attributes = params.get("MessageAttributes") or {}
    for name, attribute in attributes.items():
        total += _bytes(name) + _bytes(attribute["DataType"])
        total += _bytes(attribute.get("StringValue") or "")
        total += len(attribute.get("BinaryValue") or b"")
    return total


def texts_of(params: Mapping[str, Any]) -> dict[str, str]:
    """The text of a message by protocol, with ``default`` for the others.

    Raises:
        AwsError: InvalidParameter.
    """
    structure = params.get("MessageStructure")
    if structure is None:
        return {"default": params["Message"]}
    if structure != "json":
        raise invalid("MessageStructure")
    try:
        found = json.loads(params["Message"], object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise invalid("Message Structure - JSON message body failed to parse") from error
    if not isinstance(found, dict):
        raise invalid("Message Structure - JSON message body failed to parse")
    given = cast("dict[str, Any]", found)
    texts = {
        protocol: given[protocol]
        for protocol in ("default", "http", "https", "lambda", "sqs")
        if isinstance(given.get(protocol), str)
    }
    if not is_text(*texts.values()):
        raise invalid("Message Structure - JSON message body failed to parse")
    if "default" not in texts:
        raise invalid("Message Structure - No default entry in JSON message body")
    return texts


def deduplication_of(topic: Topic, params: Mapping[str, Any]) -> str | None:
    """By what a FIFO topic knows the message again; None on other topics."""
    if not topic.is_fifo:
        return None
    given = params.get("MessageDeduplicationId")
    return str(given) if given else sha256(params["Message"].encode()).hexdigest()


def check_fifo(topic: Topic, params: Mapping[str, Any]) -> None:
    """Refuse group and deduplication ids that do not fit the topic.

    Raises:
        AwsError: InvalidParameter.
    """
    group, deduplication = params.get("MessageGroupId"), params.get("MessageDeduplicationId")
    if topic.is_fifo and not group:
        raise invalid("The MessageGroupId parameter is required for FIFO topics")
    by_content = topic.attributes.get("ContentBasedDeduplication") == "true"
    if topic.is_fifo and not deduplication and not by_content:
        raise invalid(
            "The topic should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )
    if not topic.is_fifo and deduplication is not None:
        raise invalid(
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter "
            "that is not valid for this topic type"
        )
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", deduplication)):
        if value is not None and _FIFO_ID.fullmatch(value) is None:
            raise invalid(
                f"{name} Reason: can only include alphanumeric and punctuation characters. 1 to "
                "128 in length"
            )


def check_batch(topic: Topic, entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a batch as a whole.

    Raises:
        AwsError: EmptyBatchRequest, TooManyEntriesInBatchRequest, BatchEntryIdsNotDistinct,
            InvalidBatchEntryId, BatchRequestTooLong; what ``check_attributes`` and ``check_fifo``
            refuse.
    """
    if not entries:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > BATCH_ENTRIES_MAX:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible.",
        )
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise AwsError(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        )
    for entry in entries:
        _check_batch_id(entry["Id"])
    for entry in entries:
        check_attributes(entry.get("MessageAttributes") or {})
        check_fifo(topic, entry)
    if sum(size_of(entry) for entry in entries) > message_bytes_max(topic):
        raise AwsError(
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
        )


def check_attributes(attributes: Attributes) -> None:
    """Refuse message attributes that are none.

    Raises:
        AwsError: ParameterValueInvalid.
    """
    for name, attribute in attributes.items():
        _check_name(name)
        _check_value(name, attribute)


def _is_subject(subject: str) -> bool:
    return (
        0 < len(subject) <= SUBJECT_MAX
        and not any(
            ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029" for char in subject
        )
        and is_text(subject)
    )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found


def _check_batch_id(text: str) -> None:
    if len(text) > BATCH_ID_MAX:
        raise AwsError(
            "InvalidBatchEntryId",
            f"The Id of a batch entry in the batch request is too long: {text[:200]}",
        )
    if _BATCH_ID.fullmatch(text) is None:
        raise AwsError(
            "InvalidBatchEntryId",
            "The Id of a batch entry in the batch request contains an impermissible character: "
            f"{text}",
        )


def _check_name(name: str) -> None:
    if not name or len(name) > ATTRIBUTE_NAME_MAX:
        raise invalid_value("Length of message attribute name must be less than 256 bytes.")
    if _NAME.fullmatch(name) is not None:
        return
    if name[0] == ".":
        raise invalid_value("Invalid message attribute name starting with character '.' was found.")
    if name[-1] == ".":
        raise invalid_value("Invalid message attribute name ending with character '.' was found.")
    foreign = next((char for char in name if _NAME_LETTER.fullmatch(char) is None), None)
    if foreign is None:
        raise invalid_value("Message attribute name can not have successive '.' character.")
    raise invalid_value(
        f"Invalid non-alphanumeric character '#x{ord(foreign):X}' was found in the message "
        "attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots."
    )


def _check_value(name: str, attribute: Mapping[str, Any]) -> None:
    kind = str(attribute["DataType"])
    if _TYPE.fullmatch(kind) is None:
        raise invalid_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported type prefixes is Binary, Number, and String."
        )
    text, binary = attribute.get("StringValue"), attribute.get("BinaryValue")
    of_binary = kind.startswith("Binary")
    value, other = (binary, text) if of_binary else (text, binary)
    if value is None and other is not None:
        field = "Binary" if of_binary else "String"
        raise invalid_value(
            f"The message attribute '{name}' with type '{kind}' must use field '{field}'."
        )
    if not value:
        raise invalid_value(
            f"The message attribute '{name}' must contain non-empty message attribute value for "
            f"message attribute type '{kind}'."
        )
    if text is not None and not is_text(text, kind):
        raise invalid_value(f"The message attribute '{name}' is not UTF-8.")
    if kind.startswith("Number") and _NUMBER.fullmatch(str(value)) is None:
        raise invalid_value(f"Could not cast message attribute '{name}' value to number.")
