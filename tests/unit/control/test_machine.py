"""The life cycle of a version: every pair is in the table or refused."""

from __future__ import annotations

import itertools

import pytest

from alonzo.control.machine import (
    BEING_CREATED,
    CREATED,
    TRANSITIONS,
    Event,
    Phase,
    Reason,
    Status,
    TransitionError,
    check_taggable,
    check_updatable,
    step,
)
from alonzo.model.errors import AwsError

REASON = Reason("InvalidZipFileException", "broken")


def reason_for(event: Event) -> Reason | None:
    return REASON if event is Event.FAILED else None


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, Event)))
def test_a_pair_is_in_the_table_or_raises(phase: Phase, event: Event) -> None:
    status = Status(phase)
    if (phase, event) in TRANSITIONS:
        assert step(status, event, reason_for(event)).phase is TRANSITIONS[phase, event]
    else:
        with pytest.raises(TransitionError):
            step(status, event, reason_for(event))


def test_a_failed_creation_explains_its_state() -> None:
    failed = step(CREATED, Event.FAILED, REASON)
    assert (failed.state, failed.last_update_status) == ("Failed", None)
    assert (failed.state_reason, failed.last_update_reason) == (REASON, None)


def test_a_failed_update_explains_the_update_and_stays_active() -> None:
    updating = step(step(CREATED, Event.DEPLOYED), Event.UPDATE)
    assert (updating.state, updating.last_update_status) == ("Active", "InProgress")
    assert (updating.state_reason, updating.last_update_reason) == (None, BEING_CREATED)
    failed = step(updating, Event.FAILED, REASON)
    assert (failed.state, failed.last_update_status) == ("Active", "Failed")
    assert (failed.state_reason, failed.last_update_reason) == (None, REASON)


def test_a_finished_deployment_has_nothing_to_explain() -> None:
    ready = step(CREATED, Event.DEPLOYED)
    assert (ready.state, ready.last_update_status) == ("Active", "Successful")
    assert (ready.state_reason, ready.last_update_reason) == (None, None)


@pytest.mark.parametrize("phase", Phase)
def test_an_update_is_refused_just_where_the_table_has_none(phase: Phase) -> None:
    if (phase, Event.UPDATE) in TRANSITIONS:
        check_updatable(Status(phase), "arn")
        return
    with pytest.raises(AwsError) as caught:
        check_updatable(Status(phase), "arn")
    tail = {
        Phase.CREATING: "The function is currently in the following state: Pending",
        Phase.CREATE_FAILED: "The function is currently in the following state: Failed",
        Phase.UPDATING: "An update is in progress for resource: arn",
    }[phase]
    assert caught.value.code == "ResourceConflictException"
    assert caught.value.message == f"The operation cannot be performed at this time. {tail}"


@pytest.mark.parametrize("phase", Phase)
def test_tags_are_refused_during_an_update_only(phase: Phase) -> None:
    if phase is Phase.UPDATING:
        with pytest.raises(AwsError):
            check_taggable(Status(phase), "arn")
    else:
        check_taggable(Status(phase), "arn")
