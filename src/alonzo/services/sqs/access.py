"""What the operations of SQS need to be allowed. Batches need what their single calls need.

Source: service authorization reference, Amazon SQS; developer guide, API permissions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules
from alonzo.model.context import RequestContext
from alonzo.services.sqs.directory import Directory
from alonzo.services.sqs.handles import read_task_handle
from alonzo.services.sqs.names import key_of_url
from alonzo.services.sqs.queue import QueueKey

#: Operations on the queue of their QueueUrl, and the actions that they are.
_ON_QUEUE = {
    **{
        name: name
        for name in (
            "AddPermission",
            "ChangeMessageVisibility",
            "DeleteMessage",
            "DeleteQueue",
            "GetQueueAttributes",
            "ListDeadLetterSourceQueues",
            "ListQueueTags",
            "PurgeQueue",
            "ReceiveMessage",
            "RemovePermission",
            "SendMessage",
            "SetQueueAttributes",
            "TagQueue",
            "UntagQueue",
        )
    },
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "DeleteMessageBatch": "DeleteMessage",
    "SendMessageBatch": "SendMessage",
}

#: What a task that moves messages does with the queue that it takes them from.
_MOVED_FROM = ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


def access_rules(directory: Directory) -> AccessRules:
    """The rules, by operation."""
    rules: dict[str, AccessRule] = {
        name: _on_queue(directory, f"sqs:{action}") for name, action in _ON_QUEUE.items()
    }
    rules["CreateQueue"] = _create
    rules["GetQueueUrl"] = _get_url(directory)
    rules["ListQueues"] = _list
    rules["StartMessageMoveTask"] = _start_moving(directory)
    rules["CancelMessageMoveTask"] = _cancel_moving(directory)
    rules["ListMessageMoveTasks"] = _list_moving(directory)
    return rules


def _on_queue(directory: Directory, action: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        key = key_of_url(context, params.get("QueueUrl") or "")
        return (_access(directory, action, key.arn, key),)

    return rule


def _create(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    arn = QueueKey(context.account, context.region, str(params.get("QueueName") or "")).arn
    wanted = [Access("sqs:CreateQueue", arn)]
    if params.get("tags"):
        wanted.append(Access("sqs:TagQueue", arn))
    return wanted


def _get_url(directory: Directory) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        account = str(params.get("QueueOwnerAWSAccountId") or context.account)
        key = QueueKey(account, context.region, str(params.get("QueueName") or ""))
        return (_access(directory, "sqs:GetQueueUrl", key.arn, key),)

    return rule


def _list(context: RequestContext, _params: Mapping[str, Any]) -> Sequence[Access]:
    return (Access("sqs:ListQueues", QueueKey(context.account, context.region, "").arn),)


def _start_moving(directory: Directory) -> AccessRule:
    def rule(_context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        source = str(params.get("SourceArn") or "*")
        wanted = [_of_arn(directory, f"sqs:{action}", source) for action in _MOVED_FROM]
        destination = params.get("DestinationArn")
        targets = (
            [str(destination)]
            if destination
            else [queue.arn for queue in directory.sources_nowait(source)]
        )
        return wanted + [_of_arn(directory, "sqs:SendMessage", target) for target in targets]

    return rule


def _cancel_moving(directory: Directory) -> AccessRule:
    def rule(_context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        _, source = read_task_handle(str(params.get("TaskHandle") or ""))
        return (_of_arn(directory, "sqs:CancelMessageMoveTask", source),)

    return rule


def _list_moving(directory: Directory) -> AccessRule:
    def rule(_context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        source = str(params.get("SourceArn") or "*")
        return (_of_arn(directory, "sqs:ListMessageMoveTasks", source),)

    return rule


def _of_arn(directory: Directory, action: str, arn: str) -> Access:
    queue = directory.of_arn_nowait(arn)
    return _access(directory, action, arn, None if queue is None else queue.key)


def _access(directory: Directory, action: str, arn: str, key: QueueKey | None) -> Access:
    """With the tags of the queue, if it is there."""
    queue = None if key is None else directory.try_find_nowait(key)
    if queue is None:
        return Access(action, arn)
    tags = queue.tags.items()
    return Access(action, arn, {f"aws:resourcetag/{name.lower()}": value for name, value in tags})
