"""All policies of one request together: may it pass, and if not, why not.

1. A ``Deny`` that fits, in any policy, refuses.
2. Root users may do everything within their account.
3. Within one account a resource-based policy that lets the caller in is enough (``Grant``).
4. Otherwise an identity-based policy must allow it, and so must the permissions boundary and the
   session policies where there are any.
5. Across accounts both sides must allow it: the caller's as in 4, and the resource's policy.
6. Services and people without an account have a resource-based policy or nothing.

Source: IAM user guide, policy evaluation logic, within an account and across accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from alonzo.lib.policies.compiled import Policy, Request, Statement
from alonzo.lib.policies.principals import Grant


class PolicyType(StrEnum):
    """The kinds of policies, in the words of AWS's refusals."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one request.

    ``identity``: of the user with their groups, or of the role. ``session``: None where the session
    was made without any. ``resource``: None for a resource that has no policy.
    """

    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Sequence[Policy] | None = None
    resource: Policy | None = None

    def context_keys(self) -> frozenset[str]:
        """All the keys of a request that a decision of these policies may depend on."""
        several = [*self.identity, *(self.session or ())]
        several += [each for each in (self.boundary, self.resource) if each is not None]
        return frozenset[str]().union(*(each.context_keys for each in several))


@dataclass(frozen=True, slots=True)
class Match:
    """A statement that had a say, and the policy that it stands in."""

    type: PolicyType
    policy: Policy
    statement: Statement


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the request may pass.

    If not, ``explicit`` tells a ``Deny`` from a missing ``Allow``, and ``type`` is the kind of
    policy that denied, or that did not allow. ``matches`` are the statements that decided.
    """

    allowed: bool
    explicit: bool = False
    type: PolicyType | None = None
    matches: tuple[Match, ...] = ()


def evaluate(request: Request, policies: Policies) -> Decision:
    """Decide one request. Pure; microseconds for the policies that people write.

    The caller of a resource's policy alone (a service, an anonymous client, a function URL) leaves
    the other policies out. ``request.account`` against ``request.caller.account`` decides whether
    this is within one account or across two.
    """
    action = request.action.lower()
    denied = _denied(request, policies, action)
    if denied:
        return Decision(allowed=False, explicit=True, type=denied[0].type, matches=denied)
    caller = request.caller
    within = caller.account == request.account
    if caller.is_root and within:
        return Decision(allowed=True)
    granted, grant = _granted(request, policies.resource, action)
    if caller.account is None:
        return _ruled(grant is not Grant.NONE, PolicyType.RESOURCE, granted)
    if within and grant is Grant.DIRECT:
        return Decision(allowed=True, matches=granted)
    own = _own_side(request, policies, action, granted=within and grant is Grant.ROLE)
    if not own.allowed:
        return own
    if within:
        return Decision(allowed=True, matches=own.matches + granted)
    return _ruled(grant is not Grant.NONE, PolicyType.RESOURCE, own.matches + granted)


def grant_of(request: Request, resource: Policy) -> Grant:
    """How far a resource-based policy alone carries the caller; a ``Deny`` is not looked at."""
    return _granted(request, resource, request.action.lower())[1]


def _denied(request: Request, policies: Policies, action: str) -> tuple[Match, ...]:
    boundary = () if policies.boundary is None else (policies.boundary,)
    matches = [
        *_fitting(request, policies.identity, PolicyType.IDENTITY, action, deny=True),
        *_fitting(request, boundary, PolicyType.BOUNDARY, action, deny=True),
        *_fitting(request, policies.session or (), PolicyType.SESSION, action, deny=True),
    ]
    resource = policies.resource
    if resource is not None:
        matches += [
            match
            for match in _fitting(request, (resource,), PolicyType.RESOURCE, action, deny=True)
            if match.statement.principals is not None
            and match.statement.principals.denies(request.caller, bounded=bool(boundary))
        ]
    return tuple(matches)


def _granted(
    request: Request, resource: Policy | None, action: str
) -> tuple[tuple[Match, ...], Grant]:
    """The statements of the resource's policy that let the caller in, and how far."""
    if resource is None:
        return (), Grant.NONE
    grants = [
        (match, match.statement.principals.grant(request.caller))
        for match in _fitting(request, (resource,), PolicyType.RESOURCE, action, deny=False)
        if match.statement.principals is not None
    ]
    furthest = max((grant for _, grant in grants), default=Grant.NONE)
    return tuple(match for match, grant in grants if grant is not Grant.NONE), furthest


def _own_side(request: Request, policies: Policies, action: str, *, granted: bool) -> Decision:
    """What the caller's own policies say. ``granted``: identity-based ones need not allow it."""
    if request.caller.is_root:
        return Decision(allowed=True)
    allowed = tuple(_fitting(request, policies.identity, PolicyType.IDENTITY, action, deny=False))
    if not allowed and not granted:
        return Decision(allowed=False, type=PolicyType.IDENTITY)
    for kind, limit in (
        (PolicyType.BOUNDARY, None if policies.boundary is None else (policies.boundary,)),
        (PolicyType.SESSION, policies.session),
    ):
        if limit is not None and not any(_fitting(request, limit, kind, action, deny=False)):
            return Decision(allowed=False, type=kind, matches=allowed)
    return Decision(allowed=True, matches=allowed)


def _fitting(
    request: Request, policies: Iterable[Policy], kind: PolicyType, action: str, *, deny: bool
) -> Iterable[Match]:
    for policy in policies:
        for statement in policy.denies if deny else policy.allows:
            if statement.applies(request, action):
                yield Match(kind, policy, statement)


def _ruled(allowed: bool, kind: PolicyType, matches: tuple[Match, ...]) -> Decision:
    return Decision(allowed=allowed, type=None if allowed else kind, matches=matches)
