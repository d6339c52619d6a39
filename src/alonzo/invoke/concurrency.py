"""Who may run now: the account's concurrency in a region, and what functions have reserved of it.

* A function with a reservation has that many calls at a time, and never more.
* All others share what is left of the account's concurrency.
* A call gives back what it took, whatever was reserved meanwhile.

No I/O and no clock. Source: Lambda developer guide, reserved concurrency; Lambda API,
TooManyRequestsException, with its recorded text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError


class ThrottleReason(StrEnum):
    """Which limit a call met."""

    ACCOUNT = "ConcurrentInvocationLimitExceeded"
    RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"


@dataclass(frozen=True, slots=True)
class Reservations:
    """Reserved concurrency: the function's own, or None, and all of the account's together."""

    function: int | None
    account: int


@dataclass(slots=True, eq=False)
class _Count:
    """Calls in flight of one function, or of what functions share in one account and region."""

    calls: int = 0


@dataclass(slots=True, eq=False)
class Slot:
    """What one call took: a place among its function's calls, and perhaps of what all share."""

    key: FunctionKey
    own: _Count
    shared: _Count | None


class Concurrency:
    """Counts the calls in flight. ``account_max`` holds for each account and region."""

    def __init__(self, account_max: int) -> None:
        self._account_max = account_max
        self._of_function: dict[FunctionKey, _Count] = {}
        self._shared: dict[tuple[str, str], _Count] = {}

    def take(self, key: FunctionKey, reservations: Reservations) -> Slot:
        """Take a slot for a call of the function. Give it to ``give_back`` when the call is over.

        Raises:
            AwsError: TooManyRequestsException.
        """
        own = self._of_function.get(key) or _Count()
        shared = None
        if reservations.function is not None:
            if own.calls >= reservations.function:
                raise throttled(ThrottleReason.RESERVED)
        else:
            where = key.account, key.region
            shared = self._shared.get(where)
            if shared is None:
                shared = self._shared[where] = _Count()
            if shared.calls >= self._account_max - reservations.account:
                raise throttled(ThrottleReason.ACCOUNT)
            shared.calls += 1
        if not own.calls:
            self._of_function[key] = own
        own.calls += 1
        return Slot(key, own, shared)

    def give_back(self, slot: Slot) -> None:
        """End a call."""
        slot.own.calls -= 1
        if not slot.own.calls:
            # There is no end to the functions that come and go.
            del self._of_function[slot.key]
        if slot.shared is not None:
            slot.shared.calls -= 1

    def __len__(self) -> int:
        return sum(count.calls for count in self._of_function.values())


def throttled(reason: ThrottleReason) -> AwsError:
    """The refusal of a call for which there is no concurrency."""
    return AwsError(
        "TooManyRequestsException",
        "Rate Exceeded.",
        members={"Reason": str(reason), "Type": "User"},
        headers={"Retry-After": "1"},
    )
