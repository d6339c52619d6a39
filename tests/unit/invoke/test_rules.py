"""Admission, before any function code runs."""

import re

import pytest

from alonzo.invoke.rules import (
    STORE_RETRY_S_MAX,
    check_payload,
    check_tenant,
    share_slots,
    store_retry_s,
    trace_header,
)
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType
from alonzo.model.payloads import PayloadLimits

SYNC, EVENT = InvocationType.REQUEST_RESPONSE, InvocationType.EVENT
RANDOM = "0123456789abcdef0123456789abcdef01234567"


def test_an_empty_payload_is_an_empty_object():
    assert check_payload(SYNC, b"", PayloadLimits()) == b"{}"


def test_a_payload_is_kept_byte_for_byte():
    assert check_payload(SYNC, b' {"a" : 1}\n', PayloadLimits()) == b' {"a" : 1}\n'


def test_what_is_not_json_is_refused():
    with pytest.raises(AwsError) as caught:
        check_payload(SYNC, b"{oops", PayloadLimits())
    assert caught.value.code == "InvalidRequestContentException"
    assert caught.value.message.startswith(
        "Could not parse request body into json: Could not parse payload into json: "
    )


@pytest.mark.parametrize("kind", [SYNC, EVENT])
def test_the_limit_is_to_the_byte(kind):
    limit = PayloadLimits().of(kind)
    assert check_payload(kind, b'"' + b"x" * (limit - 2) + b'"', PayloadLimits())
    with pytest.raises(AwsError) as caught:
        check_payload(kind, b'"' + b"x" * (limit - 1) + b'"', PayloadLimits())
    assert caught.value.message == (
        f"{limit + 1} byte payload is too large for the {kind} invocation type "
        f"(limit {limit} bytes)"
    )


def test_a_trace_keeps_the_callers_root_and_gets_a_new_parent():
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    incoming = f"{root};Parent=1111111111111111;Sampled=1;Lineage=1:old"
    assert trace_header(incoming, 0, RANDOM, "1:new") == (
        f"{root};Parent=89abcdef01234567;Sampled=1;Lineage=1:new"
    )


@pytest.mark.parametrize("incoming", [None, "", "nonsense", "Root=1-xyz"])
def test_a_trace_is_made_where_there_is_none(incoming):
    made = trace_header(incoming, 1_700_000_000, RANDOM, "1:x")
    form = r"Root=1-6553f100-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:x"
    assert re.fullmatch(form, made)


def test_pausing_for_the_store_knows_no_largest_failure():
    assert store_retry_s(1_000_000) == STORE_RETRY_S_MAX


@pytest.mark.parametrize(
    ("waiting", "held", "shares"),
    [
        ("a", {}, {"a": 50}),
        ("a", {"a": 50}, {}),
        ("a", {"a": 20, "b": 30}, {"a": 15}),
        ("ab", {}, {"a": 34, "b": 33}),
        ("ab", {"a": 50}, {"b": 25}),
        ("", {"a": 3}, {}),
        ("a", {"b": 100}, {}),
        ("ba", {"a": 50, "b": 49}, {}),
        ("abc", {"a": 50, "b": 49}, {"c": 1}),
    ],
)
def test_a_function_holds_no_more_slots_than_it_leaves_free(waiting, held, shares):
    assert share_slots(waiting, held, 100) == shares


def test_the_first_of_too_many_functions_get_a_slot_each():
    assert share_slots([str(n) for n in range(9)], {}, 3) == {"0": 1, "1": 1, "2": 1}


@pytest.mark.parametrize(("isolated", "tenant"), [(True, None), (False, "t")])
def test_a_tenant_goes_with_tenant_isolation_only(isolated, tenant):
    check_tenant(False, None)
    check_tenant(True, "t")
    with pytest.raises(AwsError) as caught:
        check_tenant(isolated, tenant)
    assert caught.value.code == "InvalidParameterValueException"
