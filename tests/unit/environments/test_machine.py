"""The life of an environment is a table."""

import itertools

import pytest

from alonzo.environments.machine import TRANSITIONS, Event, State, step


def test_a_life_from_birth_to_end():
    state = State.STARTING
    for event in (
        Event.HOUSED, Event.RUNTIME_READY, Event.RESERVE, Event.INVOKE_DONE,
        Event.FREEZE, Event.RESERVE, Event.RUNTIME_LOST, Event.RESERVE, Event.INVOKE_DONE,
        Event.STOP, Event.SANDBOX_CLOSED,
    ):  # fmt: skip
        state = step(state, event)
    assert state is State.STOPPED


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_in_the_table_or_refused(state, event):
    if (state, event) in TRANSITIONS:
        assert step(state, event) in State
    else:
        with pytest.raises(ValueError, match=event.name):
            step(state, event)


def test_every_state_reaches_its_end():
    reaches = {State.STOPPED}
    while True:
        more = {before for (before, _), after in TRANSITIONS.items() if after in reaches}
        if more <= reaches:
            break
        reaches |= more
    assert reaches == set(State)


def test_nothing_leaves_the_end():
    assert not [pair for pair in TRANSITIONS if pair[0] is State.STOPPED]
