"""Life cycle of an event source mapping, as a table and one pure function.

    CREATING --STARTED--> ENABLED --UPDATE--> UPDATING --STARTED--> ENABLED
                          ENABLED --DISABLE-> DISABLING --STOPPED-> DISABLED
                         DISABLED --ENABLE--> ENABLING --STARTED--> ENABLED
                         DISABLED --UPDATE--> UPDATING --STOPPED--> DISABLED
               ENABLED, DISABLED --DELETE--> DELETING, and then it is gone

* A mapping that is created disabled begins as DISABLED.
* Requests come in ENABLED and DISABLED only; in every other state the mapping is busy.

Source: Lambda API, EventSourceMappingConfiguration; recorded first states.
"""

from __future__ import annotations

from enum import StrEnum

from alonzo.model.errors import AwsError


class State(StrEnum):
    """``State`` of the API."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


class Event(StrEnum):
    """What moves a mapping from state to state."""

    UPDATE = "update accepted"
    ENABLE = "enabling accepted"
    DISABLE = "disabling accepted"
    DELETE = "deletion accepted"
    STARTED = "it is what it should be, enabled"
    STOPPED = "it is what it should be, disabled"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CREATING, Event.STARTED): State.ENABLED,
    (State.ENABLING, Event.STARTED): State.ENABLED,
    (State.UPDATING, Event.STARTED): State.ENABLED,
    (State.DISABLING, Event.STOPPED): State.DISABLED,
    (State.UPDATING, Event.STOPPED): State.DISABLED,
    (State.ENABLED, Event.UPDATE): State.UPDATING,
    (State.DISABLED, Event.UPDATE): State.UPDATING,
    (State.ENABLED, Event.DISABLE): State.DISABLING,
    (State.DISABLED, Event.ENABLE): State.ENABLING,
    (State.ENABLED, Event.DELETE): State.DELETING,
    (State.DISABLED, Event.DELETE): State.DELETING,
}

SETTLED = frozenset({State.ENABLED, State.DISABLED})


class TransitionError(Exception):
    """An event that cannot happen in the state; the caller should have known."""


def first(enabled: bool) -> State:
    """The state of a new mapping."""
    return State.CREATING if enabled else State.DISABLED


def change(was_enabled: bool, enabled: bool) -> Event:
    """What an update is that may also enable or disable."""
    if was_enabled == enabled:
        return Event.UPDATE
    return Event.ENABLE if enabled else Event.DISABLE


def settle(enabled: bool) -> Event:
    """What ends whatever is under way, but a deletion."""
    return Event.STARTED if enabled else Event.STOPPED


def step(state: State, event: Event) -> State:
    """The state after an event.

    Raises:
        TransitionError: the event cannot happen now.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise TransitionError(f"{event} while {state}")
    return following


def check_changeable(state: State, doing: str) -> None:
    """Refuse a request while another is under way. ``doing`` is ``update`` or ``delete``.

    Raises:
        AwsError: ResourceInUseException. AWS documents the rule; the text is that of reports.
    """
    if state not in SETTLED:
        raise AwsError(
            "ResourceInUseException",
            f"Cannot {doing} the event source mapping because it is in use.",
            members={"Type": "User"},
        )
