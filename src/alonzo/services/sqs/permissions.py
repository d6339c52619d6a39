"""AddPermission and RemovePermission: statements of a queue's policy, by their labels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.policies.grammar import statements_of
from alonzo.model.context import RequestContext
from alonzo.services.sqs import records
from alonzo.services.sqs.attributes import checked_change
from alonzo.services.sqs.directory import Directory, Unit
from alonzo.services.sqs.errors import (
    invalid_for_parameter,
    invalid_value,
    missing_parameter,
    over_limit,
)
from alonzo.services.sqs.owners import owned_nowait
from alonzo.services.sqs.queue import Queue

#: Actions of one statement, accounts of one, and statements of a policy.
#: Source: SQS API reference, AddPermission; developer guide, quotas related to policies.
ACTIONS_MAX = 7
ACCOUNTS_MAX = 50
STATEMENTS_MAX = 20

#: Source: SQS developer guide, API permissions: what another account may be allowed.
_ACTIONS = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)
_OWN = frozenset(
    {
        "AddPermission",
        "CancelMessageMoveTask",
        "CreateQueue",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "ListQueues",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    }
)
_OF_OWNERS = "Only the queue owner is allowed to invoke this action."
_NO_ACTION = "Please refer to the appropriate WSDL for a list of valid actions. "
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ACCOUNT = re.compile(r"[0-9]{12}")

Params = Mapping[str, Any]


class PermissionOperations:
    """AddPermission and RemovePermission."""

    def __init__(self, directory: Directory, *, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def add_permission(self, context: RequestContext, params: Params) -> None:
        """Let accounts do something with a queue."""
        queue = owned_nowait(self._directory, context, params)
        statement = _statement(queue, params)

        def add(unit: Unit) -> None:
            now = unit.need(queue)
            document, statements = _policy(now)
            if any(each.get("Sid") == statement["Sid"] for each in statements):
                raise invalid_for_parameter(statement["Sid"], "Label", "Already exists.")
            if len(statements) >= STATEMENTS_MAX:
                raise over_limit(
                    f"{len(statements) + 1} statements were found, maximum allowed is "
                    f"{STATEMENTS_MAX}."
                )
            self._save(unit, now, {**document, "Statement": [*statements, statement]})

        await self._directory.change(add)

    async def remove_permission(self, context: RequestContext, params: Params) -> None:
        """Take back what AddPermission allowed."""
        queue = owned_nowait(self._directory, context, params)
        label = params.get("Label")
        if not label:
            raise missing_parameter("Label")

        def remove(unit: Unit) -> None:
            now = unit.need(queue)
            document, statements = _policy(now)
            kept = [each for each in statements if each.get("Sid") != label]
            if len(kept) == len(statements):
                raise invalid_for_parameter(label, "Label", "can't find label.")
            self._save(unit, now, {**document, "Statement": kept} if kept else None)

        await self._directory.change(remove)

    def _save(self, unit: Unit, queue: Queue, document: Mapping[str, Any] | None) -> None:
        text = "" if document is None else json.dumps(document, separators=(",", ":"))
        attributes = checked_change(queue, {"Policy": text})
        records.save_attributes(unit.conn, queue.id, attributes, self._clock.now_s())


def _statement(queue: Queue, params: Params) -> dict[str, Any]:
    label: str = params.get("Label") or ""
    accounts: Sequence[str] = params.get("AWSAccountIds") or ()
    actions: Sequence[str] = params.get("Actions") or ()
    for name, value in (("Label", label), ("AWSAccountIds", accounts), ("Actions", actions)):
        if not value:
            raise missing_parameter(name)
    if _LABEL.fullmatch(label) is None:
        raise invalid_for_parameter(
            label,
            "Label",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    if len(actions) > ACTIONS_MAX:
        raise over_limit(f"{len(actions)} Actions were found, maximum allowed is {ACTIONS_MAX}.")
    if len(accounts) > ACCOUNTS_MAX or not all(map(_ACCOUNT.fullmatch, accounts)):
        # The text is ours.
        raise invalid_value("Value for parameter PrincipalId is invalid. Reason: Unable to verify.")
    for action in actions:
        if action not in _ACTIONS:
            raise invalid_for_parameter(
                f"SQS:{action}", "ActionName", _OF_OWNERS if action in _OWN else _NO_ACTION
            )
    return {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{each}:root" for each in accounts])},
        "Action": _one_or_all([f"SQS:{action}" for action in actions]),
        "Resource": queue.arn,
    }


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _policy(queue: Queue) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """The policy of a queue, a new one if it has none, and its statements."""
    if queue.policy is None:
        new: dict[str, Any] = {
            "Version": "2008-10-17",
            "Id": f"{queue.arn}/SQSDefaultPolicy",
            "Statement": [],
        }
        return new, []
    document: Mapping[str, Any] = json.loads(queue.policy)
    return document, statements_of(document)
