"""Whether a call runs now, and on what: provisioned concurrency, or an environment on demand.

A version's provisioned environments come first. A call that finds none of them idle spills over: it
takes part in what the function, or the account, has on demand.
"""

from __future__ import annotations

from dataclasses import dataclass

from alonzo.environments.environment import Environment
from alonzo.environments.pool import Pool
from alonzo.invoke.concurrency import Concurrency, Peaks, Slot
from alonzo.invoke.directory import Target
from alonzo.lib.clock import Clock
from alonzo.model.errors import AwsError


@dataclass(slots=True)
class Permit:
    """One call that runs. ``environment`` is provisioned and reserved for it; None: on demand.

    ``spilled``: it would have run on provisioned concurrency, had some been idle.
    """

    slot: Slot
    environment: Environment | None = None
    spilled: bool = False


class Admission:
    """Lets calls run. ``requests_s``: requests a second for each unit of concurrency."""

    def __init__(self, pool: Pool, *, clock: Clock, account_max: int, requests_s: float) -> None:
        self._pool = pool
        self._clock = clock
        self._requests_s = requests_s
        self._concurrency = Concurrency(account_max, requests_s=requests_s)

    def __len__(self) -> int:
        """The calls that run."""
        return len(self._concurrency)

    def take_peaks(self) -> Peaks:
        """See ``Concurrency.take_peaks``."""
        return self._concurrency.take_peaks()

    def admit(self, target: Target, *, rated: bool) -> Permit:
        """Let a call of ``target`` run. Give the permit to ``end`` when it is over.

        ``rated``: it counts against the rate of requests; an event does not.

        Raises:
            AwsError: TooManyRequestsException.
        """
        version, reservations = target.version, target.reservations
        now_s = self._clock.monotonic_s() if rated else None
        provisioned = self._pool.provisioned
        # What is provisioned matters to a reservation only; most calls have nothing to do with it.
        ready = 0 if reservations.function is None else provisioned.ready(version.key)
        if not provisioned.serves(version):
            return Permit(self._concurrency.take(version.key, reservations, False, ready, now_s))
        environment = provisioned.try_reserve(version, per_s=self._requests_s if rated else None)
        spilled = environment is None
        try:
            slot = self._concurrency.take(version.key, reservations, not spilled, ready, now_s)
        except AwsError:
            if environment is not None:
                self._pool.give_back(environment)
            raise
        provisioned.count(version, spilled=spilled)
        return Permit(slot, environment, spilled)

    def end(self, permit: Permit) -> None:
        """The call is over."""
        self._concurrency.give_back(permit.slot)
