"""Lambda's own calls of the services that run here, on behalf of functions.

Implements ``model.deliveries.RoleCalls``. A call is authorised as a session of the function's
role, by the same rules as one that the function makes itself, and then handed to the operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.model.context import Principal, RequestContext, Session
from alonzo.model.deliveries import RoleUse, ServiceCall
from alonzo.model.errors import AwsError, access_denied
from alonzo.model.invocations import InvokeRequest
from alonzo.model.ports.identity import Authorizer
from alonzo.model.ports.operations import Operations
from alonzo.services.iam.identities import Identities
from alonzo.services.iam.keys import assumed_role

#: Whence Lambda calls, as policies see it.
_SOURCE_IP = "127.0.0.1"


class RoleCaller:
    """Calls operations. ``connect`` hands it what is built after it."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
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
        await self._authorize(call, self._context(use, self._principal(use)))

    async def call(self, call: ServiceCall, use: RoleUse) -> Mapping[str, Any] | None:
        """Make a call.

        Raises:
            AwsError: the role may not, or the service refuses.
        """
        context = self._context(use, self._principal(use))
        await self._authorize(call, context)
        return await self._operations[call.service][call.operation](context, call.params)

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

    def _principal(self, use: RoleUse) -> Principal:
        session = Session(use.sender.name, self._clock.now_s(), role_arn=use.role_arn)
        known = self._identities.unique_id(use.role_arn)
        try:
            # There is no key; the role's name in its place keeps remembered decisions apart.
            return assumed_role(session, use.role_arn, known)
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
