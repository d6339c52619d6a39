"""The life of an accepted event: when it runs, when it runs again, and how it ends. Pure.

    waiting --claimed--> running --succeeded------------------------> over: Success
       ^                    |
       |                    |-- failed, attempts left: 1 min, then 2 min
       |                    |-- refused (throttle, our fault): 1 s, doubling, 5 min at most
       '--------------------'
                            |-- failed, none left ---------------------> over: RetriesExhausted
    waiting or running -----'-- the next try would come too late ----> over: EventAgeExceeded
    waiting ------------------- the function's reservation is 0 -----> over: ZeroReservedConcurrency
    not accepted -------------- it would go on with a loop ----------> over: RecursiveInvocation

* Only a run that the function itself fails is an attempt. A refusal spends none.
* A run that a death of the daemon cuts may have ended or not. It counts as an attempt if an
  earlier run is known to have ended; otherwise the event runs again, because each runs at least
  once.

Source: Lambda developer guide, asynchronous invocation, error handling; recorded conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alonzo.model.limits import EVENT_RETRIES_MAX, MAXIMUM_EVENT_AGE_S

#: Waits before the second and the third attempt.
RETRY_DELAYS_S = (60.0, 120.0)

#: Waits after a throttle or a fault of ours: 1 s, doubling, to five minutes.
BACKOFF_S_MAX = 300.0


class Condition(StrEnum):
    """Why an event is over, as invocation records say it."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"
    RECURSIVE_INVOCATION = "RecursiveInvocation"


@dataclass(frozen=True, slots=True)
class EventPolicy:
    """What holds for the events of one function, version or alias.

    ``retries_max`` are attempts after the first. ``on_success`` and ``on_failure`` are the ARNs of
    destinations, ``dead_letter`` that of a dead-letter queue or topic; deliveries are made with
    ``role``. ``blocked``: the function's reserved concurrency is 0.
    """

    retries_max: int = EVENT_RETRIES_MAX
    age_s_max: float = MAXIMUM_EVENT_AGE_S
    on_success: str | None = None
    on_failure: str | None = None
    blocked: bool = False
    dead_letter: str | None = None
    role: str = ""

    @property
    def keeps_errors(self) -> bool:
        """Whether somebody is told how the last run failed."""
        return self.on_failure is not None or self.dead_letter is not None

    def destination(self, condition: Condition) -> str | None:
        """Where the record of an event goes that ended so, or None."""
        return self.on_success if condition is Condition.SUCCESS else self.on_failure


@dataclass(frozen=True, slots=True)
class Life:
    """Where an event is. ``runs`` have ended; ``tries`` were begun since, this one included."""

    accepted_at_s: float
    runs: int
    tries: int


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of the function ended. ``payload`` is its answer, or the error document."""

    payload: bytes
    executed_version: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Again:
    """The event waits for its next try."""

    due_at_s: float
    runs: int
    tries: int


@dataclass(frozen=True, slots=True)
class Over:
    """The event has ended, after ``runs`` runs."""

    condition: Condition
    runs: int


def before_run(life: Life, policy: EventPolicy, now_s: float) -> Over | None:
    """Why a waiting event does not run any more, or None: it may run now.

    Its attempts can be used up here: a run that was cut counted, or fewer are allowed than before.
    """
    if policy.blocked:
        return Over(Condition.ZERO_RESERVED_CONCURRENCY, life.runs)
    if life.runs > policy.retries_max:
        return Over(Condition.RETRIES_EXHAUSTED, life.runs)
    if _is_too_old(life, policy, now_s):
        return Over(Condition.EVENT_AGE_EXCEEDED, life.runs)
    return None


def after_run(life: Life, policy: EventPolicy, run: Run, now_s: float) -> Again | Over:
    """What a run that has ended means for its event."""
    runs = life.runs + 1
    if not run.failed:
        return Over(Condition.SUCCESS, runs)
    if runs > policy.retries_max:
        return Over(Condition.RETRIES_EXHAUSTED, runs)
    due_at_s = now_s + RETRY_DELAYS_S[min(runs, len(RETRY_DELAYS_S)) - 1]
    if _is_too_old(life, policy, due_at_s):
        return Over(Condition.EVENT_AGE_EXCEEDED, runs)
    return Again(due_at_s, runs, tries=0)


def after_refusal(
    life: Life, policy: EventPolicy, now_s: float, *, final: bool = False
) -> Again | Over:
    """What it means that an event could not run. ``final``: no other try can do better."""
    if final:
        return Over(Condition.RETRIES_EXHAUSTED, life.runs)
    due_at_s = now_s + backoff_s(life.tries)
    if _is_too_old(life, policy, due_at_s):
        return Over(Condition.EVENT_AGE_EXCEEDED, life.runs)
    return Again(due_at_s, life.runs, life.tries)


def backoff_s(tries: int) -> float:
    """How long to wait after the ``tries``-th try in a row that came to nothing."""
    return min(2.0 ** min(tries - 1, 9), BACKOFF_S_MAX)


def _is_too_old(life: Life, policy: EventPolicy, at_s: float) -> bool:
    return at_s - life.accepted_at_s > policy.age_s_max
