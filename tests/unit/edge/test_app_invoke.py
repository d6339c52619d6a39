"""The wire form of Invoke, without a server."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from alonzo.edge.http1.head import Head
from alonzo.edge.http1.response import Response
from alonzo.edge.invoke_http import is_invoke, parse_invoke, render_invoke
from alonzo.edge.models import service_model
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest, InvokeResult
from alonzo.model.payloads import PayloadLimits

ROOT = Principal("000000000000", "arn:aws:iam::000000000000:root", "000000000000", "AKID", True)
LIMITS = PayloadLimits()


def parse(
    label: str = "f",
    query: str = "",
    body: bytes = b"",
    limits: PayloadLimits = LIMITS,
    **headers: str | bytes,
) -> InvokeRequest:
    pairs = tuple(
        (name.replace("_", "-").encode(), text if isinstance(text, bytes) else text.encode())
        for name, text in headers.items()
    )
    path = f"/2015-03-31/functions/{label}/invocations".encode()
    assert is_invoke("POST", path)
    head = Head("POST", path, query.encode(), pairs)
    return parse_invoke(head, body, limits, request_id="id-1", principal=ROOT, region="eu-west-1")


def headers_of(response: Response) -> dict[str, str]:
    lines = response.fields.decode("latin-1").removesuffix("\r\n").split("\r\n")
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}


def refusal(*args: str, **kwargs: object) -> AwsError:
    with pytest.raises(AwsError) as caught:
        parse(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("POST", b"/2015-03-31/functions/f/invocations", True),
        ("POST", b"/2015-03-31/functions/f/invocations/", True),
        ("POST", b"/2015-03-31/functions/arn%3Aaws%2Fx/invocations", True),
        ("GET", b"/2015-03-31/functions/f/invocations", False),
        ("POST", b"/2015-03-31/functions//invocations", False),
        ("POST", b"/2015-03-31/functions/invocations", False),
        ("POST", b"/2015-03-31/functions/a/b/invocations", False),
        ("POST", b"/2015-03-31/functions/f/invocationsx", False),
        ("POST", b"/2014-11-13/functions/f/invoke-async/", False),
    ],
)
def test_only_the_path_of_invoke_is_invoke(method: str, path: bytes, answer: bool) -> None:
    assert is_invoke(method, path) is answer


def test_plain_call_has_the_defaults_of_aws() -> None:
    assert parse() == InvokeRequest(
        request_id="id-1",
        account="000000000000",
        region="eu-west-1",
        function_name="f",
        qualifier=None,
        invocation_type=InvocationType.REQUEST_RESPONSE,
        payload=b"",
        principal=ROOT,
    )


def test_everything_a_caller_may_say_is_read() -> None:
    call = parse(
        "arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af",
        "x=1&Qualifier=%24LATEST",
        b"\x00 not json \xff",
        x_amz_invocation_type="Event",
        x_amz_log_type="Tail",
        x_amz_client_context=base64.b64encode(b'{"custom": {"k": "\xc3\xa9"}}'),
        x_amzn_trace_id="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
        x_amz_tenant_id="tenant 1",
    )
    assert call.function_name == "arn:aws:lambda:eu-west-1:000000000000:function:f"
    assert call.qualifier == "$LATEST"
    assert call.payload == b"\x00 not json \xff"
    assert call.invocation_type is InvocationType.EVENT
    assert call.log_tail
    assert call.client_context == '{"custom": {"k": "é"}}'
    assert call.trace_header == "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    assert call.tenant_id == "tenant 1"


@pytest.mark.parametrize(
    ("kwargs", "member", "constraint"),
    [
        ({"label": "f%20g"}, "functionName", "satisfy regular expression pattern: (arn:"),
        ({"label": "%ff%00"}, "functionName", "satisfy regular expression pattern: (arn:"),
        ({"label": "f" * 257}, "functionName", "have length less than or equal to 256"),
        ({"query": "Qualifier=" + "q" * 129}, "qualifier", "have length less than or equal to 128"),
        ({"query": "Qualifier=a%21"}, "qualifier", "satisfy regular expression pattern: \\$("),
        (
            {"x_amz_invocation_type": "Sometimes"},
            "invocationType",
            "satisfy enum value set: [Event, RequestResponse, DryRun]",
        ),
        ({"x_amz_log_type": "Head"}, "logType", "satisfy enum value set: [None, Tail]"),
        ({"x_amz_tenant_id": "a;b"}, "tenantId", "satisfy regular expression pattern"),
    ],
)
def test_violated_constraint_is_a_validation_exception(
    kwargs: dict[str, object], member: str, constraint: str
) -> None:
    error = refusal(**kwargs)
    assert (error.code, error.status) == ("ValidationException", 400)
    assert error.message.startswith("1 validation error detected: Value '")
    assert f"at '{member}' failed to satisfy constraint: Member must {constraint}" in error.message


def test_all_violations_come_in_one_error() -> None:
    error = refusal("f%20g", query="Qualifier=", x_amz_log_type="Head")
    assert error.message.startswith("4 validation errors detected: Value 'f g' at 'functionName'")
    assert error.message.count("; Value '") == 3


@pytest.mark.parametrize(
    "context",
    [b"%%%", b"e30", base64.b64encode(b"[]"), base64.b64encode(b"\xff"), b"e30=" * 1000, b"\xe9"],
)
def test_client_context_that_is_no_object_is_bad_content(context: bytes) -> None:
    error = refusal(x_amz_client_context=context)
    assert error.code == "InvalidRequestContentException"


def test_deeply_nested_client_context_is_bad_content() -> None:
    error = refusal(x_amz_client_context=base64.b64encode(b"[" * 2600))
    assert error.code == "InvalidRequestContentException"


@pytest.mark.parametrize(
    ("kind", "limit"), [("RequestResponse", 6_291_456), ("DryRun", 6_291_456), ("Event", 1_048_576)]
)
def test_payload_over_the_limit_of_its_type_is_too_large(kind: str, limit: int) -> None:
    assert len(parse(body=b" " * limit, x_amz_invocation_type=kind).payload) == limit
    error = refusal(body=b" " * (limit + 1), x_amz_invocation_type=kind)
    assert (error.code, error.status) == ("RequestEntityTooLargeException", 413)
    assert error.message == (
        f"{limit + 1} byte payload is too large for the {kind} invocation type "
        f"(limit {limit} bytes)"
    )


def test_limits_can_be_raised() -> None:
    raised = PayloadLimits(sync_bytes_max=7_000_000)
    assert len(parse(body=b" " * 6_500_000, limits=raised).payload) == 6_500_000


def test_botocore_reads_the_answer_back() -> None:
    result = InvokeResult(
        status=200,
        payload=b'{"errorMessage":"no"}',
        executed_version="7",
        function_error="Unhandled",
        log_tail=b"END\n",
        trace_header="Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
    )
    response = render_invoke(result, "id-1")
    headers = headers_of(response)
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-requestid"] == "id-1"
    assert headers["x-amzn-remapped-content-length"] == "0"
    shape = service_model("lambda").operation_model("Invoke").output_shape
    raw = {"status_code": 200, "headers": HeadersDict(headers), "body": response.body}
    parsed = create_parser("rest-json").parse(raw, shape)
    assert parsed["Payload"] == '{"errorMessage":"no"}'
    assert parsed["ExecutedVersion"] == "7"
    assert parsed["FunctionError"] == "Unhandled"
    assert base64.b64decode(parsed["LogResult"]) == b"END\n"
    assert parsed["StatusCode"] == 200


@pytest.mark.parametrize("text", ["7\r\nx-evil: 1", "7\x00", "7\x7f", "\u20ac"])
def test_no_value_of_an_answer_breaks_its_head(text: str) -> None:
    response = render_invoke(InvokeResult(200, b"", text, trace_header=text), "id-1")
    assert b"\x00" not in response.fields
    assert b"\x7f" not in response.fields
    headers = headers_of(response)
    assert "x-evil" not in headers
    assert headers["x-amz-executed-version"] == headers["x-amzn-trace-id"]


def test_accepted_event_says_no_version() -> None:
    response = render_invoke(InvokeResult(202), "id-1")
    assert response.status == 202
    assert response.body == b""
    assert "x-amz-executed-version" not in headers_of(response)


@settings(max_examples=200, deadline=None)
@given(
    label=st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"/", b"%2F")),
    query=st.binary(max_size=40),
    value=st.binary(max_size=40),
)
def test_any_bytes_give_a_call_or_a_named_error(label: bytes, query: bytes, value: bytes) -> None:
    headers = tuple(
        (name, value) for name in (b"x-amz-client-context", b"x-amzn-trace-id", b"x-amz-tenant-id")
    )
    path = b"/2015-03-31/functions/" + label + b"/invocations"
    head = Head("POST", path, b"Qualifier=" + query, headers)
    with suppress(AwsError):
        call = parse_invoke(
            head, b"", LIMITS, request_id="id-1", principal=ROOT, region="eu-west-1"
        )
        assert call.function_name
