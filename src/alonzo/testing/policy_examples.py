"""Examples of policies, each with the requests that a page of AWS's documentation speaks about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import Policy, Request, compile_policy
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.lib.policies.principals import Caller

READ = "s3:GetObject"
A, B = "111111111111", "222222222222"
USER = principals.user(f"arn:aws:iam::{A}:user/carlos", A, "AIDACARLOS")
ROLE = f"arn:aws:iam::{A}:role/audit"
SESSION_ARN = f"arn:aws:sts::{A}:assumed-role/audit/app"
SESSION = principals.role_session(
    SESSION_ARN, A, role_arn=ROLE, role_id="AROAAUDIT", session_name="app"
)
ROOT = principals.root_user(A)
BUCKET, OBJECT = "arn:aws:s3:::b", "arn:aws:s3:::b/o"
TOPIC = f"arn:aws:sns:us-east-1:{A}:t"
FUNCTION = f"arn:aws:lambda:us-east-1:{A}:function:f"
Doc = dict[str, Any]


def allow(action: Any = "*", on: Any = "*", **more: Any) -> Doc:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def deny(action: Any = "*", on: Any = "*", **more: Any) -> Doc:
    """One that denies."""
    return {**allow(action, on, **more), "Effect": "Deny"}


def without(statement: Doc, *elements: str) -> Doc:
    """A statement that lacks elements."""
    return {key: value for key, value in statement.items() if key not in elements}


def when(**operators: Any) -> Doc:
    """A condition; ``ForAllValues_StringLike`` is how that operator is spelled here."""
    return {"Condition": {name.replace("_", ":"): keys for name, keys in operators.items()}}


@dataclass(frozen=True)
class Asks:
    """One request, and what becomes of it."""

    action: str
    on: str
    allowed: bool
    context: Doc = field(default_factory=dict[str, Any])
    who: Caller | None = None


@dataclass(frozen=True)
class Example:
    """Policies as a page has them, and the requests that it speaks about."""

    page: str
    asks: list[Asks]
    identity: list[Doc] = field(default_factory=list[Doc])
    boundary: list[Doc] | None = None
    session: list[Doc] | None = None
    resource: list[Doc] | None = None
    who: Caller = USER
    account: str = A


def yes(action: str, on: str = "*", who: Caller | None = None, **context: Any) -> Asks:
    """A request that passes."""
    return Asks(action, on, True, {key.lower(): value for key, value in context.items()}, who)


def no(action: str, on: str = "*", who: Caller | None = None, **context: Any) -> Asks:
    """A request that is refused."""
    return Asks(action, on, False, {key.lower(): value for key, value in context.items()}, who)


def by(who: Any) -> Doc:
    """The principal of a statement."""
    return {"Principal": who}


def check(example: Example) -> None:
    """Have each of its requests decided as the page says."""
    policies = Policies(
        identity=[_ready([each]) for each in example.identity],
        boundary=None if example.boundary is None else _ready(example.boundary),
        session=None if example.session is None else [_ready(example.session)],
        resource=None if example.resource is None else _ready(example.resource),
    )
    for asks in example.asks:
        caller = asks.who or example.who
        request = Request(asks.action, asks.on, caller, example.account, asks.context)
        assert evaluate(request, policies).allowed is asks.allowed, asks


def _ready(statements: list[Doc]) -> Policy:
    return compile_policy({"Version": "2012-10-17", "Statement": statements})
