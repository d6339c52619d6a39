"""Who hears of an event that is over, and who does not."""

import json

import pytest

from alonzo.invoke.endings import Ended, plan_deliveries
from alonzo.invoke.event_life import Condition, EventPolicy, Over, Run
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX

REF = FunctionRef(FunctionKey("123456789012", "eu-west-1", "f"), None)
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:g"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:q"
LETTERS = "arn:aws:sqs:eu-west-1:123456789012:letters"
FAILED = Run(b'{"errorMessage":"no"}', "1", failed=True)


def planned(condition, *, last=FAILED, is_record=False, **policy):
    ended = Ended("r", REF, b'{"n":1}', "Root=1", Over(condition, 3), last, is_record=is_record)
    return plan_deliveries(ended, EventPolicy(role="role", **policy), lambda: "id", 7.0)


def targets(plan):
    return [row["target_arn"] for row in plan.rows]


def test_both_the_destination_and_the_dead_letter_queue_hear_of_a_failure():
    plan = planned(Condition.RETRIES_EXHAUSTED, on_failure=QUEUE, dead_letter=LETTERS)
    record, letter = plan.rows
    assert targets(plan) == [QUEUE, LETTERS]
    assert json.loads(record["record"])["responsePayload"] == {"errorMessage": "no"}
    assert record["error_message"] is None
    assert letter["record"] == b'{"n":1}'
    assert (letter["event_request_id"], letter["error_code"], letter["error_message"]) == (
        "r", 200, "no",
    )  # fmt: skip
    assert {row["role_arn"] for row in plan.rows} == {"role"}


def test_a_success_is_no_dead_letter():
    done = Run(b"1", "1", failed=False)
    plan = planned(Condition.SUCCESS, last=done, on_success=FUNCTION, dead_letter=LETTERS)
    assert targets(plan) == [FUNCTION]
    assert plan.rows[0]["succeeded"] == 1


def test_a_record_too_large_keeps_no_dead_letter_back():
    long = Run(b'"' + b"x" * ASYNC_PAYLOAD_BYTES_MAX + b'"', "1", failed=True)
    plan = planned(Condition.RETRIES_EXHAUSTED, last=long, on_failure=FUNCTION, dead_letter=LETTERS)
    assert targets(plan) == [LETTERS]
    assert plan.too_large_for == (FUNCTION,)


@pytest.mark.parametrize(
    ("is_record", "on_failure", "heard"),
    [
        (False, FUNCTION, [FUNCTION, LETTERS]),
        (True, FUNCTION, [LETTERS]),
        (True, QUEUE, [QUEUE, LETTERS]),
    ],
)
def test_a_loop_of_records_is_told_to_no_function(is_record, on_failure, heard):
    plan = planned(
        Condition.RECURSIVE_INVOCATION,
        last=None,
        is_record=is_record,
        on_failure=on_failure,
        dead_letter=LETTERS,
    )
    assert targets(plan) == heard


def test_a_record_may_be_as_long_as_an_event():
    ended = Ended(
        "r", REF, b'"' + b"x" * 5000 + b'"', "", Over(Condition.RETRIES_EXHAUSTED, 1), None
    )
    policy = EventPolicy(on_failure=FUNCTION)
    for limit, heard in ((5000, []), (6000, [FUNCTION])):
        plan = plan_deliveries(ended, policy, lambda: "id", 7.0, record_bytes_max=limit)
        assert targets(plan) == heard
