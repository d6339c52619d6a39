"""Life of one extension, as a table and one pure function.

    STARTED --REGISTER--> REGISTERED --NEXT--> READY --DELIVER--> RUNNING
       |                      |    |             ^ |                 |
       |              INIT_ERROR  EXIT_ERROR     | '--EXIT_ERROR     '--EXIT_ERROR
       |                      v    v             '------NEXT---------'
       '--LAUNCH_ERROR--> (terminal states, named alike; EXIT from anywhere)

* Every change of state goes through ``step()``. Nothing else assigns one.
* A pair missing from ``TRANSITIONS`` is refused: for a request with 403, for the rest it is a bug.
* The end of a process (EXIT, SHUTDOWN_FAILED) keeps an error that the extension reported before.
* Names prove nothing: a process may register by the name of another, whose start fails later.

The names of the states are AWS's: they are shown in EXTENSION lines and in refusals.
Source: runtime interface emulator, states of external and internal agents.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto


class State(StrEnum):
    """Where an extension is in its life."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"
    SHUTDOWN_FAILED = "ShutdownFailed"
    EXITED = "Exited"


class Event(Enum):
    """What can happen to an extension.

    ``NEXT`` is its request for an event, ``RENEW`` the same request again after the connection on
    which it waited broke, or for an event that it could not be given.
    """

    REGISTER = auto()
    NEXT = auto()
    RENEW = auto()
    DELIVER = auto()
    INIT_ERROR = auto()
    EXIT_ERROR = auto()
    LAUNCH_ERROR = auto()
    EXIT = auto()
    SHUTDOWN_FAILED = auto()


_ALIVE = (State.STARTED, State.REGISTERED, State.READY, State.RUNNING)
_REPORTED = (State.INIT_ERROR, State.EXIT_ERROR)
_ENDS = (Event.LAUNCH_ERROR, Event.EXIT, Event.SHUTDOWN_FAILED)

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTED, Event.REGISTER): State.REGISTERED,
    (State.REGISTERED, Event.NEXT): State.READY,
    (State.REGISTERED, Event.INIT_ERROR): State.INIT_ERROR,
    (State.INIT_ERROR, Event.INIT_ERROR): State.INIT_ERROR,
    (State.READY, Event.RENEW): State.READY,
    (State.READY, Event.DELIVER): State.RUNNING,
    (State.RUNNING, Event.RENEW): State.RUNNING,
    (State.RUNNING, Event.NEXT): State.READY,
    **{
        (state, Event.EXIT_ERROR): State.EXIT_ERROR
        for state in (State.REGISTERED, State.READY, State.RUNNING, State.EXIT_ERROR)
    },
    **{(state, Event.LAUNCH_ERROR): State.LAUNCH_ERROR for state in _ALIVE},
    **{(state, Event.EXIT): State.EXITED for state in _ALIVE},
    **{(state, Event.SHUTDOWN_FAILED): State.SHUTDOWN_FAILED for state in _ALIVE},
    **{(state, event): state for state in _REPORTED for event in _ENDS},
}


class NotAllowedError(Exception):
    """The event cannot happen in that state."""


def step(state: State, event: Event) -> State:
    """The state after ``event``.

    Raises:
        NotAllowedError: it cannot happen in that state.
    """
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise NotAllowedError(f"an extension that is {state} cannot take {event.name}")
    return after
