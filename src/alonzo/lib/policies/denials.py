"""The text of a refusal. Source: IAM user guide, troubleshooting access denied error messages."""

from __future__ import annotations

from alonzo.lib.policies.compiled import Request
from alonzo.lib.policies.evaluation import Decision, PolicyType

_ARTICLES = {PolicyType.IDENTITY: "an"}


def denial(request: Request, decision: Decision) -> str:
    """What AWS tells the caller of a refused request."""
    return f"{refusal(request)} {reason(request.action, decision)}".rstrip()


def refusal(request: Request) -> str:
    """The same without the reason, as services answer that do not give one."""
    return (
        f"User: {request.caller.arn} is not authorized to perform: {request.action} "
        f"on resource: {request.resource}"
    )


def reason(action: str, decision: Decision) -> str:
    """Which kind of policy denied the action, or did not allow it."""
    kind = decision.type
    if kind is None:
        return ""
    if decision.explicit:
        return f"with an explicit deny in {_ARTICLES.get(kind, 'a')} {kind}"
    return f"because no {kind} allows the {action} action"
