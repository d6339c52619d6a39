"""What a dead letter says of the event in it."""

import pytest

from alonzo.invoke.dead_letters import dead_letter
from alonzo.invoke.event_life import Condition, Over, Run
from alonzo.model.errors import AwsError
from alonzo.model.limits import ASYNC_PAYLOAD_BYTES_MAX

EXHAUSTED = Over(Condition.RETRIES_EXHAUSTED, 3)
AGED = Over(Condition.EVENT_AGE_EXCEEDED, 0)


def said(over=EXHAUSTED, *, answer=None, refusal=None):
    last = None if answer is None else Run(answer, "1", failed=True)
    letter = dead_letter("r", over, last, refusal)
    assert letter.request_id == "r"
    return letter.error_code, letter.error_message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"errorMessage":"no","errorType":"E"}', "no"),
        (b'{"errorMessage":7}', '{"errorMessage":7}'),
        (b'{"errorType":"E"}', '{"errorType":"E"}'),
        (b"[1]", "[1]"),
        (b"no json", "no json"),
        (b"", "-"),
        (b'{"errorMessage":""}', "-"),
    ],
)
def test_an_error_of_the_function_has_the_code_200_and_its_message(answer, message):
    assert said(answer=answer) == (200, message)


def test_a_message_is_cut_at_a_kilobyte_and_never_within_a_character():
    code, message = said(answer=b'{"errorMessage":"x' + "é".encode() * 2000 + b'"}')
    assert code == 200
    assert message == "x" + "é" * 511
    huge = b'{"errorMessage":"' + b"y" * ASYNC_PAYLOAD_BYTES_MAX + b'"}'
    assert len(said(answer=huge)[1]) == 1024


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (AwsError("TooManyRequestsException", "Rate Exceeded."), (429, "Rate Exceeded.")),
        (AwsError("ResourceNotFoundException", "gone"), (404, "gone")),
        (AwsError("ServiceException", "ours"), (500, "ours")),
        (RuntimeError("secret"), (500, "The function could not be run.")),
        (None, (429, "Rate Exceeded.")),
    ],
)
def test_an_event_that_never_ran_says_what_kept_it(refusal, told):
    assert said(AGED, refusal=refusal) == told


def test_the_last_error_counts_more_than_the_throttle_after_it():
    throttle = AwsError("TooManyRequestsException", "Rate Exceeded.")
    assert said(AGED, answer=b'{"errorMessage":"no"}', refusal=throttle) == (200, "no")


def test_a_reservation_of_zero_has_a_text_and_no_code():
    code, message = said(Over(Condition.ZERO_RESERVED_CONCURRENCY, 0))
    assert code is None
    assert "zero reserved concurrent executions" in message
