"""The states of a key: the whole table, with AWS's refusals."""

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.kms.machine import Event, State, step

PENDING = ("KMSInvalidStateException", "k is pending deletion.")
#: What each event comes to in each state. Source: KMS developer guide, key states.
TABLE = {
    Event.ENABLE: (State.ENABLED, State.ENABLED, PENDING),
    Event.DISABLE: (State.DISABLED, State.DISABLED, PENDING),
    Event.SCHEDULE: (State.PENDING_DELETION, State.PENDING_DELETION, PENDING),
    Event.CANCEL: (
        ("KMSInvalidStateException", "k is not pending deletion."),
        ("KMSInvalidStateException", "k is not pending deletion."),
        State.DISABLED,
    ),
    Event.USE: (State.ENABLED, ("DisabledException", "k is disabled."), PENDING),
    Event.EDIT: (State.ENABLED, State.DISABLED, PENDING),
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize(("place", "state"), list(enumerate(State)))
def test_every_event_in_every_state(event, place, state):
    wanted = TABLE[event][place]
    if isinstance(wanted, State):
        assert step(state, event, "k") is wanted
        return
    with pytest.raises(AwsError) as caught:
        step(state, event, "k")
    assert (caught.value.code, caught.value.message) == wanted
