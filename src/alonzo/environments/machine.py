"""Life cycle of one execution environment, as a table and one pure function.

    STARTING --HOUSED--> INIT --RUNTIME_READY--> IDLE <--INVOKE_DONE-- BUSY
       |                  |                    RESERVE |-------------->|  |
       |                  |                     FREEZE v     RESERVE   |  |
       |                  |                          FROZEN ---------->|  |
       |                  |                            |                  |
       |                  '--RUNTIME_LOST--> DOWN <----'---RUNTIME_LOST---'
       |                                       '-----RESERVE---> BUSY
       '-- STOP (from every state) --> STOPPING --SANDBOX_CLOSED--> STOPPED

* Every change of state goes through ``step()``. Nothing else assigns one.
* A pair missing from ``TRANSITIONS`` is a bug in the caller, not a state.
* No I/O and no clock here: the runner has both.

STARTING: it waits for a sandbox, which was made ahead of need or is made now, and has it fitted.
INIT is the developer guide's word. DOWN is ours: the sandbox and its ``/tmp`` stand, but no runtime
runs in it; the next invoke initialises it again inside its own timeout (the guide's "suppressed
init"). Source: Lambda developer guide, execution environment lifecycle.
"""

from __future__ import annotations

from enum import Enum, auto


class _Singleton(Enum):
    """Each member is the only one of its kind, so its address is hash enough, and a faster one."""

    __hash__ = object.__hash__


class State(_Singleton):
    """Where an environment is in its life."""

    STARTING = auto()
    INIT = auto()
    IDLE = auto()
    FROZEN = auto()
    BUSY = auto()
    DOWN = auto()
    STOPPING = auto()
    STOPPED = auto()


class Event(_Singleton):
    """What can happen to an environment."""

    HOUSED = auto()
    RUNTIME_READY = auto()
    RUNTIME_LOST = auto()
    RESERVE = auto()
    INVOKE_DONE = auto()
    FREEZE = auto()
    STOP = auto()
    SANDBOX_CLOSED = auto()


_STOPPABLE = (State.STARTING, State.INIT, State.IDLE, State.FROZEN, State.BUSY, State.DOWN)

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.STARTING, Event.HOUSED): State.INIT,
    (State.INIT, Event.RUNTIME_READY): State.IDLE,
    (State.INIT, Event.RUNTIME_LOST): State.DOWN,
    (State.IDLE, Event.RESERVE): State.BUSY,
    (State.IDLE, Event.FREEZE): State.FROZEN,
    (State.IDLE, Event.RUNTIME_LOST): State.DOWN,
    (State.FROZEN, Event.RESERVE): State.BUSY,
    (State.FROZEN, Event.RUNTIME_LOST): State.DOWN,
    (State.DOWN, Event.RESERVE): State.BUSY,
    (State.BUSY, Event.INVOKE_DONE): State.IDLE,
    (State.BUSY, Event.RUNTIME_LOST): State.DOWN,
    **{(state, Event.STOP): State.STOPPING for state in _STOPPABLE},
    (State.STOPPING, Event.SANDBOX_CLOSED): State.STOPPED,
}


def step(state: State, event: Event) -> State:
    """The state after ``event``.

    Raises:
        ValueError: the event cannot happen in that state.
    """
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise ValueError(f"an environment that is {state.name} cannot take {event.name}")
    return after
