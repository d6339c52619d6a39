"""Calls of the services that run here, with a role's permissions.

Lambda makes them for functions, and services that are given roles for schedules and the like.
Implements ``model.deliveries.RoleCalls`` and ``ApiCalls``. A call is authorised as a session of the
role, by the same rules as one that the function makes itself, and then handed to the operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from alonzo.daemon.api_calls import find_call, read_call
from alonzo.daemon.noting import noted
from alonzo.lib.clock import Clock
from alonzo.model.context import Principal, RequestContext, Session
from alonzo.model.deliveries import RoleUse, ServiceCall, ServiceSender
from alonzo.model.errors import AwsError, access_denied
from alonzo.model.invocations import InvokeRequest
from alonzo.model.ports.audit import AuditLog
from alonzo.model.ports.identity import Authorizer
from alonzo.model.ports.operations import Operations
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import assumed_role
from alonzo.services.iam.service_trust import ServiceTrust

#: Whence Lambda calls, as policies see it.
_SOURCE_IP = "127.0.0.1"
_LAMBDA = "lambda.amazonaws.com"


class RoleCaller:
    """Calls operations. ``connect`` hands it what is built after it."""

    def __init__(
        self,
        identities: Identities,
        clock: Clock,
        audit: AuditLog | None = None,
        *,
        mode: Literal["strict", "soft"] = "strict",
    ) -> None:
        """``mode`` is IAM's."""
        self._identities = identities
        #: Whom roles let in.
        self.trust = ServiceTrust(identities, mode)
        self._audit = audit
        self._clock = clock
        self._operations: Mapping[str, Operations] = {}
        self._authorizer: Authorizer | None = None

    def connect(self, operations: Mapping[str, Operations], authorizer: Authorizer) -> None:
        """From now on calls may come. ``operations`` are by service."""
        self._operations = operations
        self._authorizer = authorizer

    def offers(self, service: str) -> bool:
        """Whether the service runs here."""
        return service in self._operations

    async def authorize(self, call: ServiceCall, use: RoleUse) -> None:
        """Let a call pass that is not made.

        Raises:
            AwsError: the role may not.
        """
        await self._authorize(call, self.context(use))

    async def call(self, call: ServiceCall, use: RoleUse) -> Mapping[str, Any] | None:
        """Make a call.

        Raises:
            AwsError: the role may not, or the service refuses.
        """
        context = self.context(use)

        async def run() -> Mapping[str, Any] | None:
            await self._authorize(call, context)
            return await self._operations[call.service][call.operation](context, call.params)

        by = use.sender.service if isinstance(use.sender, ServiceSender) else _LAMBDA
        return await noted(self._audit, context, call, run, invoked_by=by)

    def is_offered(self, service: str, action: str) -> bool:
        """Whether there is such an operation here, and it can be called with JSON alone."""
        return find_call(self._operations, service, action) is not None

    def read(self, service: str, action: str, document: bytes) -> ServiceCall:
        """The call whose parameters are in a JSON document.

        Raises:
            AwsError: they are not the operation's, or it is not offered.
        """
        return read_call(self._operations, service, action, document)

    async def find(self, call: ServiceCall, use: RoleUse) -> bool:
        """Whether what the call asks about exists; no permission is needed."""
        account = use.sender.account
        root = Principal(account, f"arn:aws:iam::{account}:root", account, "", is_root=True)
        try:
            await self._operations[call.service][call.operation](
                self._context(use, root), call.params
            )
        except AwsError:
            return False
        return True

    async def authorize_invoke(self, request: InvokeRequest, use: RoleUse) -> InvokeRequest:
        """The invocation as the role's own, if it may.

        Raises:
            AwsError: the role may not.
        """
        principal = self._principal(use)
        request = replace(request, principal=principal)
        assert self._authorizer is not None
        if not self._authorizer.may_invoke_nowait(request):
            await self._authorizer.authorize_invoke(request, self._context(use, principal))
        return request

    async def _authorize(self, call: ServiceCall, context: RequestContext) -> None:
        assert self._authorizer is not None
        await self._authorizer.authorize(context, call.service, call.operation, call.params)

    def context(self, use: RoleUse) -> RequestContext:
        """The context of a call with the role's permissions.

        Raises:
            AwsError: AccessDeniedException: it is no role.
        """
        return self._context(use, self._principal(use))

    def _principal(self, use: RoleUse) -> Principal:
        session = Session(use.sender.name, self._clock.now_s(), role_arn=use.role_arn)
        known = self._identities.unique_id(use.role_arn)
        try:
            # There is no key; role and function in its place keep remembered decisions apart.
            return assumed_role(session, f"{use.role_arn} {use.sender.name}", known)
        except ValueError as err:
            raise access_denied(f"{use.role_arn} is not a role.") from err

    def _context(self, use: RoleUse, principal: Principal) -> RequestContext:
        return RequestContext(
            request_id=use.request_id,
            account=use.sender.account,
            region=use.region,
            principal=principal,
            endpoint="",
            source_ip=_SOURCE_IP,
        )
