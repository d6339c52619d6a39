"""What a caller asks of temporary credentials."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """One call of AssumeRole. ``duration_s`` None is the default.

    ``policy`` is the document of a session policy, ``policy_arns`` name managed ones.
    """

    role_arn: str
    session_name: str
    duration_s: int | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive: tuple[str, ...] = ()
    external_id: str | None = None
    source_identity: str | None = None


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """Whom a token turned out to be about.

    ``provider`` is its issuer, ``provider_arn`` what vouches for it in an account.
    """

    subject: str
    audience: str
    provider: str
    provider_arn: str
