"""The states of a key, as a table.

    ENABLED <--Enable/Disable--> DISABLED
       |                            |  ^
       '--------Schedule------------'  | Cancel
                    |                  |
                    '--> PENDING_DELETION --> gone

* A pair missing from TRANSITIONS is refused with AWS's error for the state.
* ``USE`` stands for every cryptographic operation, for new grants and for rotation; ``EDIT`` for
  changes of what a key is called or tagged with.

Source: KMS developer guide, key states of AWS KMS keys.
"""

from __future__ import annotations

from enum import StrEnum

from alonzo.services.kms.errors import disabled, not_pending_deletion, pending_deletion


class State(StrEnum):
    """In the words of ``KeyState``."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


class Event(StrEnum):
    """What is asked of a key."""

    ENABLE = "enable"
    DISABLE = "disable"
    SCHEDULE = "schedule deletion"
    CANCEL = "cancel deletion"
    USE = "use"
    EDIT = "edit"


TRANSITIONS = {
    (State.ENABLED, Event.ENABLE): State.ENABLED,
    (State.ENABLED, Event.DISABLE): State.DISABLED,
    (State.ENABLED, Event.SCHEDULE): State.PENDING_DELETION,
    (State.ENABLED, Event.USE): State.ENABLED,
    (State.ENABLED, Event.EDIT): State.ENABLED,
    (State.DISABLED, Event.ENABLE): State.ENABLED,
    (State.DISABLED, Event.DISABLE): State.DISABLED,
    (State.DISABLED, Event.SCHEDULE): State.PENDING_DELETION,
    (State.DISABLED, Event.EDIT): State.DISABLED,
    (State.PENDING_DELETION, Event.CANCEL): State.DISABLED,
}


def step(state: State, event: Event, arn: str) -> State:
    """The state after an event.

    Raises:
        AwsError: DisabledException, KMSInvalidStateException.
    """
    after = TRANSITIONS.get((state, event))
    if after is not None:
        return after
    if event is Event.CANCEL:
        raise not_pending_deletion(arn)
    raise disabled(arn) if state is State.DISABLED else pending_deletion(arn)
