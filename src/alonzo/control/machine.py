"""Life cycle of one function version, as a table and one pure function.

    CREATING --DEPLOYED--> READY <--DEPLOYED-- UPDATING
       |                     '-----UPDATE------>'  |  ^
     FAILED                                  FAILED|  |UPDATE
       v                                           v  |
    CREATE_FAILED                             UPDATE_FAILED

* Every change of ``State`` or ``LastUpdateStatus`` goes through ``step()``.
* A pair missing from ``TRANSITIONS`` is a bug in the caller. What a client may not do in a phase
  is refused before, by ``check_updatable()``.
* A published version goes from CREATING to its end, or begins as READY; it takes no update.
* A version whose creation failed can only be deleted. One whose update failed still serves what it
  served before, and takes the next update.

Source: Lambda developer guide, function states. READY, UPDATING and the like are our words for the
pairs of ``State`` and ``LastUpdateStatus`` that occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from alonzo.model.errors import AwsError, conflict


class Phase(Enum):
    """The pairs of State and LastUpdateStatus that a version can be in."""

    CREATING = ("Pending", None)
    READY = ("Active", "Successful")
    CREATE_FAILED = ("Failed", None)
    UPDATING = ("Active", "InProgress")
    UPDATE_FAILED = ("Active", "Failed")


class Event(Enum):
    """What moves a version from phase to phase."""

    UPDATE = "update accepted"
    DEPLOYED = "deployed"
    FAILED = "deployment failed"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a version is where it is: a code of the model's enums, and a sentence."""

    code: str
    text: str


#: Source: recorded. AWS gives this reason for updates too.
BEING_CREATED = Reason("Creating", "The function is being created.")


@dataclass(frozen=True, slots=True)
class Status:
    """A version's State and LastUpdateStatus, with the reason of whichever is not final or bad."""

    phase: Phase
    reason: Reason | None = None

    @property
    def state(self) -> str:
        """``State`` of the API."""
        return self.phase.value[0]

    @property
    def last_update_status(self) -> str | None:
        """``LastUpdateStatus`` of the API."""
        return self.phase.value[1]

    @property
    def state_reason(self) -> Reason | None:
        """The reason, where it explains ``State``."""
        return self.reason if self.last_update_status is None else None

    @property
    def last_update_reason(self) -> Reason | None:
        """The reason, where it explains ``LastUpdateStatus``."""
        return self.reason if self.last_update_status is not None else None


CREATED = Status(Phase.CREATING, BEING_CREATED)
#: A version that was published from what serves already. Source: recorded.
PUBLISHED = Status(Phase.READY)

TRANSITIONS: dict[tuple[Phase, Event], Phase] = {
    (Phase.CREATING, Event.DEPLOYED): Phase.READY,
    (Phase.CREATING, Event.FAILED): Phase.CREATE_FAILED,
    (Phase.READY, Event.UPDATE): Phase.UPDATING,
    (Phase.UPDATE_FAILED, Event.UPDATE): Phase.UPDATING,
    (Phase.UPDATING, Event.DEPLOYED): Phase.READY,
    (Phase.UPDATING, Event.FAILED): Phase.UPDATE_FAILED,
}


class TransitionError(Exception):
    """An event that cannot happen in the phase; the caller should have known."""


def step(status: Status, event: Event, reason: Reason | None = None) -> Status:
    """The status after an event. ``reason`` belongs to ``Event.FAILED`` and to no other.

    Raises:
        TransitionError: the event cannot happen now.
    """
    assert (reason is not None) == (event is Event.FAILED)
    phase = TRANSITIONS.get((status.phase, event))
    if phase is None:
        raise TransitionError(f"{event.value} while {status.phase.name}")
    return Status(phase, BEING_CREATED if event is Event.UPDATE else reason)


def check_updatable(status: Status, arn: str) -> None:
    """Refuse an update, or a publication, that cannot start now. ``arn`` is the unqualified one.

    Raises:
        AwsError: ResourceConflictException, with AWS's texts.
    """
    if status.phase is Phase.UPDATING:
        raise updating(arn)
    if (status.phase, Event.UPDATE) not in TRANSITIONS:
        raise conflict(
            "The operation cannot be performed at this time. The function is currently in the "
            f"following state: {status.state}"
        )


def check_taggable(status: Status, arn: str) -> None:
    """Refuse tagging during an update, as AWS does; every other phase allows it.

    Raises:
        AwsError: ResourceConflictException.
    """
    if status.phase is Phase.UPDATING:
        raise updating(arn)


def updating(arn: str) -> AwsError:
    """The error of whatever may not run beside an update."""
    return conflict(
        "The operation cannot be performed at this time. "
        f"An update is in progress for resource: {arn}"
    )
