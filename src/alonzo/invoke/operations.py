"""Lambda's operations on the data plane that need no door of their own. Source: Lambda API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.context import RequestContext
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports.invoking import Invoker
from alonzo.model.ports.operations import Operations


def operations(invoker: Invoker) -> Operations:
    """The operations, by name."""

    async def invoke_async(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        """InvokeAsync: what ``Invoke`` does with an event, in the form of 2014."""
        request = InvokeRequest(
            request_id=context.request_id,
            account=context.account,
            region=context.region,
            function_name=params["FunctionName"],
            qualifier=None,
            invocation_type=InvocationType.EVENT,
            payload=params["InvokeArgs"],
            principal=context.principal,
        )
        return {"Status": (await invoker.invoke(request)).status}

    return {"InvokeAsync": invoke_async}
