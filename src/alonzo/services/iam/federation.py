"""Sessions of roles for those whom an identity provider vouches for.

Implements ``ports.Federation``. A call is not signed: the token is all there is. It must be signed
by a key of its issuer, the issuer be a provider of the role's account, the token meant for one of
the provider's clients and in force; then the role's trust policy decides, which knows the provider
as a ``Federated`` principal and what the token says under names like ``issuer.example:sub``.

Source: STS API reference, AssumeRoleWithWebIdentity; IAM user guide, available keys for AWS OIDC
federation, passing session tags in AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from alonzo.lib.policies import principals
from alonzo.lib.policies.compiled import Request
from alonzo.lib.policies.evaluation import Policies, evaluate
from alonzo.model.context import RequestContext, Session
from alonzo.model.errors import AwsError
from alonzo.model.ports.identity import AccessKey
from alonzo.model.sessions import RoleRequest, WebIdentity
from alonzo.services.iam import trust as trust_of
from alonzo.services.iam.assumption import (
    check_packed,
    check_session_policies,
    duration_of,
    find_role,
    plan_tags,
)
from alonzo.services.iam.assumption import session_policy as read_session_policy
from alonzo.services.iam.errors import access_denied
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.issuer_http import FetchError
from alonzo.services.iam.issuer_keys import IssuerKeys
from alonzo.services.iam.keys import KeyRing
from alonzo.services.iam.oidc_providers import try_find_provider
from alonzo.services.iam.records import Entity
from alonzo.services.iam.request_context import global_context, tag_context
from alonzo.services.iam.web_tokens import (
    Claims,
    UnknownKeyError,
    WebToken,
    check_claims,
    invalid_token,
    read_token,
    verify,
)
from alonzo.store.base import Connection

_ACTION = "sts:AssumeRoleWithWebIdentity"
#: Claims that ask for something of the session.
_TAGS = "https://aws.amazon.com/tags"
_SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
#: Claims that trust policies know beside ``aud`` and ``sub``.
_MORE_KEYS = ("amr", "email")


class Federation:
    """Exchanges tokens for sessions."""

    def __init__(self, identities: Identities, keys: KeyRing, issuers: IssuerKeys) -> None:
        self._identities = identities
        self._keys = keys
        self._issuers = issuers

    async def assume_role_with_web_identity(
        self, context: RequestContext, request: RoleRequest, token_text: str
    ) -> tuple[AccessKey, WebIdentity]:
        """A session of a role, for whom the token is about.

        Raises:
            AwsError: InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError,
                IDPRejectedClaim, AccessDenied, or the request asks for what cannot be.
        """
        token = read_token(token_text)

        def find(conn: Connection) -> tuple[Entity | None, Entity | None]:
            role = find_role(conn, request)
            account = request.role_arn.split(":")[4]
            return role, try_find_provider(conn, account, token.issuer)

        role, provider = await self._identities.read(find)
        if provider is None:
            raise invalid_token(
                f"No OpenIDConnect provider found in your account for {token.issuer[:255]}"
            )
        await self._verify(token)
        claims = check_claims(token, provider.document["clients"], self._identities.clock.now_s())
        identity = WebIdentity(claims.subject, claims.audience, claims.issuer, provider.arn)
        if context.vouch is not None:
            context.vouch(identity)
        session = self._session(request, claims)
        if role is None:
            raise _refused()
        self._check_trust(context, role, provider, claims, session)
        await self._identities.read(lambda conn: check_session_policies(conn, request))
        key = self._keys.issue_role_session(session, duration_of(role, request))
        check_packed(key)
        return key, identity

    async def _verify(self, token: WebToken) -> None:
        try:
            try:
                verify(token, await self._issuers.find(token.issuer))
            except UnknownKeyError:
                verify(token, await self._issuers.find(token.issuer, newer=True))
        except UnknownKeyError as error:
            raise invalid_token(
                "Couldn't retrieve verification key from your identity provider, please reference "
                "AssumeRoleWithWebIdentity documentation for requirements"
            ) from error
        except FetchError as error:
            raise AwsError(
                "IDPCommunicationErrorException",
                f"The keys of the identity provider cannot be had: {error}.",
            ) from error

    def _session(self, request: RoleRequest, claims: Claims) -> Session:
        tags, transitive = _tags_of(claims)
        source: Any = claims.claims.get(_SOURCE_IDENTITY)
        return Session(
            request.session_name,
            self._identities.clock.now_s(),
            role_arn=request.role_arn,
            policies=() if request.policy is None else (read_session_policy(request.policy),),
            policy_arns=request.policy_arns,
            tags=tuple(plan_tags(tags, transitive).items()),
            transitive=transitive,
            source_identity=source if isinstance(source, str) and source else None,
        )

    def _check_trust(
        self,
        context: RequestContext,
        role: Entity,
        provider: Entity,
        claims: Claims,
        session: Session,
    ) -> None:
        details = {
            **global_context(context, self._identities.clock.now_s()),
            **tag_context(dict(session.tags)),
            **_keys_of(provider, claims),
            "aws:federatedprovider": provider.arn,
            "sts:rolesessionname": session.name,
        }
        if session.transitive:
            details["sts:transitivetagkeys"] = session.transitive
        if session.source_identity is not None:
            details["sts:sourceidentity"] = session.source_identity
        caller = principals.federated(provider.arn, claims.subject)
        trust = Policies(resource=trust_of.ready(role))
        for action in _actions(session):
            if not evaluate(
                Request(action, role.arn, caller, role.account, details), trust
            ).allowed:
                raise _refused()


def _refused() -> AwsError:
    return access_denied(f"Not authorized to perform {_ACTION}")


def _actions(session: Session) -> Iterator[str]:
    yield _ACTION
    if session.tags:
        yield "sts:TagSession"
    if session.source_identity is not None:
        yield "sts:SetSourceIdentity"


def _keys_of(provider: Entity, claims: Claims) -> dict[str, str | tuple[str, ...]]:
    """What the token says, as trust policies know it."""
    name = provider.name.lower()
    keys: dict[str, str | tuple[str, ...]] = {
        f"{name}:aud": claims.audience,
        f"{name}:oaud": claims.original_audience,
        f"{name}:sub": claims.subject,
    }
    for claim in _MORE_KEYS:
        value: Any = claims.claims.get(claim)
        if isinstance(value, str):
            keys[f"{name}:{claim}"] = value
        elif isinstance(value, list):
            texts = [each for each in cast("list[Any]", value) if isinstance(each, str)]
            keys[f"{name}:{claim}"] = tuple(texts)
    return keys


def _tags_of(claims: Claims) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The session tags that a token asks for, and the keys of those that go on."""
    wanted: Any = claims.claims.get(_TAGS)
    if not isinstance(wanted, Mapping):
        return (), ()
    asked = cast("Mapping[str, Any]", wanted)
    tags: Any = asked.get("principal_tags") or {}
    transitive: Any = asked.get("transitive_tag_keys") or []
    if not isinstance(tags, Mapping) or not isinstance(transitive, list):
        raise _bad_tags()
    pairs: list[tuple[str, str]] = []
    for key, value in cast("Mapping[str, Any]", tags).items():
        several = cast("list[Any]", value) if isinstance(value, list) else [value]
        if len(several) != 1 or not isinstance(several[0], str):
            raise _bad_tags()
        pairs.append((key, several[0]))
    keys = cast("list[Any]", transitive)
    if not all(isinstance(each, str) for each in keys):
        raise _bad_tags()
    return tuple(pairs), tuple(keys)


def _bad_tags() -> AwsError:
    return AwsError("IDPRejectedClaimException", "The tags in the token are not valid.")
