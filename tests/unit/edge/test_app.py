"""The application, called as a server would call it."""

from __future__ import annotations

import logging

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from alonzo.edge.app import BodyLimits
from alonzo.model.payloads import PayloadLimits
from alonzo.model.ports.audit import AuditEvent, TurnedAway
from alonzo.testing.edge_app import Asked

INVOKE = "/2015-03-31/functions/f/invocations"
FIRST_ID = "00000000-0000-4000-8000-000000000001"


# --- operations


def test_signed_call_reaches_its_operation_with_the_callers_context() -> None:
    answer = Asked().signed("GET", "/2015-03-31/functions")
    assert answer.status == 200
    assert answer.headers["x-amzn-requestid"] == FIRST_ID
    assert answer.json["NextMarker"] == "eu-west-1 http://127.0.0.1:4566 10.0.0.9"


def test_query_call_is_answered_in_xml_for_the_keys_account() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    answer = Asked().signed("POST", "/", service="sts", headers=form, body=body)
    assert b"<Account>111122223333</Account>" in answer.body


def test_invoke_takes_the_payload_as_it_is() -> None:
    asked = Asked()
    answer = asked.signed("POST", INVOKE, body=b"\xff\x00")
    assert (answer.status, answer.body) == (200, b"\xff\x00")
    assert answer.headers["x-amz-executed-version"] == "$LATEST"
    assert answer.headers["x-amzn-requestid"] == asked.echo.calls[0].request_id
    assert asked.echo.calls[0].account == "111122223333"


@pytest.mark.parametrize(("region", "status"), [("eu-west-1", 200), ("us-east-1", 403)])
def test_a_host_that_names_a_region_wants_invocations_signed_for_it(
    region: str, status: int
) -> None:
    asked, at = Asked(), f"lambda.{region}.localhost"
    request = AWSRequest("POST", f"http://{at}{INVOKE}")
    SigV4Auth(Credentials("AKIDUSER", "secret"), "lambda", "eu-west-1").add_auth(request)
    answer = asked("POST", INVOKE, {**request.headers, "host": at})
    assert answer.status == status
    assert len(asked.echo.calls) == (status == 200)


def test_what_nobody_signs_is_no_way_to_anything_else() -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    query = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    for method, fields in (("GET", form), ("GET", {}), ("POST", form)):
        length = {"content-length": str(len(body))}
        assert Asked()(method, f"/?{query}", {**fields, **length}, body).status == 403, method


def test_error_of_the_invoker_has_lambdas_form() -> None:
    answer = Asked().signed("POST", "/2015-03-31/functions/missing/invocations")
    assert answer.status == 404
    assert answer.headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert answer.json.items() >= {"Type": "User", "Message": "Function not found: x"}.items()


def test_operation_that_is_not_built_says_so() -> None:
    answer = Asked().signed("GET", "/2016-08-19/account-settings")
    assert answer.status == 501
    assert answer.json["message"] == "GetAccountSettings is not supported by Alonzo yet."


def test_service_that_is_not_served_says_so() -> None:
    answer = Asked().signed("POST", "/", service="dynamodb")
    assert answer.status == 501
    assert answer.json["message"] == "The service 'dynamodb' is not supported by Alonzo yet."


def test_path_of_another_service_on_lambdas_host_is_an_unknown_operation() -> None:
    answer = Asked().signed("GET", "/2025-09-09/microvms")
    assert answer.status == 404
    assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("/2015-03-31/functions?MaxItems=13", "ServiceException"),
        ("/2015-03-31/functions/broken/invocations", "ServiceException"),
    ],
)
def test_failure_of_ours_tells_the_client_nothing(
    target: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    answer = Asked().signed("POST" if "broken" in target else "GET", target)
    assert answer.status == 500
    assert answer.headers["x-amzn-errortype"] == code
    assert b"secret" not in answer.body
    assert [record.__dict__["request_id"] for record in caplog.records] == [FIRST_ID]


# --- authentication


@pytest.mark.parametrize(
    ("target", "headers", "status", "code"),
    [
        (INVOKE, {}, 403, "MissingAuthenticationTokenException"),
        ("/", {"x-amz-target": "Logs_20140328.X"}, 400, "MissingAuthenticationTokenException"),
        (INVOKE, {"authorization": "Basic x"}, 400, "IncompleteSignatureException"),
        ("/nothing", {}, 403, "MissingAuthenticationTokenException"),
    ],
)
def test_unsigned_call_is_refused_before_its_body_is_read(
    target: str, headers: dict[str, str], status: int, code: str
) -> None:
    asked = Asked()
    answer = asked("POST", target, headers, b"x" * 1000)
    assert answer.status == status
    assert code in answer.headers["x-amzn-errortype"] or code in answer.json["__type"]
    assert asked.receives == 0
    assert not asked.echo.calls


def test_wrong_secret_is_refused() -> None:
    answer = Asked().signed("POST", INVOKE, secret="wrong")
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (403, "InvalidSignatureException")


def test_unknown_key_is_refused_before_its_body_is_read() -> None:
    asked = Asked()
    answer = asked.signed("POST", INVOKE, key="AKIDNOBODY", body=b"x" * 1000)
    assert answer.headers["x-amzn-errortype"] == "UnrecognizedClientException"
    assert asked.receives == 0


def test_query_services_have_codes_of_their_own() -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = Asked().signed("POST", "/", service="sts", secret="wrong", headers=form)
    assert answer.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body


@pytest.mark.parametrize("announced", [{}, {"content-length": "400000"}])
@pytest.mark.parametrize(("sent", "status"), [(b"y", 200), (b"z", 403)])
def test_large_body_is_hashed_and_still_verified(
    announced: dict[str, str], sent: bytes, status: int
) -> None:
    request = AWSRequest("POST", f"http://127.0.0.1:4566{INVOKE}", data=b"y" * 400_000)
    SigV4Auth(Credentials("AKIDUSER", "secret"), "lambda", "eu-west-1").add_auth(request)
    pieces = [b"y" * 100_000, b"y" * 299_999, sent]
    answer = Asked()("POST", INVOKE, dict(request.headers.items()) | announced, pieces)
    assert answer.status == status


def test_body_in_chunks_is_hashed_while_it_comes() -> None:
    request = AWSRequest("POST", f"http://127.0.0.1:4566{INVOKE}", data=b"[1, 2, 3]")
    SigV4Auth(Credentials("AKIDUSER", "secret"), "lambda", "eu-west-1").add_auth(request)
    headers = dict(request.headers.items()) | {"transfer-encoding": "chunked"}
    assert Asked()("POST", INVOKE, headers, [b"[1, ", b"2, ", b"3]"]).body == b"[1, 2, 3]"


def test_auth_off_takes_any_key_as_the_root_user_and_keeps_the_region() -> None:
    answer = Asked(auth="off").signed("GET", "/2015-03-31/functions", key="any", secret="any")
    assert answer.json["NextMarker"].startswith("eu-west-1 ")


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "expected"),
    [
        ("POST", INVOKE, {}, b"[1]", b"[1]"),
        ("GET", "/2015-03-31/functions", {}, b"", b"us-east-1 http"),
        (
            "GET",
            "/2015-03-31/functions",
            {"host": "lambda.eu-north-1.localhost"},
            b"",
            b"eu-north-1 http",
        ),
        (
            "POST",
            "/",
            {"content-type": "application/x-www-form-urlencoded"},
            b"Action=GetCallerIdentity&Version=2011-06-15",
            b"arn:aws:iam::000000000000:root",
        ),
        ("POST", INVOKE, {"authorization": "Bearer token"}, b"1", b"1"),
    ],
)
def test_auth_off_needs_no_signature(
    method: str, target: str, headers: dict[str, str], body: bytes, expected: bytes
) -> None:
    answer = Asked(auth="off")(method, target, headers, body)
    assert answer.status == 200
    assert expected in answer.body


def test_auth_off_still_refuses_a_region_that_cannot_be() -> None:
    header = "AWS4-HMAC-SHA256 Credential=a/20260101/local/lambda/aws4_request, "
    header += f"SignedHeaders=host, Signature={'0' * 64}"
    answer = Asked(auth="off")("GET", "/2015-03-31/functions", {"authorization": header})
    assert "valid Region, not 'local'" in answer.json["message"]


def test_streaming_body_is_decoded_without_authentication_too() -> None:
    headers = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    assert Asked(auth="off")("POST", INVOKE, headers, body).body == b"hello"


def test_path_that_nobody_serves_is_not_found() -> None:
    answer = Asked(auth="off")("GET", "/favicon.ico")
    assert answer.status == 404
    assert answer.json["__type"] == "UnknownOperationException"


# --- routes


def test_route_needs_no_signature() -> None:
    answer = Asked()("GET", "/_alonzo/health")
    assert (answer.status, answer.body) == (200, b'{"ok":true}')
    assert answer.headers["x-amzn-requestid"] == FIRST_ID


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("HEAD", "/_alonzo/health", 200),
        ("POST", "/_alonzo/health", 405),
        ("GET", "/_alonzo/healthy", 403),
        ("DELETE", "/_alonzo/code/x/y", 200),
        ("GET", "/_alonzo/code", 403),
    ],
)
def test_route_takes_its_paths_and_methods_only(method: str, target: str, status: int) -> None:
    assert Asked()(method, target).status == status


def test_streamed_answer_is_sent_piece_by_piece() -> None:
    answer = Asked()("GET", "/_alonzo/code/x")
    assert answer.body == b"one two"


def test_stream_that_fails_is_left_incomplete() -> None:
    with pytest.raises(ValueError, match="half-way"):
        Asked()("GET", "/_alonzo/code/x?fail")


# --- bodies and heads

SMALL = BodyLimits(bytes_max=100, payloads=PayloadLimits(sync_bytes_max=50, event_bytes_max=20))


@pytest.mark.parametrize("headers", [{}, {"content-length": "101"}])
def test_body_over_the_limit_names_limit_and_operation(headers: dict[str, str]) -> None:
    asked = Asked(auth="off", limits=SMALL)
    answer = asked("POST", "/2015-03-31/functions", headers, [b"x" * 60, b"x" * 41, b"never read"])
    assert answer.status == 413
    assert answer.headers["x-amzn-errortype"] == "RequestEntityTooLargeException"
    assert answer.json["message"] == (
        "Request must be smaller than 100 bytes for the CreateFunction operation"
    )
    assert asked.receives == (0 if headers else 2)


def test_payload_over_the_limit_is_refused_while_it_comes() -> None:
    answer = Asked(auth="off", limits=SMALL)("POST", INVOKE, {}, [b"x" * 40, b"x" * 40, b"x"])
    assert answer.status == 413
    assert answer.json["message"].startswith("80 byte payload is too large for the RequestResponse")


def test_answer_in_place_of_100_continue_closes_the_connection() -> None:
    headers = {"content-length": "101", "expect": "100-continue"}
    answer = Asked(auth="off", limits=SMALL)("POST", "/2015-03-31/functions", headers)
    assert answer.closes


def test_client_that_leaves_before_its_request_is_whole_gets_nothing_done() -> None:
    asked = Asked(auth="off")
    answer = asked("POST", INVOKE, {"content-length": "9"}, [b"x"], gone=True)
    assert answer.status == 0
    assert not asked.echo.calls


@pytest.mark.parametrize("host", ["", "a b", "a/b", "a@b", "a:999999", "[::1", '"'])
def test_request_without_a_valid_host_is_bad(host: str) -> None:
    assert Asked(auth="off")("GET", "/_alonzo/health", {"host": host}).status == 400


@pytest.mark.parametrize("host", ["localhost", "a.b-c:1", "[::1]:4566", "bucket_1.s3.localhost"])
def test_hosts_of_all_kinds_are_valid(host: str) -> None:
    assert Asked(auth="off")("GET", "/_alonzo/health", {"host": host}).status == 200


def test_probe_in_http_1_0_needs_no_host() -> None:
    assert Asked()("GET", "/_alonzo/health", {"host": ""}, http_version="1.0").status == 200


class Audit:
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    def wants(self, service: str, operation: str) -> bool:
        return True

    def note_nowait(self, event: AuditEvent) -> None:
        self.events.append(event)

    def turned_away_nowait(self, event: TurnedAway) -> None:
        pass


def test_the_audit_log_hears_of_invocations_that_are_served_and_that_break_a_rule() -> None:
    audit, path = Audit(), "/2015-03-31/functions/f/invocations"
    for headers, status in (({}, 200), ({"x-amz-log-type": "Loud"}, 400)):
        asked = Asked(auth="off", audit=audit)
        answer = asked("POST", path, {"content-length": "2", **headers}, b"{}")
        assert answer.status == status
    served, refused = audit.events
    assert (served.operation, served.error) == ("Invoke", None)
    assert served.params == {"FunctionName": "f", "InvocationType": "RequestResponse"}
    assert refused.error is not None
    assert (refused.operation, refused.error[0]) == ("Invoke", "ValidationException")
