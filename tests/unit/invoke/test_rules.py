"""Admission, before any function code runs."""

import re

import pytest

from alonzo.invoke.rules import (
    check_payload,
    check_tenant,
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


@pytest.mark.parametrize(("isolated", "tenant"), [(True, None), (False, "t")])
def test_a_tenant_goes_with_tenant_isolation_only(isolated, tenant):
    check_tenant(False, None)
    check_tenant(True, "t")
    with pytest.raises(AwsError) as caught:
        check_tenant(isolated, tenant)
    assert caught.value.code == "InvalidParameterValueException"
