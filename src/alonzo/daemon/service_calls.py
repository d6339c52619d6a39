"""Calls that services make by themselves, of each other and of functions.

Implements ``model.deliveries.ServiceCalls``. A call is authorised like any other, with the service
as its principal, and then handed to the operation or to Lambda's queue of events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.daemon.noting import noted
from alonzo.model.arns import account_of_function
from alonzo.model.context import Principal, RequestContext
from alonzo.model.deliveries import ServiceCall, ServiceUse
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports.audit import AuditLog
from alonzo.model.ports.identity import Authorizer
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations


class ServiceCaller:
    """Calls operations and functions. ``connect`` hands it what is built after it."""

    def __init__(self, invoker: Invoker, audit: AuditLog | None = None) -> None:
        self._invoker = invoker
        self._audit = audit
        self._operations: Mapping[str, Operations] = {}
        self._authorizer: Authorizer | None = None

    def connect(self, operations: Mapping[str, Operations], authorizer: Authorizer) -> None:
        """From now on calls may come. ``operations`` are by service."""
        self._operations = operations
        self._authorizer = authorizer

    def offers(self, service: str) -> bool:
        """Whether the service runs here."""
        return service in self._operations

    async def call(self, call: ServiceCall, use: ServiceUse) -> Mapping[str, Any] | None:
        """Make a call.

        Raises:
            AwsError: the policy does not let the service in, or the called service refuses.
        """
        assert self._authorizer is not None
        context = _context(use)

        async def run() -> Mapping[str, Any] | None:
            assert self._authorizer is not None
            await self._authorizer.authorize(context, call.service, call.operation, call.params)
            return await self._operations[call.service][call.operation](context, call.params)

        return await noted(self._audit, context, call, run)

    async def check_invoke(self, function_arn: str, use: ServiceUse) -> None:
        """Find out whether the service may call a function, without a call.

        Raises:
            AwsError: it may not, or there is no such function.
        """
        await self._invoke(function_arn, b"", use, InvocationType.DRY_RUN)

    async def invoke(self, function_arn: str, payload: bytes, use: ServiceUse) -> None:
        """Put an event into Lambda's queue.

        Raises:
            AwsError: the function's policy does not let the service in, there is no such function,
                or Lambda refuses the event.
        """
        await self._invoke(function_arn, payload, use, InvocationType.EVENT)

    async def _invoke(
        self, function_arn: str, payload: bytes, use: ServiceUse, kind: InvocationType
    ) -> None:
        assert self._authorizer is not None
        context = _context(use)
        request = InvokeRequest(
            request_id=use.request_id,
            account=account_of_function(function_arn, use.account),
            region=use.region,
            function_name=function_arn,
            qualifier=None,
            invocation_type=kind,
            payload=payload,
            principal=context.principal,
            trace_header=use.trace_header,
        )
        if not self._authorizer.may_invoke_nowait(request):
            await self._authorizer.authorize_invoke(request, context)
        await self._invoker.invoke(request)


def _context(use: ServiceUse) -> RequestContext:
    # There is no key; service and source in its place keep remembered decisions apart, and the
    # account, which the ARN of a bucket does not name.
    key = f"{use.service} {use.account} {use.source_arn}"
    return RequestContext(
        request_id=use.request_id,
        account=use.account,
        region=use.region,
        principal=Principal(use.account, use.service, use.service, key, service=use.service),
        endpoint="",
        source_ip=use.service,
        trace_header=use.trace_header,
        source_arn=use.source_arn,
    )
