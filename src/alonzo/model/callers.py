"""A caller as policies know it, and what a request says of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from alonzo.lib.policies import principals
from alonzo.lib.policies.principals import Caller
from alonzo.model.context import ANONYMOUS, Principal

_DATE = "%Y-%m-%dT%H:%M:%SZ"


def caller_of(principal: Principal) -> Caller:
    """All the names by which a policy may know a principal."""
    if principal.service:
        return principals.service(principal.service)
    if principal == ANONYMOUS:
        return principals.anonymous()
    if principal.is_root:
        return principals.root_user(principal.account)
    session = principal.session
    if session is None or session.role_arn is None:
        return principals.user(principal.arn, principal.account, principal.user_id)
    return principals.role_session(
        principal.arn,
        principal.account,
        role_arn=session.role_arn,
        role_id=principal.identity_id,
        session_name=session.name,
    )


def principal_context(
    principal: Principal, tags: Mapping[str, str] | None = None
) -> dict[str, str | tuple[str, ...]]:
    """The keys of a request's context that are about the caller. ``tags`` are of user or role.

    Source: IAM user guide, AWS global condition context keys, properties of the principal.
    """
    if principal.service:
        return {
            "aws:principalisawsservice": "true",
            "aws:principalservicename": principal.service,
        }
    if principal == ANONYMOUS:
        return {"aws:principaltype": "Anonymous", "aws:principalisawsservice": "false"}
    session = principal.session
    context: dict[str, str | tuple[str, ...]] = {
        "aws:principalaccount": principal.account,
        "aws:principalarn": principal.arn,
        "aws:userid": principal.user_id,
        "aws:principaltype": "Account" if principal.is_root else "User",
        "aws:principalisawsservice": "false",
    }
    if session is not None:
        context["aws:tokenissuetime"] = datetime.fromtimestamp(session.issued_at_s, UTC).strftime(
            _DATE
        )
        context["aws:multifactorauthpresent"] = "false"
        if session.source_identity is not None:
            context["aws:sourceidentity"] = session.source_identity
        if session.function_arn is not None:
            context["lambda:sourcefunctionarn"] = session.function_arn
    if session is not None and session.role_arn is not None:
        context["aws:principalarn"] = session.role_arn
        context["aws:principaltype"] = "AssumedRole"
    elif not principal.is_root:
        context["aws:username"] = principal.arn.rpartition("/")[2]
    for key, value in {**(tags or {}), **dict(session.tags if session else ())}.items():
        context[f"aws:principaltag/{key.lower()}"] = value
    return context
