"""How often callers may use the control plane, where a setting asks for AWS's rates. Pure.

AWS has three rates for each account in a region: one of ``GetFunction``, one of ``GetPolicy``, and
one that all other operations share. A second's worth of calls may come at once.

Source: Lambda developer guide, quotas, API requests. How large its bursts are it does not say.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.model.ports.operations import Operation, Operations

#: Calls of GetFunction a second.
GET_FUNCTION_PER_S = 100
#: Operations that have a rate of their own.
_OWN = frozenset({"GetFunction", "GetPolicy"})
#: Accounts and regions whose rates are known; of one that is forgotten a new second begins.
_KNOWN_MAX = 4096

_Key = tuple[str, str, str]


class Rates:
    """Counts calls. ``per_s`` is the rate of all but GetFunction."""

    def __init__(self, clock: Clock, per_s: int) -> None:
        self._clock = clock
        self._per_s = per_s
        #: Calls that are left, and when that was so.
        self._left: OrderedDict[_Key, tuple[float, float]] = OrderedDict()

    def take_nowait(self, account: str, region: str, operation: str) -> None:
        """Count one call.

        Raises:
            AwsError: TooManyRequestsException: there were too many.
        """
        key = (account, region, operation if operation in _OWN else "")
        per_s = float(GET_FUNCTION_PER_S if operation == "GetFunction" else self._per_s)
        now_s = self._clock.monotonic_s()
        left, at_s = self._left.pop(key, (per_s, now_s))
        left = min(per_s, left + (now_s - at_s) * per_s)
        may = left >= 1.0
        self._left[key] = (left - 1.0 if may else left, now_s)
        if len(self._left) > _KNOWN_MAX:
            self._left.popitem(last=False)
        if not may:
            raise _too_many()


def limited(operations: Operations, rates: Rates) -> Operations:
    """The same operations, each counted before it runs."""

    async def call(
        name: str, operation: Operation, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any] | None:
        rates.take_nowait(context.account, context.region, name)
        return await operation(context, params)

    return {name: partial(call, name, operation) for name, operation in operations.items()}


def _too_many() -> AwsError:
    return AwsError(
        "TooManyRequestsException",
        "Rate exceeded",
        members={"Reason": "CallerRateLimitExceeded", "Type": "User"},
        headers={"Retry-After": "1"},
    )
