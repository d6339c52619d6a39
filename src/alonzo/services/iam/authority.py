"""The policies that count for a caller: of user or role, boundary, and session policies."""

from __future__ import annotations

from functools import lru_cache

from alonzo.lib.policies.compiled import Policy
from alonzo.lib.policies.evaluation import Policies
from alonzo.model.context import Principal, Session
from alonzo.services.iam import managed
from alonzo.services.iam.identities import Holdings, Identities

#: Session policies that stay ready.
_SESSION_POLICIES_MAX = 1024


async def policies_of(
    identities: Identities, principal: Principal, resource: Policy | None = None
) -> Policies:
    """The policies of a caller, and of the resource. Root users have none of their own."""
    if principal.is_root:
        return Policies(resource=resource)
    identity_id = identities.identity_of(principal)
    holdings = None if identity_id is None else await identities.holdings(identity_id)
    session = await session_policies(identities, principal)
    return combined(holdings, session, resource)


def combined(
    holdings: Holdings | None,
    session: tuple[Policy, ...] | None,
    resource: Policy | None = None,
) -> Policies:
    """All of them together. Somebody whom IAM does not know has no policies."""
    if holdings is None:
        return Policies(session=session, resource=resource)
    return Policies(holdings.identity, holdings.boundary, session, resource)


async def session_policies(
    identities: Identities, principal: Principal
) -> tuple[Policy, ...] | None:
    """The session policies, or None for a session that was made without any."""
    session = principal.session
    if session is None or not (session.policies or session.policy_arns):
        return None
    own = inline_session_policies(session)
    if not session.policy_arns:
        return own
    found = await identities.read(
        lambda conn: [
            managed.try_ready(conn, principal.account, arn) for arn in session.policy_arns
        ]
    )
    return (*own, *(each for each in found if each is not None))


@lru_cache(maxsize=_SESSION_POLICIES_MAX)
def _ready(text: str) -> Policy:
    return managed.ready(text, "session policy")


def inline_session_policies(session: Session) -> tuple[Policy, ...]:
    """The session policies that the session itself holds."""
    return tuple(_ready(text) for text in session.policies)
