"""Who calls, and what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from alonzo.lib.policies.compiled import Policy
from alonzo.model.access import Access
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeRequest
from alonzo.model.sessions import RoleRequest, WebIdentity


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key that may sign requests. ``session_token`` is None for a long-lived key."""

    access_key_id: str
    secret_access_key: str
    principal: Principal
    session_token: str | None = None
    expires_at_s: float | None = None


class KeyRing(Protocol):
    """Finds the key that a request claims to be signed with. Implemented by ``services/iam``."""

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        """The key, or None if it is unknown or the token is not the one issued with it.

        Never blocks. Expiry is for the caller to judge, with its own clock.
        """
        ...


class RoleCredentials(Protocol):
    """Issues temporary credentials of a role. Implemented by ``services/iam``."""

    def issue(self, *, role_arn: str, function_arn: str, duration_s: int) -> AccessKey:
        """A new session of the role for a function's code, valid from now on for ``duration_s``.

        It bears the function's name. ``function_arn`` is unqualified.
        """
        ...


class ResourcePolicies(Protocol):
    """Finds resource-based policies. Implemented by ``control`` for functions."""

    @property
    def generation(self) -> int:
        """Grows with every change of any of them."""
        ...

    async def find(self, arn: str) -> Policy | None:
        """The policy of what the ARN names, or None if it has none. From memory, mostly."""
        ...


class ResourceFacts(Protocol):
    """Finds what policies may ask of a resource. Implemented by ``daemon`` over all services."""

    async def find(self, arn: str, asked: frozenset[str]) -> Mapping[str, str]:
        """Keys of a request's context that are about the resource, as far as they are asked for.

        Its tags first of all. What is not there has none.
        """
        ...


class Authorizer(Protocol):
    """Decides whether a request may pass. Implemented by ``services/iam``."""

    async def authorize(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> None:
        """Let one call of an operation pass.

        Raises:
            AwsError: AccessDenied, in the words of the service.
        """
        ...

    def may_invoke_nowait(self, request: InvokeRequest) -> bool:
        """Whether it is known that the caller may; if not, ``authorize_invoke`` finds out."""
        ...

    async def authorize_invoke(self, request: InvokeRequest, context: RequestContext) -> None:
        """Let one invocation pass.

        Raises:
            AwsError: AccessDeniedException, or the function's name is none.
        """
        ...


class Judge(Protocol):
    """Decides a single access, for operations that do as much as their caller may.

    Implemented by ``services/iam``.
    """

    async def refusal(
        self, context: RequestContext, service: str, access: Access
    ) -> AwsError | None:
        """Why the access is refused, in the words of the service; None: it may pass."""
        ...


class RoleTrust(Protocol):
    """Knows whom roles let in. Implemented by ``services/iam``."""

    async def lets_in(self, role_arn: str, service: str, *, account: str, source_arn: str) -> bool:
        """Whether a service may use a role for something of an account.

        ``service`` is its principal; ``source_arn`` is what conditions on ``aws:SourceArn`` see. A
        role of another account is none that a service of this one may use.
        """
        ...


class Sessions(Protocol):
    """Issues temporary credentials to callers. Implemented by ``services/iam``."""

    async def assume_role(self, context: RequestContext, request: RoleRequest) -> AccessKey:
        """A session of a role.

        Raises:
            AwsError: AccessDenied, or the request asks for what cannot be.
        """
        ...

    async def session_of_caller(self, context: RequestContext, duration_s: int | None) -> AccessKey:
        """A session of the calling user.

        Raises:
            AwsError: AccessDenied: the caller is a session already.
        """
        ...

    def account_of_key(self, access_key_id: str) -> str | None:
        """The account that a key id belongs to, or None if it is no key id."""
        ...


class Federation(Protocol):
    """Issues sessions for those whom identity providers vouch for. By ``services/iam``."""

    async def assume_role_with_web_identity(
        self, context: RequestContext, request: RoleRequest, token_text: str
    ) -> tuple[AccessKey, WebIdentity]:
        """A session of a role, and whom the token is about. The call need not be signed.

        Raises:
            AwsError: the token or the role's trust policy does not let anybody in.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """What ``Encryption`` made of data: with which key, and the bytes to keep."""

    key_arn: str
    data: bytes


class Encryption(Protocol):
    """Encrypts what services keep, as their callers may. Implemented by ``services/kms``.

    ``service`` is the one that asks, by the name in its endpoint (``ssm``).
    """

    @property
    def generation(self) -> int:
        """Grows with every change of any key, its policy, aliases or grants."""
        ...

    async def seal(
        self,
        context: RequestContext,
        key_id: str,
        plaintext: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        action: str = "GenerateDataKey",
    ) -> Sealed:
        """Encrypt data of any length; ``key_id`` names the key in any of KMS's ways.

        ``action`` is the operation of KMS that the caller must be allowed.

        Raises:
            AwsError: KMS refuses: no such key, not enabled, not allowed.
        """
        ...

    async def check_seal(
        self,
        context: RequestContext,
        key_id: str,
        encryption_context: Mapping[str, str],
        *,
        service: str,
        action: str = "GenerateDataKey",
    ) -> None:
        """Whether the caller may seal with that key; nothing is sealed.

        Raises:
            AwsError: not allowed.
        """
        ...

    async def open(
        self,
        context: RequestContext,
        sealed: bytes,
        encryption_context: Mapping[str, str],
        *,
        service: str,
    ) -> bytes:
        """Decrypt.

        Raises:
            AwsError: KMS refuses, or it was sealed otherwise.
        """
        ...
