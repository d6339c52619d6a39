"""Who may run now: the account's concurrency in a region, and what functions have reserved of it.

* A function with a reservation has that many calls at a time, and never more.
* All others share what is left of the account's concurrency.
* Of either, what is provisioned serves the calls of its versions only; these take nothing of the
  rest.
* So many synchronous requests a second for each unit of concurrency, of a reservation or of the
  account.
* A call gives back what it took, whatever was reserved or provisioned meanwhile, and whatever was
  changed, never are there more calls than the reservation, or the account, allows.

No I/O and no clock. Source: Lambda developer guide, reserved concurrency; Lambda API,
TooManyRequestsException, with its recorded text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from alonzo.lib.pace import Pace
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError
from alonzo.model.limits import REQUESTS_PER_CONCURRENCY_S

#: Paces kept; those of functions that are not called any more go first.
_PACES_MAX = 1024

K = TypeVar("K")


class ThrottleReason(StrEnum):
    """Which limit a call met."""

    ACCOUNT = "ConcurrentInvocationLimitExceeded"
    RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
    ACCOUNT_RATE = "FunctionInvocationRateLimitExceeded"
    RESERVED_RATE = "ReservedFunctionInvocationRateLimitExceeded"


@dataclass(frozen=True, slots=True)
class Reservations:
    """Reserved concurrency: the function's own, or None, and all of the account's together.

    ``provisioned`` is what the account's functions without a reservation have provisioned.
    """

    function: int | None
    account: int
    provisioned: int = 0


@dataclass(slots=True, eq=False)
class _Count:
    """Calls in flight of one function. ``provisioned`` run on provisioned concurrency.

    ``peak`` is the most that there were since somebody last asked.
    """

    calls: int = 0
    provisioned: int = 0
    peak: int = 0


@dataclass(slots=True, eq=False)
class _Shared(_Count):
    """Those of all functions that share one account and region, and how often they come.

    ``everything`` counts the calls of functions with a reservation, too.
    """

    pace: Pace = field(default_factory=Pace)
    everything: _Count = field(default_factory=_Count)


@dataclass(slots=True, eq=False)
class Slot:
    """What one call took: a place among its function's calls, and perhaps of what all share."""

    key: FunctionKey
    own: _Count
    shared: _Shared | None
    provisioned: bool
    everything: _Count


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most calls at a time: of each function, and in each account and region.

    ``unreserved`` are those of functions without a reservation.
    """

    functions: Mapping[FunctionKey, int]
    regions: Mapping[tuple[str, str], int]
    unreserved: Mapping[tuple[str, str], int]


class Concurrency:
    """Counts the calls in flight. ``account_max`` holds for each account and region.

    ``requests_s``: synchronous requests a second for each unit of concurrency.
    """

    def __init__(self, account_max: int, *, requests_s: float = REQUESTS_PER_CONCURRENCY_S) -> None:
        self._account_max = account_max
        self._requests_s = requests_s
        self._of_function: dict[FunctionKey, _Count] = {}
        self._shared: dict[tuple[str, str], _Shared] = {}
        self._paces: dict[FunctionKey, Pace] = {}

    def take(
        self,
        key: FunctionKey,
        reservations: Reservations,
        provisioned: bool = False,
        ready: int = 0,
        now_s: float | None = None,
    ) -> Slot:
        """Take a slot for a call of the function. Give it to ``give_back`` when the call is over.

        ``provisioned``: it runs on provisioned concurrency. ``ready`` is what the function has of
        that, needed only where it has a reservation. ``now_s``, of a clock that never runs
        backwards, counts the call against the rate of requests.

        Raises:
            AwsError: TooManyRequestsException.
        """
        own = self._of_function.get(key) or _Count()
        region, shared = self._shared.get((key.account, key.region)), None
        if region is None:
            region = self._shared[key.account, key.region] = _Shared()
        # With a reservation this needs calls that were admitted under others, now gone.
        full = region.everything.calls >= self._account_max
        if reservations.function is not None:
            limit = reservations.function
            on_demand = own.calls - own.provisioned
            if own.calls >= limit or not (provisioned or on_demand < limit - ready):
                raise throttled(ThrottleReason.RESERVED)
            if full:
                raise throttled(ThrottleReason.ACCOUNT)
            if now_s is not None and not self._pace(key, now_s).try_pass(
                now_s, limit * self._requests_s
            ):
                raise throttled(ThrottleReason.RESERVED_RATE)
        else:
            shared = region
            limit = self._account_max - reservations.account
            on_demand = shared.calls - shared.provisioned
            provided = provisioned or on_demand < limit - reservations.provisioned
            if full or shared.calls >= limit or not provided:
                raise throttled(ThrottleReason.ACCOUNT)
            if now_s is not None and not shared.pace.try_pass(
                now_s, self._account_max * self._requests_s
            ):
                raise throttled(ThrottleReason.ACCOUNT_RATE)
            shared.provisioned += provisioned
        if not own.peak:
            self._of_function[key] = own
        own.provisioned += provisioned
        everything = region.everything
        for count in (own, everything) if shared is None else (own, everything, shared):
            count.calls += 1
            if count.calls > count.peak:
                count.peak = count.calls
        return Slot(key, own, shared, provisioned, everything)

    def _pace(self, key: FunctionKey, now_s: float) -> Pace:
        """The pace of a function with a reservation. There is no end to those that come and go."""
        pace = self._paces.get(key)
        if pace is None:
            if len(self._paces) >= _PACES_MAX:
                self._paces = {
                    k: each for k, each in self._paces.items() if not each.is_quiet(now_s)
                }
            pace = self._paces[key] = Pace()
        return pace

    def give_back(self, slot: Slot) -> None:
        """End a call."""
        slot.own.calls -= 1
        slot.own.provisioned -= slot.provisioned
        slot.everything.calls -= 1
        if slot.shared is not None:
            slot.shared.calls -= 1
            slot.shared.provisioned -= slot.provisioned

    def take_peaks(self) -> Peaks:
        """The most calls at a time since this was last asked, for everybody who had any."""
        peaks = Peaks(
            _peaks(self._of_function),
            _peaks({where: shared.everything for where, shared in self._shared.items()}),
            _peaks(self._shared),
        )
        # There is no end to the functions that come and go.
        self._of_function = {key: own for key, own in self._of_function.items() if own.peak}
        return peaks

    def __len__(self) -> int:
        return sum(count.calls for count in self._of_function.values())


def _peaks(counts: Mapping[K, _Count]) -> dict[K, int]:
    """The peaks of those that have one; each begins again with what is in flight."""
    peaks = {key: each.peak for key, each in counts.items() if each.peak}
    for each in counts.values():
        each.peak = each.calls
    return peaks


def throttled(reason: ThrottleReason) -> AwsError:
    """The refusal of a call for which there is no concurrency."""
    return AwsError(
        "TooManyRequestsException",
        "Rate Exceeded.",
        members={"Reason": str(reason), "Type": "User"},
        headers={"Retry-After": "1"},
    )
