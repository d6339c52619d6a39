"""The states of event source mappings, and which requests each of them takes."""

import pytest

from alonzo.control.event_sources.machine import (
    SETTLED,
    TRANSITIONS,
    Event,
    State,
    TransitionError,
    change,
    check_changeable,
    first,
    settle,
    step,
)
from alonzo.model.errors import AwsError


@pytest.mark.parametrize("enabled", [True, False])
def test_a_new_mapping_comes_to_what_it_should_be(enabled):
    state = first(enabled)
    if state not in SETTLED:
        state = step(state, settle(enabled))
    assert state is (State.ENABLED if enabled else State.DISABLED)


@pytest.mark.parametrize("was", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_every_update_ends_as_it_was_asked_for(was, wanted):
    begun = step(State.ENABLED if was else State.DISABLED, change(was, wanted))
    assert begun not in SETTLED
    assert step(begun, settle(wanted)) is (State.ENABLED if wanted else State.DISABLED)


@pytest.mark.parametrize("state", State)
def test_requests_are_taken_in_settled_states_only(state):
    for event in (Event.UPDATE, Event.DELETE):
        assert ((state, event) in TRANSITIONS) == (state in SETTLED)
    if state in SETTLED:
        check_changeable(state, "update")
        return
    with pytest.raises(AwsError) as caught:
        check_changeable(state, "delete")
    assert caught.value.code == "ResourceInUseException"
    assert caught.value.message == ("Cannot delete the event source mapping because it is in use.")
    with pytest.raises(TransitionError):
        step(state, Event.DELETE)
