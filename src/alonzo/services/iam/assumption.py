"""Temporary credentials: who may become what, and for how long. Implements ``ports.Sessions``.

A role can be assumed if its trust policy lets the caller in; where it names the caller's account
only, and across accounts, the caller's own policies must allow it as well. In soft mode callers of
the same account may have any role that there is, and the log says what would have been refused.

Source: STS API reference, AssumeRole, GetSessionToken; IAM user guide, role chaining, session tags.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from alonzo.lib.policies.compiled import Policy, PolicyError, Request
from alonzo.lib.policies.denials import refusal
from alonzo.lib.policies.evaluation import Policies, evaluate, grant_of
from alonzo.lib.policies.grammar import read_identity
from alonzo.lib.policies.principals import Grant
from alonzo.model.callers import caller_of
from alonzo.model.context import RequestContext, Session
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import AccessKey
from alonzo.model.sessions import RoleRequest
from alonzo.services.iam import managed, records
from alonzo.services.iam import trust as trust_of
from alonzo.services.iam.authority import policies_of
from alonzo.services.iam.errors import access_denied, malformed, validation_error
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.key_ids import account_of_key
from alonzo.services.iam.keys import KeyRing
from alonzo.services.iam.limits import (
    CHAINED_SESSION_S_MAX,
    ROOT_SESSION_S_MAX,
    SESSION_POLICY_CHARS_MAX,
    SESSION_S_DEFAULT,
    TAGS_MAX,
    USER_SESSION_S_DEFAULT,
    USER_SESSION_S_MAX,
)
from alonzo.services.iam.records import Entity, Kind
from alonzo.services.iam.request_context import global_context, tag_context
from alonzo.services.iam.sessions import TOKEN_CHARS_MAX
from alonzo.store.base import Connection

log = logging.getLogger("alonzo.iam")

_ASSUME = "sts:AssumeRole"
#: Callers and roles of which the log has said that they would be refused.
_SAID_MAX = 1024
#: Percent of what a token may be long.
_FULL = 100


class Sessions:
    """Issues temporary credentials to callers who may have them."""

    def __init__(
        self, identities: Identities, keys: KeyRing, mode: Literal["strict", "soft"] = "strict"
    ) -> None:
        self._identities = identities
        self._keys = keys
        self._soft = mode == "soft"
        # Once for each: what is remembered is not said again.
        self._say = lru_cache(maxsize=_SAID_MAX)(_say)

    async def assume_role(self, context: RequestContext, request: RoleRequest) -> AccessKey:
        """A session of a role.

        Raises:
            AwsError: AccessDenied, or the request asks for what cannot be.
        """
        session = _plan_session(context, request, self._identities.clock.now_s())
        role = await self._identities.read(lambda conn: find_role(conn, request))
        await self._check_trust(context, request, session, role)
        assert role is not None
        await self._identities.read(lambda conn: check_session_policies(conn, request))
        key = self._keys.issue_role_session(session, duration_of(role, request))
        check_packed(key)
        return key

    async def session_of_caller(self, context: RequestContext, duration_s: int | None) -> AccessKey:
        """A session of the calling user, or of the root user for an hour at most.

        Raises:
            AwsError: AccessDenied: the caller is a session already.
        """
        principal = context.principal
        if principal.session is not None:
            raise access_denied("Cannot call GetSessionToken with session credentials")
        longest = ROOT_SESSION_S_MAX if principal.is_root else USER_SESSION_S_MAX
        wanted = min(duration_s or USER_SESSION_S_DEFAULT, longest)
        session = Session("", self._identities.clock.now_s())
        return self._keys.issue_user_session(principal, session, wanted)

    def account_of_key(self, access_key_id: str) -> str | None:
        """The account that a key id belongs to, or None if it is no key id."""
        return account_of_key(access_key_id)

    async def _check_trust(
        self,
        context: RequestContext,
        request: RoleRequest,
        session: Session,
        role: Entity | None,
    ) -> None:
        principal = context.principal
        caller = caller_of(principal)
        account = request.role_arn.split(":")[4]
        holdings = await self._identities.holdings(principal.identity_id)
        now_s = self._identities.clock.now_s()
        details = {
            **global_context(context, now_s, None if holdings is None else holdings.tags),
            **tag_context(dict(request.tags)),
            "sts:rolesessionname": session.name,
        }
        if request.external_id is not None:
            details["sts:externalid"] = request.external_id
        if request.transitive:
            details["sts:transitivetagkeys"] = request.transitive
        if request.source_identity is not None:
            details["sts:sourceidentity"] = request.source_identity
        trust = None if role is None else trust_of.ready(role)
        mine = await policies_of(self._identities, principal, trust)
        for action in _actions(request):
            asked = Request(action, request.role_arn, caller, account, details)
            if trust is not None and _may(asked, mine, trust):
                continue
            if trust is None or not self._soft or caller.account != account:
                raise access_denied(refusal(asked))
            self._say(caller.arn, action, request.role_arn)


def _say(caller: str, action: str, role: str) -> None:
    log.warning("iam.would_refuse", extra={"caller": caller, "action": action, "resource": role})


def _may(request: Request, policies: Policies, trust: Policy) -> bool:
    return evaluate(request, policies).allowed and grant_of(request, trust) is not Grant.NONE


def _actions(request: RoleRequest) -> Iterator[str]:
    yield _ASSUME
    if request.tags:
        yield "sts:TagSession"
    if request.source_identity is not None:
        yield "sts:SetSourceIdentity"


def duration_of(role: Entity, request: RoleRequest) -> int:
    """How long a session of the role is to last, in seconds.

    Raises:
        AwsError: ValidationError: longer than the role allows.
    """
    limit = role.document["max_session_duration"]
    duration_s = request.duration_s or min(SESSION_S_DEFAULT, limit)
    if duration_s > limit:
        raise validation_error(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return duration_s


def check_packed(key: AccessKey) -> None:
    """Refuse a session whose token would be too long.

    Raises:
        AwsError: PackedPolicyTooLarge.
    """
    packed = len(key.session_token or "") * 100 // TOKEN_CHARS_MAX
    if packed > _FULL:
        raise AwsError(
            "PackedPolicyTooLargeException",
            f"Packed size of session policies and tags consumes {packed}% of allotted space.",
        )


def find_role(conn: Connection, request: RoleRequest) -> Entity | None:
    """The role, which may be another account's; None if there is none.

    Raises:
        AwsError: the ARN is no role's.
    """
    parts = request.role_arn.split(":", 5)
    if len(parts) < 6 or not parts[5].startswith("role/"):
        raise validation_error(f"{request.role_arn} is invalid")
    account, name = parts[4], parts[5].rpartition("/")[2]
    role = records.try_find(conn, account, Kind.ROLE, name)
    return role if role is not None and role.arn == request.role_arn else None


def check_session_policies(conn: Connection, request: RoleRequest) -> None:
    """Refuse managed session policies that there are none of in the role's account.

    Only who may have the role is to learn which there are.

    Raises:
        AwsError: MalformedPolicyDocument.
    """
    account = request.role_arn.split(":", 5)[4]
    for arn in request.policy_arns:
        if managed.try_ready(conn, account, arn) is None:
            raise malformed(f"Policy {arn} does not exist or is not attachable.")


def _plan_session(context: RequestContext, request: RoleRequest, now_s: float) -> Session:
    """The session that is asked for; chaining hands on transitive tags and the source identity.

    Raises:
        AwsError: what is asked for cannot be.
    """
    calling = context.principal.session
    inherited: dict[str, str] = {}
    if calling is not None and calling.role_arn is not None:
        if (request.duration_s or 0) > CHAINED_SESSION_S_MAX:
            raise validation_error(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
                "by role chaining"
            )
        handed_on = {key.lower() for key in calling.transitive}
        inherited = {key: value for key, value in calling.tags if key.lower() in handed_on}
    identity = None if calling is None else calling.source_identity
    if identity is not None and request.source_identity not in (None, identity):
        raise access_denied("The source identity of a session cannot be changed.")
    tags = plan_tags(request.tags, request.transitive, inherited)
    return Session(
        request.session_name,
        now_s,
        role_arn=request.role_arn,
        policies=() if request.policy is None else (session_policy(request.policy),),
        policy_arns=request.policy_arns,
        tags=tuple(tags.items()),
        transitive=tuple({*request.transitive, *inherited}),
        source_identity=identity or request.source_identity,
    )


def plan_tags(
    asked: Sequence[tuple[str, str]],
    transitive: Sequence[str],
    inherited: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """The tags of a session: those that are asked for, and those handed on.

    Raises:
        AwsError: InvalidParameterValue: they cannot be had together.
    """
    keys = [key.lower() for key, _ in asked]
    if len(set(keys)) != len(keys):
        raise _bad_value(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    if set(keys) & {key.lower() for key in inherited}:
        raise _bad_value(
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session."
        )
    if {key.lower() for key in transitive} - set(keys):
        raise _bad_value("The specified transitive tag key must be included in the requested tags.")
    tags = {**inherited, **dict(asked)}
    if len(tags) > TAGS_MAX:
        raise _bad_value(f"A session can have no more than {TAGS_MAX} tags.")
    return tags


def session_policy(text: str) -> str:
    """A session policy that may be one.

    Raises:
        AwsError: MalformedPolicyDocument, ValidationError.
    """
    if len(text) > SESSION_POLICY_CHARS_MAX:
        raise validation_error(
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
            f"Member must have length less than or equal to {SESSION_POLICY_CHARS_MAX}"
        )
    try:
        read_identity(text)
    except PolicyError as error:
        raise malformed(str(error)) from error
    return text


def _bad_value(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message, status=400)
