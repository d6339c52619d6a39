"""The operations of Lambda's service model that this release does not have, each with the reason.

The edge answers them with an error that shows the reason; nothing pretends to work. A test
compares this list, and what there is, with the service model.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Lambda's operations that the invoke room has.
INVOKE_OPERATIONS = frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"})

_BY_REASON: Mapping[str, tuple[str, ...]] = {
    "Capacity providers are not supported.": (
        "CreateCapacityProvider",
        "DeleteCapacityProvider",
        "GetCapacityProvider",
        "GetFunctionScalingConfig",
        "ListCapacityProviders",
        "ListFunctionVersionsByCapacityProvider",
        "PutFunctionScalingConfig",
        "UpdateCapacityProvider",
    ),
    "Durable functions are not supported yet.": (
        "CheckpointDurableExecution",
        "DeleteDurableExecution",
        "GetDurableExecution",
        "GetDurableExecutionHistory",
        "GetDurableExecutionState",
        "ListDurableExecutionsByFunction",
        "PauseDurableExecution",
        "ResumeDurableExecution",
        "SendDurableExecutionCallbackFailure",
        "SendDurableExecutionCallbackHeartbeat",
        "SendDurableExecutionCallbackSuccess",
        "StopDurableExecution",
    ),
}

#: Operation name to reason.
UNSUPPORTED: Mapping[str, str] = {
    operation: reason for reason, operations in _BY_REASON.items() for operation in operations
}
