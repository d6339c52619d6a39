"""Functions as destinations of invocation records. Implements ``model.ports.Destinations``."""

from __future__ import annotations

from alonzo.model.context import Principal
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports import Delivery, Invoker


class FunctionDestinations:
    """Hands a record to a function as an event.

    The trace header goes with it, so a loop of destinations is found like any other loop.
    """

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    async def deliver(self, delivery: Delivery) -> None:
        """Have the event accepted.

        Raises:
            AwsError: the function does not take it.
        """
        _, _, _, region, account, *_ = delivery.sender_arn.split(":")
        await self._invoker.invoke(
            InvokeRequest(
                request_id=delivery.request_id,
                account=account,
                region=region,
                function_name=delivery.target_arn,
                qualifier=None,
                invocation_type=InvocationType.EVENT,
                payload=delivery.record,
                principal=Principal(account, delivery.sender_arn, delivery.sender_arn, ""),
                trace_header=delivery.trace_header,
            )
        )
