"""Bodies of messages at rest: encrypted where their queue names a key of KMS.

Each body has a data key of its own, so there is nothing to reuse; ``KmsDataKeyReusePeriodSeconds``
is kept and shown. A body stays as it was encrypted when its message moves to another queue, so the
message says under which queue's name that was. Attributes are not encrypted, as on AWS.

Source: SQS developer guide, encryption at rest.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import Encryption
from alonzo.services.sqs.messages.entries import NewMessage
from alonzo.services.sqs.queue import Queue

#: The member of a message's document with the ARN that its body was sealed under.
_SEALED = "sealed"
_MARK = f'"{_SEALED}"'.encode()

#: What SQS calls the refusals of KMS. Source: SQS API reference, SendMessage.
_CODES = {
    "AccessDeniedException": "KmsAccessDenied",
    "DisabledException": "KmsDisabled",
    "InvalidKeyUsageException": "KmsInvalidKeyUsage",
    "KMSInvalidStateException": "KmsInvalidState",
    "NotFoundException": "KmsNotFound",
}


class Bodies:
    """Seals and opens the bodies of messages, as callers may."""

    def __init__(self, encryption: Encryption) -> None:
        self._encryption = encryption

    async def seal(
        self, context: RequestContext, queue: Queue, messages: Sequence[NewMessage]
    ) -> Sequence[NewMessage]:
        """The messages as they are to be stored.

        Raises:
            AwsError: KMS refuses.
        """
        if queue.kms_key_id is None:
            return messages
        return [await self._sealed(context, queue, queue.kms_key_id, each) for each in messages]

    async def open(
        self, context: RequestContext, rows: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """Stored messages as they were sent.

        Raises:
            AwsError: KMS refuses.
        """
        if not any(_MARK in row["attributes"] for row in rows):
            return rows
        return [await self._opened(context, row) for row in rows]

    async def _sealed(
        self, context: RequestContext, queue: Queue, key_id: str, message: NewMessage
    ) -> NewMessage:
        try:
            sealed = await self._encryption.seal(
                context, key_id, message.body.encode(), _bound_to(queue.arn), service="sqs"
            )
        except AwsError as error:
            raise _refused(error) from error
        document = {**orjson.loads(message.document), _SEALED: queue.arn}
        body = base64.b64encode(sealed.data).decode()
        return replace(message, body=body, document=orjson.dumps(document))

    async def _opened(self, context: RequestContext, row: Mapping[str, Any]) -> Mapping[str, Any]:
        arn = orjson.loads(row["attributes"]).get(_SEALED)
        if arn is None:
            return row
        sealed = base64.b64decode(row["body"])
        try:
            body = await self._encryption.open(context, sealed, _bound_to(arn), service="sqs")
        except AwsError as error:
            raise _refused(error) from error
        return {**row, "body": body.decode()}


def _bound_to(queue_arn: str) -> dict[str, str]:
    return {"aws:sqs:arn": queue_arn}


def _refused(error: AwsError) -> AwsError:
    return AwsError(_CODES.get(error.code, "KmsInvalidState"), error.message, status=400)
