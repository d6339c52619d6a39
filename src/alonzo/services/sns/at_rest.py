"""Messages at rest: encrypted where their topic names a key of KMS.

A message is sealed when it is published, as its publisher may, and is in memory in the clear while
it is on its way. What a former run has left is opened as the topic's account. Names of attributes
and the like are sealed with the text; who is to get the message is not.

Source: SNS developer guide, encryption at rest.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson

from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Encryption
from alonzo.services.sns.arns import account_of, region_of
from alonzo.services.sns.records import Message, Topic, message_bytes, message_from

#: What SNS calls the refusals of KMS. Source: SNS API reference, Publish.
_CODES = {
    "AccessDeniedException": "KMSAccessDenied",
    "DisabledException": "KMSDisabled",
    "KMSInvalidStateException": "KMSInvalidState",
    "NotFoundException": "KMSNotFound",
}


class AtRest:
    """Seals and opens messages."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    async def seal(self, context: RequestContext, topic: Topic, message: Message) -> bytes | None:
        """The message sealed under the topic's key; None: the topic has none.

        Raises:
            AwsError: KMS refuses.
        """
        key_id = topic.attributes.get("KmsMasterKeyId")
        if key_id is None:
            return None
        try:
            sealed = await self._encryption.seal(
                context, key_id, message_bytes(message), _bound_to(topic.arn), service="sns"
            )
        except AwsError as error:
            code = _CODES.get(error.code, "KMSInvalidState")
            raise AwsError(code, error.message, status=400) from error
        return sealed.data

    async def open(self, document: bytes) -> Message:
        """A message from the store.

        Raises:
            AwsError: KMS refuses.
        """
        found: dict[str, Any] = orjson.loads(document)
        if "sealed" not in found:
            return message_from(found)
        arn: str = found["topic_arn"]
        plain = await self._encryption.open(
            _as_the_account(arn), base64.b64decode(found["sealed"]), _bound_to(arn), service="sns"
        )
        return replace(message_from(orjson.loads(plain)), sequence=found["sequence"])


def document_of(message: Message, sealed: bytes | None) -> bytes:
    """A message for the store."""
    if sealed is None:
        return message_bytes(message)
    return orjson.dumps(
        {
            "sealed": base64.b64encode(sealed).decode(),
            "topic_arn": message.topic_arn,
            "sequence": message.sequence,
        }
    )


def _bound_to(topic_arn: str) -> dict[str, str]:
    return {"aws:sns:topicArn": topic_arn}


def _as_the_account(topic_arn: str) -> RequestContext:
    account = account_of(topic_arn)
    root = f"arn:aws:iam::{account}:root"
    return RequestContext(
        request_id="",
        account=account,
        region=region_of(topic_arn),
        principal=Principal(account, root, account, "", is_root=True),
        endpoint="",
        source_ip="sns.amazonaws.com",
    )
