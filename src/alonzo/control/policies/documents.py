"""Policy documents, and the statements that Lambda writes into them.

The order of members is AWS's. Source: Lambda API, AddPermission and AddLayerVersionPermission;
recorded responses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

Statement = dict[str, Any]

#: What a policy may be long, as rendered. Source: Lambda quotas.
POLICY_BYTES_MAX = 20_480

#: AddPermission's parameters that become conditions: operator and key, in AWS's order.
_CONDITIONS = {
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "InvokedViaFunctionUrl": ("Bool", "lambda:InvokedViaFunctionUrl"),
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document, and the revision id that guards changes of it."""

    document: Mapping[str, Any]
    revision_id: str

    @property
    def text(self) -> str:
        """The document as the API answers it and as it is kept."""
        return dump(self.document)

    @property
    def statements(self) -> list[Statement]:
        """Its statements. A document may have a single one outside of any list."""
        statements = self.document["Statement"]
        return cast("list[Statement]", statements if isinstance(statements, list) else [statements])


def dump(value: Mapping[str, Any]) -> str:
    """JSON as AWS writes it into the string members of its answers."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def with_statements(document: Mapping[str, Any] | None, statements: Iterable[Statement]) -> Any:
    """``document`` with other statements; AWS's empty document for None."""
    head = document or {"Version": "2012-10-17", "Id": "default"}
    return {**head, "Statement": list(statements)}


def layer_statement(params: Mapping[str, Any], resource: str) -> Statement:
    """The statement that AddLayerVersionPermission adds for ``resource``."""
    statement: Statement = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _account_principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": resource,
    }
    if params.get("OrganizationId"):
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": params["OrganizationId"]}}
    return statement


def function_statement(
    params: Mapping[str, Any], principal: str | Mapping[str, str], resource: str
) -> Statement:
    """The statement that AddPermission adds for ``resource``, with its principal as rendered."""
    statement: Statement = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": principal,
        "Action": params["Action"],
        "Resource": resource,
    }
    conditions: dict[str, dict[str, str]] = {}
    for member, (operator, key) in _CONDITIONS.items():
        value = params.get(member)
        if value:
            conditions.setdefault(operator, {})[key] = "true" if value is True else value
    if conditions:
        statement["Condition"] = conditions
    return statement


def _account_principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return "*"
    if principal.startswith("arn:"):
        return {"AWS": principal}
    return {"AWS": f"arn:aws:iam::{principal}:root"}
