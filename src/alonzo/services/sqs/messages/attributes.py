"""Message attributes: what AWS refuses, what they weigh, their digests, which one is shown. Pure.

Source of the digest: SQS developer guide, "Calculating the MD5 message digest for message
attributes".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from alonzo.model.errors import AwsError
from alonzo.services.sqs.errors import invalid_value
from alonzo.services.sqs.messages import limits

#: An attribute as the service model has it: DataType, and StringValue or BinaryValue.
Attribute = Mapping[str, Any]

#: The one system attribute that a sender may set.
TRACE_HEADER = "AWSTraceHeader"

_NAME = re.compile(r"[A-Za-z0-9_\-.]+")
_RESERVED = ("aws.", "amazon.")
_TYPES = {"String": "StringValue", "Number": "StringValue", "Binary": "BinaryValue"}
#: Each text fits in one way at most: no long one takes long.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TRANSPORTS = {"StringValue": b"\x01", "BinaryValue": b"\x02"}
#: All that XML 1.0 has no place for.
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_text(text: str) -> None:
    """Refuse characters that no message may have.

    Raises:
        AwsError: InvalidMessageContents.
    """
    # What is printable is valid, and found out in a tenth of the time.
    if not text.isprintable() and _INVALID.search(text) is not None:
        raise AwsError(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | "
            "#x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
        )


def check_attributes(attributes: Mapping[str, Attribute]) -> None:
    """Refuse message attributes as AWS does.

    Raises:
        AwsError: what is wrong with the first bad one.
    """
    if len(attributes) > limits.ATTRIBUTES_MAX:
        raise invalid_value(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{limits.ATTRIBUTES_MAX}]."
        )
    for name, attribute in attributes.items():
        _check_name(name)
        _check_value("message (user) attribute", name, attribute)


def check_system_attributes(attributes: Mapping[str, Attribute]) -> None:
    """Refuse system attributes that a sender cannot set.

    Raises:
        AwsError: what is wrong with the first bad one.
    """
    for name, attribute in attributes.items():
        if name != TRACE_HEADER:
            raise invalid_value(f"Message system attribute name '{name}' is invalid.")
        _check_value("message system attribute", name, attribute)
        if attribute["DataType"] != "String":
            raise invalid_value(
                f"The message system attribute '{name}' must be of message attribute type 'String'."
            )


def size_of(attributes: Mapping[str, Attribute]) -> int:
    """The bytes of names, types and values; they count with the body."""
    return sum(
        len(name.encode()) + len(attribute["DataType"].encode()) + len(_value_of(attribute)[1])
        for name, attribute in attributes.items()
    )


def md5_of(attributes: Mapping[str, Attribute]) -> str:
    """The digest over attributes, as clients check it."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        attribute = attributes[name]
        field, value = _value_of(attribute)
        for piece in (name.encode(), attribute["DataType"].encode()):
            digest.update(len(piece).to_bytes(4, "big") + piece)
        digest.update(_TRANSPORTS[field] + len(value).to_bytes(4, "big"))
        digest.update(value)
    return digest.hexdigest()


def md5_of_body(body: bytes) -> str:
    """The digest of a body in UTF-8."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def chosen(attributes: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those that ``MessageAttributeNames`` asks for: names, ``All``, ``.*`` and ``prefix.*``."""
    wanted = set(names)
    if wanted & {"All", ".*"}:
        return dict(attributes)
    prefixes = tuple(name[:-1] for name in wanted if name.endswith(".*"))
    return {
        name: value
        for name, value in attributes.items()
        if name in wanted or (prefixes and name.startswith(prefixes))
    }


def _check_name(name: str) -> None:
    if not name:
        raise invalid_value("The request must contain non-empty message attribute name.")
    if len(name) > limits.ATTRIBUTE_NAME_CHARS_MAX:
        raise invalid_value(
            "Length of message attribute name must be less than "
            f"{limits.ATTRIBUTE_NAME_CHARS_MAX} bytes."
        )
    if _NAME.fullmatch(name) is None:
        raise invalid_value(
            "Invalid non-alphanumeric character was found in the message attribute name. Can only "
            "include alphanumeric characters, hyphens, underscores, or dots."
        )
    if name.startswith(".") or name.endswith(".") or ".." in name:
        raise invalid_value(
            f"The message attribute name '{name}' must not start or end with a dot, or have dots "
            "in succession."
        )
    if name.lower().startswith(_RESERVED):
        raise invalid_value(
            "Message attribute names that begin with 'AWS.' or 'Amazon.' are reserved: "
            f"'{name}' cannot be used."
        )


def _check_value(kind: str, name: str, attribute: Attribute) -> None:
    data_type = attribute.get("DataType") or ""
    if not data_type:
        raise invalid_value(f"The {kind} '{name}' must contain non-empty message attribute type.")
    prefix = data_type.partition(".")[0]
    field = _TYPES.get(prefix)
    if field is None:
        raise invalid_value(
            f"The {kind} '{name}' has an invalid message attribute type, the set of supported type "
            "prefixes is Binary, Number, and String."
        )
    if len(data_type) > limits.ATTRIBUTE_TYPE_CHARS_MAX:
        raise invalid_value(
            "Length of message attribute type must be less than "
            f"{limits.ATTRIBUTE_TYPE_CHARS_MAX} bytes."
        )
    check_text(data_type)
    if attribute.get("StringListValues") or attribute.get("BinaryListValues"):
        raise invalid_value(
            "Message attribute list values in SendMessage operation are not supported."
        )
    value = attribute.get(field)
    if not value:
        other = "BinaryValue" if field == "StringValue" else "StringValue"
        if attribute.get(other):
            raise invalid_value(
                f"The {kind} '{name}' with type '{data_type}' must use field "
                f"'{field.removesuffix('Value')}'."
            )
        raise invalid_value(
            f"The {kind} '{name}' must contain non-empty message attribute value for message "
            f"attribute type '{data_type}'."
        )
    if field == "StringValue":
        check_text(value)
    if prefix == "Number" and _NUMBER.fullmatch(value) is None:
        raise invalid_value(f"Can't cast the value of {kind} '{name}' to a number.")


def _value_of(attribute: Attribute) -> tuple[str, bytes]:
    """Which field has the value, and the value's bytes."""
    field = _TYPES[attribute["DataType"].partition(".")[0]]
    value = attribute[field]
    return field, value.encode() if isinstance(value, str) else bytes(value)
