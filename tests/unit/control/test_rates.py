"""The rates of the control plane's operations."""

import asyncio

import pytest

from alonzo.control import rates
from alonzo.control.rates import GET_FUNCTION_PER_S, Rates, limited
from alonzo.lib.clock import ManualClock
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError

WHERE = ("000000000000", "us-east-1")


def refusal(made, operation, where=WHERE):
    """Why a call may not run; None: it may."""
    try:
        made.take_nowait(*where, operation)
    except AwsError as error:
        return error
    return None


def taken(made, operation, where=WHERE):
    """How many calls pass at once."""
    refusals = (refusal(made, operation, where) for _ in range(1000))
    return next(count for count, error in enumerate(refusals) if error is not None)


def test_get_function_and_get_policy_have_rates_of_their_own_and_all_others_share_one():
    clock = ManualClock()
    made = Rates(clock, 15)
    assert taken(made, "ListFunctions") == 15
    error = refusal(made, "CreateFunction")
    assert error.code == "TooManyRequestsException"
    assert error.members == {"Reason": "CallerRateLimitExceeded", "Type": "User"}
    assert error.headers == {"Retry-After": "1"}
    assert taken(made, "GetPolicy") == 15
    assert taken(made, "GetFunction") == GET_FUNCTION_PER_S
    assert taken(made, "ListFunctions", ("000000000000", "eu-west-1")) == 15
    assert taken(made, "ListFunctions", ("111111111111", "us-east-1")) == 15
    clock.advance(0.2)
    assert taken(made, "CreateFunction") == 3
    # What is not used does not add up.
    clock.advance(3600)
    assert taken(made, "CreateFunction") == 15


def test_accounts_and_regions_without_end_are_forgotten(monkeypatch):
    monkeypatch.setattr(rates, "_KNOWN_MAX", 2)
    made = Rates(ManualClock(), 1)
    for region in ("a", "b", "c", "a"):
        made.take_nowait("000000000000", region, "ListFunctions")
    assert len(made._left) == 2


def test_a_call_that_is_refused_does_not_run():
    ran = []

    async def operation(context, params):
        ran.append(params)

    principal = Principal(WHERE[0], "arn", "id", "key")
    context = RequestContext("r", *WHERE, principal, "http://localhost", "::1")
    (call,) = limited({"ListFunctions": operation}, Rates(ManualClock(), 1)).values()
    asyncio.run(call(context, {"a": 1}))
    with pytest.raises(AwsError):
        asyncio.run(call(context, {"a": 2}))
    assert ran == [{"a": 1}]
