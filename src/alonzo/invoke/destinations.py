"""The way of a delivery to its target, by the kind of the target.

Implements ``Destinations`` and ``DestinationChecks`` of ``model.deliveries``. Functions get events
from the invoker; the other kinds are calls of their services (``targets.py``). Everything is done
with the permissions of the sending function's role.
"""

from __future__ import annotations

from alonzo.invoke.targets import check_answer, planned_call, probe, region_of
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal
from alonzo.model.deliveries import Delivery, RoleCalls, RoleUse
from alonzo.model.destinations import TargetFault, TargetKind, target_kind
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports.invoking import Invoker

#: The codes of a refusal for want of permissions, in the words of each protocol.
DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError"})

#: Of a target that is only asked about.
_PROBE_ID = "00000000-0000-0000-0000-000000000000"


class TargetChecks:
    """Says of targets whether they can be reached."""

    def __init__(self, calls: RoleCalls) -> None:
        self._calls = calls

    def offers(self, kind: TargetKind) -> bool:
        """Whether the service of that kind of target runs here."""
        return self._calls.offers(kind)

    async def fault(
        self, target_arn: str, sender: FunctionKey, role_arn: str
    ) -> TargetFault | None:
        """Why the role cannot deliver to the target, or None: it can."""
        kind = target_kind(target_arn)
        if kind is None or not self.offers(kind):
            return TargetFault.MISSING
        tried = Delivery(_PROBE_ID, sender.qualified("$LATEST"), target_arn, "", b"{}", role_arn, 0)
        use = _use(tried)
        try:
            if kind is TargetKind.FUNCTION:
                await self._calls.authorize_invoke(_event(tried), use)
                return None
            if not await self._calls.find(probe(kind, target_arn), use):
                return TargetFault.MISSING
            await self._calls.authorize(planned_call(kind, tried), use)
        except AwsError as err:
            if err.code in DENIALS:
                return TargetFault.FORBIDDEN
            return TargetFault.MISSING
        return None


class RoutedDestinations:
    """Hands deliveries over.

    The trace header goes with each, so a loop of destinations is found like any other loop.
    """

    def __init__(self, invoker: Invoker, calls: RoleCalls) -> None:
        self._invoker = invoker
        self._calls = calls

    async def deliver(self, delivery: Delivery) -> None:
        """Have the target take it.

        Raises:
            AwsError: it does not, or nothing of its kind is here.
        """
        kind = target_kind(delivery.target_arn)
        use = _use(delivery)
        if kind is TargetKind.FUNCTION:
            request = await self._calls.authorize_invoke(_event(delivery), use)
            await self._invoker.invoke(request)
            return
        if kind is None or not self._calls.offers(kind):
            raise AwsError(
                "ServiceException", f"Nothing here takes what is for {delivery.target_arn}."
            )
        check_answer(kind, await self._calls.call(planned_call(kind, delivery), use))


def _use(delivery: Delivery) -> RoleUse:
    _, _, _, region, account, _, name, _ = delivery.sender_arn.split(":")
    sender = FunctionKey(account, region, name)
    return RoleUse(
        sender,
        delivery.role_arn,
        region_of(delivery.target_arn, region),
        delivery.request_id,
    )


def _event(delivery: Delivery) -> InvokeRequest:
    """The record as an event of the target; whose it is, is for ``authorize_invoke`` to say."""
    _, _, _, region, account, *_ = delivery.sender_arn.split(":")
    return InvokeRequest(
        request_id=delivery.request_id,
        account=account,
        region=region,
        function_name=delivery.target_arn,
        qualifier=None,
        invocation_type=InvocationType.EVENT,
        payload=delivery.document,
        principal=Principal(account, delivery.sender_arn, delivery.sender_arn, ""),
        trace_header=delivery.trace_header,
        is_record=True,
    )
