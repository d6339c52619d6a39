"""What only the account may do that a queue belongs to, whatever the queue's policy says.

Source: SQS developer guide, overview of managing access, cross-account permissions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.services.sqs.directory import Directory
from alonzo.services.sqs.errors import not_owner
from alonzo.services.sqs.queue import Queue


def owned_nowait(directory: Directory, context: RequestContext, params: Mapping[str, Any]) -> Queue:
    """The queue of a request's QueueUrl, which must be the caller's own.

    Raises:
        AwsError: QueueDoesNotExist, AccessDeniedException, or the URL is none.
    """
    queue = directory.of_url_nowait(context, params.get("QueueUrl") or "")
    if queue.key.account != context.account:
        raise not_owner()
    return queue
