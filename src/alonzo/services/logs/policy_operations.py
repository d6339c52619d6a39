"""PutResourcePolicy, DescribeResourcePolicies and DeleteResourcePolicy.

Source: CloudWatch Logs API reference, each operation; quotas. Texts that are not recorded are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.policies.compiled import PolicyError
from alonzo.lib.policies.grammar import read_resource_based
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.logs import records
from alonzo.services.logs.errors import invalid, no_policy, too_many_policies
from alonzo.services.logs.limits import (
    ACCOUNT_POLICIES_MAX,
    ACCOUNT_POLICY_BYTES_MAX,
    DESCRIBE_PAGE_MAX,
    GROUP_POLICIES_MAX,
    GROUP_POLICY_BYTES_MAX,
)
from alonzo.services.logs.policies import PolicyBook, group_policy, policies_of
from alonzo.services.logs.positions import opaque_token, read_opaque_token
from alonzo.services.logs.records import Q
from alonzo.services.logs.rules import GroupKey, group_by_identifier
from alonzo.store.base import Connection, Row, Store

_NAME_MAX = 255


class PolicyOperations:
    """One coroutine for each operation, named as in the service model."""

    def __init__(self, store: Store, book: PolicyBook, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._book = book
        self._clock = clock
        self._ids = ids

    async def put_resource_policy(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """PutResourcePolicy, of the account or of a group."""
        name, document = params.get("policyName"), params.get("policyDocument")
        key = _group(context, params)
        if not name or len(name) > _NAME_MAX:
            raise invalid(f"A policyName of 1 to {_NAME_MAX} characters is required.")
        _check(document, GROUP_POLICY_BYTES_MAX if key else ACCOUNT_POLICY_BYTES_MAX)
        values = {
            "account": context.account,
            "region": context.region,
            "name": name,
            "revision": self._ids.uuid(),
            "updated_ms": int(self._clock.now_s() * 1000),
            "document": document,
        }

        def work(db: Connection) -> Row:
            rows = policies_of(db, context.account, context.region)
            if key is None:
                of_kind = [row for row in rows if row["group_name"] is None]
                known = next((row for row in of_kind if row["name"] == name), None)
                limit, group_id = ACCOUNT_POLICIES_MAX, None
            else:
                of_kind = [row for row in rows if row["group_name"] is not None]
                known = next((row for row in of_kind if row["group_name"] == key.name), None)
                limit, group_id = GROUP_POLICIES_MAX, records.need_group(db, key).id
                _check_revision(known, params)
            if known is None and len(of_kind) >= limit:
                raise too_many_policies()
            if known is None:
                db.execute(Q.add_policy, {**values, "group_id": group_id})
            else:
                db.execute(Q.change_policy, {**values, "id": known["id"]})
            return {**values, "group_name": None if key is None else key.name}

        row = await self._store.tx(work)
        await self._book.refresh(context.account, context.region)
        answer: dict[str, Any] = {"resourcePolicy": _described(row)}
        if key is not None:
            answer["revisionId"] = row["revision"]
        return answer

    async def describe_resource_policies(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """DescribeResourcePolicies: of the account, unless those of groups are asked for."""
        key = _group(context, params)
        of_groups = key is not None or params.get("policyScope") == "RESOURCE"
        token = params.get("nextToken")
        after = "" if token is None else read_opaque_token(token)
        limit: int = params.get("limit") or DESCRIBE_PAGE_MAX
        rows = await self._store.read(lambda db: policies_of(db, context.account, context.region))
        found = {
            row["group_name"] or row["name"]: row
            for row in rows
            if (row["group_name"] is not None) is of_groups
            and (key is None or row["group_name"] == key.name)
        }
        left = sorted(name for name in found if name > after)
        page = left[:limit]
        answer: dict[str, Any] = {"resourcePolicies": [_described(found[name]) for name in page]}
        if len(left) > limit:
            answer["nextToken"] = opaque_token(page[-1])
        return answer

    async def delete_resource_policy(self, context: RequestContext, params: dict[str, Any]) -> None:
        """DeleteResourcePolicy."""
        name, key = params.get("policyName"), _group(context, params)
        if not name and key is None:
            raise invalid("A policyName is required.")

        def work(db: Connection) -> None:
            if key is not None:
                row = group_policy(db, key)
                _check_revision(row, params)
            else:
                rows = policies_of(db, context.account, context.region)
                row = next(
                    (row for row in rows if row["name"] == name and row["group_name"] is None),
                    None,
                )
            if row is None or (name and row["name"] != name):
                raise no_policy(name or "")
            db.execute(Q.delete_policy, {"id": row["id"]})

        await self._store.tx(work)
        await self._book.refresh(context.account, context.region)


def _group(context: RequestContext, params: Mapping[str, Any]) -> GroupKey | None:
    arn = params.get("resourceArn")
    if not arn:
        return None
    if not arn.startswith("arn:"):
        raise invalid("The resourceArn must be the ARN of a log group.")
    return group_by_identifier(arn, account=context.account, region=context.region)


def _check(document: str | None, longest: int) -> None:
    """Refuse what is no policy. The text about its length is the framework's."""
    if not document:
        raise invalid("A policyDocument is required.")
    if len(document.encode()) > longest:
        raise invalid(
            "1 validation error detected: Value at 'policyDocument' failed to satisfy constraint: "
            f"Member must have length less than or equal to {longest}"
        )
    try:
        read_resource_based(document)
    except PolicyError as error:
        raise invalid(f"The policy document is not valid: {str(error)[:512]}") from None


def _check_revision(row: Row | None, params: Mapping[str, Any]) -> None:
    """Refuse a change of what somebody else has changed."""
    expected = params.get("expectedRevisionId")
    known = None if row is None else row["revision"]
    if expected != known:
        raise AwsError(
            "OperationAbortedException",
            "The expectedRevisionId is not that of the policy as it is now.",
        )


def _described(row: Row) -> Mapping[str, Any]:
    shown = {
        "policyName": row["name"],
        "policyDocument": row["document"],
        "lastUpdatedTime": row["updated_ms"],
        "policyScope": "ACCOUNT",
    }
    if row["group_name"] is None:
        return shown
    arn = GroupKey(row["account"], row["region"], row["group_name"]).arn
    return shown | {
        "policyScope": "RESOURCE",
        "resourceArn": arn,
        "revisionId": row["revision"],
    }
