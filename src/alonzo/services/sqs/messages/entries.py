"""What a send asks for, checked, in the form in which it is stored. Pure.

The order of the checks is ours; AWS says nothing about it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from alonzo.model.context import RequestContext
from alonzo.services.sqs.errors import invalid_for_parameter, invalid_value, missing_parameter
from alonzo.services.sqs.messages import attributes as rules
from alonzo.services.sqs.messages import limits
from alonzo.services.sqs.queue import Queue

_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
_NO_DEDUPLICATION = (
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
    "provided explicitly"
)


# Not frozen: that would make its construction, ten times in a batch, take three times as long.
@dataclass(slots=True)
class NewMessage:
    """One message before it is stored. Nobody changes it.

    ``group`` and ``deduplication_id`` are set for FIFO queues. ``document`` is what ``shown``
    reads. ``n_bytes`` counts body and attributes.
    """

    message_id: str
    body: str
    body_md5: str
    attributes_md5: str | None
    system_md5: str | None
    delay_ms: int
    group: str | None
    deduplication_id: str | None
    document: bytes
    n_bytes: int

    def answer(self, message_id: str, sequence: str | None) -> dict[str, Any]:
        """What the sender hears; the id and number may be those of an earlier duplicate."""
        answer: dict[str, Any] = {"MessageId": message_id, "MD5OfMessageBody": self.body_md5}
        if self.attributes_md5 is not None:
            answer["MD5OfMessageAttributes"] = self.attributes_md5
        if self.system_md5 is not None:
            answer["MD5OfMessageSystemAttributes"] = self.system_md5
        if sequence is not None:
            answer["SequenceNumber"] = sequence
        return answer


def read_entry(
    context: RequestContext, queue: Queue, params: Mapping[str, Any], message_id: str
) -> NewMessage:
    """A message out of the parameters of SendMessage, or of an entry of a batch.

    Raises:
        AwsError: one of its parts is missing, malformed or too large.
    """
    body: str = params.get("MessageBody") or ""
    if not body:
        raise missing_parameter("MessageBody")
    rules.check_text(body)
    raw = body.encode()
    n_bytes = len(raw)
    own = params.get("MessageAttributes")
    if own:
        rules.check_attributes(own)
        n_bytes += rules.size_of(own)
    system = params.get("MessageSystemAttributes")
    if system:
        rules.check_system_attributes(system)
    if n_bytes > queue.message_bytes_max:
        raise invalid_value(
            "One or more parameters are invalid. Reason: Message must be shorter than "
            f"{queue.message_bytes_max} bytes."
        )
    group, deduplication_id = _fifo_ids(queue, params, raw)
    trace = system[rules.TRACE_HEADER]["StringValue"] if system else context.trace_header
    document: dict[str, Any] = {
        "sender": _sender(context),
        "attributes": {name: _stored(value) for name, value in own.items()} if own else None,
        "trace": trace,
        "group": group,
        "deduplication": deduplication_id,
    }
    return NewMessage(
        message_id=message_id,
        body=body,
        body_md5=rules.md5_of_body(raw),
        attributes_md5=rules.md5_of(own) if own else None,
        system_md5=rules.md5_of(system) if system else None,
        delay_ms=_delay_s(queue, params.get("DelaySeconds")) * 1000,
        group=group if queue.is_fifo else None,
        deduplication_id=deduplication_id if queue.is_fifo else None,
        document=orjson.dumps({name: value for name, value in document.items() if value}),
        n_bytes=n_bytes,
    )


def check_fifo_members(queue: Queue, params: Mapping[str, Any]) -> None:
    """Refuse what lacks an id that a FIFO queue needs; for a batch, that fails it as a whole.

    Raises:
        AwsError: MissingRequiredParameterException, InvalidParameterValueException.
    """
    if not queue.is_fifo:
        return
    if not params.get("MessageGroupId"):
        raise missing_parameter("MessageGroupId")
    if params.get("MessageDeduplicationId") is None and not queue.content_based_deduplication:
        raise invalid_value(_NO_DEDUPLICATION)


def attributes_of(stored: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Stored attributes in the form of the service model."""
    return {
        name: {"DataType": one["t"], "StringValue": one["s"]}
        if "s" in one
        else {"DataType": one["t"], "BinaryValue": base64.b64decode(one["b"])}
        for name, one in stored.items()
    }


def _stored(attribute: rules.Attribute) -> dict[str, str]:
    data_type = attribute["DataType"]
    if data_type.startswith("Binary"):
        return {"t": data_type, "b": base64.b64encode(attribute["BinaryValue"]).decode()}
    return {"t": data_type, "s": attribute["StringValue"]}


def _fifo_ids(
    queue: Queue, params: Mapping[str, Any], body: bytes
) -> tuple[str | None, str | None]:
    """The message's group and its deduplication id; a group there may be in any queue."""
    check_fifo_members(queue, params)
    group: str | None = params.get("MessageGroupId")
    if group is not None:
        check_id("MessageGroupId", group)
    deduplication_id: str | None = params.get("MessageDeduplicationId")
    if deduplication_id is not None:
        if not queue.is_fifo:
            raise invalid_for_parameter(
                deduplication_id,
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type.",
            )
        check_id("MessageDeduplicationId", deduplication_id)
    elif queue.is_fifo:
        deduplication_id = hashlib.sha256(body).hexdigest()
    return group, deduplication_id


def check_id(name: str, value: str) -> None:
    """Refuse an id of other characters, or too long.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if _ID.fullmatch(value) is None:
        raise invalid_for_parameter(
            value,
            name,
            f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        )


def _delay_s(queue: Queue, delay_s: int | None) -> int:
    if delay_s is None:
        return queue.delay_s
    if not 0 <= delay_s <= limits.DELAY_S_MAX:
        raise invalid_for_parameter(
            delay_s, "DelaySeconds", f"DelaySeconds must be >= 0 and <= {limits.DELAY_S_MAX}."
        )
    if queue.is_fifo and delay_s:
        # Zero is no delay of its own; SDKs that always send the member stay usable.
        raise invalid_for_parameter(
            delay_s,
            "DelaySeconds",
            "The request include parameter that is not valid for this queue type.",
        )
    return queue.delay_s if queue.is_fifo else delay_s


def _sender(context: RequestContext) -> str:
    return context.principal.user_id or context.principal.service
