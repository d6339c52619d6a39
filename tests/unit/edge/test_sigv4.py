"""The verifier against botocore's own signers, and against requests changed after signing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from alonzo.edge.http1.head import Head, fold_headers, trim
from alonzo.edge.sigv4.canonical import canonical_path, canonical_query
from alonzo.edge.sigv4.claim import Claim, read_claim
from alonzo.edge.sigv4.refusals import AuthFailure, Refusal, refuse
from alonzo.edge.sigv4.verify import Verifier, signs_body
from alonzo.lib.clock import ManualClock
from alonzo.model.context import Principal
from alonzo.model.http import HttpRequest
from alonzo.model.ports.identity import AccessKey

# A whole second: timestamps have no fraction.
NOW = datetime.now(UTC).replace(microsecond=0)
NOW_S = NOW.timestamp()
HOST = "127.0.0.1:4566"
PRINCIPAL = Principal("000000000000", "arn:aws:iam::000000000000:user/u", "AIDA", "AKIDUSER")


class TwoKeys:
    """A long-lived key, and a session that ends in ten minutes."""

    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        match access_key_id, session_token:
            case "AKIDUSER", None:
                return AccessKey("AKIDUSER", "secret", PRINCIPAL)
            case "ASIASESSION", "to+ken/=":
                return AccessKey("ASIASESSION", "other", PRINCIPAL, "to+ken/=", NOW_S + 600)
            case _:
                return None


USER = Credentials("AKIDUSER", "secret")
SESSION = Credentials("ASIASESSION", "other", "to+ken/=")


def sign(
    method: str = "POST",
    target: str = "/2015-03-31/functions/f/invocations",
    *,
    signer: type[auth.BaseSigner] = auth.SigV4Auth,
    service: str = "lambda",
    credentials: Credentials = USER,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> HttpRequest:
    """A request as botocore signs it, in the form that the edge reads."""
    request = AWSRequest(method, f"http://{HOST}{target}", data=body, headers=headers or {})
    signer(credentials, service, "eu-west-1").add_auth(request)
    url = urlsplit(request.url)
    pairs = [(b"host", HOST.encode())]
    pairs += [
        (name.lower().encode(), value.encode() if isinstance(value, str) else value)
        for name, value in request.headers.items()
    ]
    return HttpRequest(
        method, url.path.encode(), url.query.encode(), tuple(pairs), body, "127.0.0.1"
    )


@pytest.fixture(autouse=True)
def botocore_signs_at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite may take minutes from the import of this file to its last test."""
    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOW)


def check(request: HttpRequest, now_s: float = NOW_S) -> Claim:
    head = Head.of(request)
    claim = read_claim(head)
    if claim is None:
        raise AuthFailure(Refusal.MISSING)
    verifier = Verifier(TwoKeys(), ManualClock(now_s))
    verifier.verify(head, request.body, claim, verifier.find_key(claim))
    return claim


def refusal(request: HttpRequest, now_s: float = NOW_S) -> AuthFailure:
    with pytest.raises(AuthFailure) as caught:
        check(request, now_s)
    return caught.value


def with_header(request: HttpRequest, name: bytes, value: bytes | None) -> HttpRequest:
    kept = tuple(pair for pair in request.headers if pair[0] != name)
    return replace(request, headers=kept if value is None else (*kept, (name, value)))


TARGETS = [
    "/",
    "/2015-03-31/functions/",
    "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af/invocations",
    "/2025-12-01/durable-executions/a%3A%24LATEST%2Fx%2Fy/checkpoint",
    "/x?Qualifier=%24LATEST",
    "/x?b=2&a=1&a=0&a",
    "/x?find=LayerVersion&Arn=arn%3Aaws%3Alambda",
    "/x?a-b=1&a=2&a.c=3",
    "/x?q=%E2%82%AC%20%2B~-_.",
    "/2017-03-31/tags/r?tagKeys=b&tagKeys=a",
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("body", [b"", b'{"a": "\xe2\x82\xac"}'])
@pytest.mark.parametrize("credentials", [USER, SESSION])
def test_botocore_header_signature_verifies(
    target: str, body: bytes, credentials: Credentials
) -> None:
    headers = {"X-Amz-Log-Type": "Tail", "X-Odd": "  two   blanks ", "Content-Type": "text/plain"}
    claim = check(sign(target=target, body=body, credentials=credentials, headers=headers))
    assert (claim.region, claim.service) == ("eu-west-1", "lambda")


@pytest.mark.parametrize("target", TARGETS[:1] + TARGETS[4:5])
@pytest.mark.parametrize("credentials", [USER, SESSION])
def test_botocore_presigned_url_verifies(target: str, credentials: Credentials) -> None:
    request = sign("GET", target, signer=auth.SigV4QueryAuth, credentials=credentials)
    assert check(request).expires_s == 3600


@pytest.mark.parametrize("path", ["/b/k", "/b/a%20b/../c//d", "/b/%C3%A9%2B%28x%29%27", "/b/k?acl"])
def test_botocore_s3_signature_verifies(path: str) -> None:
    check(sign("PUT", path, signer=auth.S3SigV4Auth, service="s3", body=b"data"))


@pytest.mark.parametrize(
    "path", ["/b/k", "/b/%C3%A9%2B%28x%29", "/b/k?response-content-type=a%2Fb"]
)
def test_botocore_s3_presigned_url_verifies_with_any_body(path: str) -> None:
    request = sign("PUT", path, signer=auth.S3SigV4QueryAuth, service="s3")
    check(replace(request, body=b"whatever"))


def test_unsigned_payload_verifies_with_any_body_if_the_header_is_signed() -> None:
    headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    request = sign(headers=headers, body=b"one")
    check(replace(request, body=b"two"))
    assert not signs_body(Head.of(request))


def test_declared_payload_hash_must_be_that_of_the_body() -> None:
    request = sign("PUT", "/b/k", signer=auth.S3SigV4Auth, service="s3", body=b"data")
    assert refusal(replace(request, body=b"date")).refusal is Refusal.MISMATCH


def test_header_in_another_order_of_fields_verifies() -> None:
    request = sign()
    text = (request.header(b"authorization") or b"").removeprefix(b"AWS4-HMAC-SHA256 ")
    shuffled = b"AWS4-HMAC-SHA256 " + b",".join(reversed(text.split(b", ")))
    check(with_header(request, b"authorization", shuffled))


# --- refusals


def test_wrong_secret_has_the_full_text_of_aws() -> None:
    failure = refusal(sign(credentials=Credentials("AKIDUSER", "wrong")))
    error = refuse(failure, "rest-json")
    assert (error.code, error.status) == ("InvalidSignatureException", 403)
    assert error.message == (
        "The request signature we calculated does not match the signature you provided. Check "
        "your AWS Secret Access Key and signing method. Consult the service documentation for "
        "details."
    )


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials("AKIDNOBODY", "secret"),
        Credentials("AKIDUSER", "secret", "token"),
        Credentials("ASIASESSION", "other"),
        Credentials("ASIASESSION", "other", "another"),
    ],
)
def test_unknown_key_or_token_is_an_invalid_security_token(credentials: Credentials) -> None:
    failure = refusal(sign(credentials=credentials))
    assert failure.refusal is Refusal.UNKNOWN_KEY
    assert failure.text == "The security token included in the request is invalid."


def test_session_that_is_over_is_expired() -> None:
    failure = refusal(sign(credentials=SESSION), NOW_S + 600)
    assert failure.refusal is Refusal.EXPIRED_TOKEN
    assert failure.text == "The security token included in the request is expired"


@pytest.mark.parametrize(("offset_s", "word"), [(930, "expired"), (-930, "not yet current")])
def test_clock_off_by_more_than_a_quarter_of_an_hour_is_told(offset_s: int, word: str) -> None:
    failure = refusal(sign(), NOW_S + offset_s)
    assert failure.refusal is Refusal.MISMATCH
    assert failure.text.startswith(f"Signature {word}: ")
    assert "15 min.)" in failure.text


@pytest.mark.parametrize("offset_s", [880, -880])
def test_clock_off_by_less_than_a_quarter_of_an_hour_is_fine(offset_s: int) -> None:
    check(sign(), NOW_S + offset_s)


def test_presigned_url_lives_as_long_as_it_says() -> None:
    request = sign("GET", "/", signer=auth.SigV4QueryAuth)
    check(request, NOW_S + 3500)
    assert refusal(request, NOW_S + 3700).refusal is Refusal.EXPIRED_REQUEST


def test_presigned_url_for_more_than_a_week_is_refused() -> None:
    request = sign("GET", "/", signer=auth.SigV4QueryAuth)
    query = request.query.replace(b"X-Amz-Expires=3600", b"X-Amz-Expires=604801")
    assert refusal(replace(request, query=query)).refusal is Refusal.INCOMPLETE


def test_header_beside_a_presigned_url_is_refused() -> None:
    request = sign("GET", "/", signer=auth.SigV4QueryAuth)
    both = replace(request, headers=request.headers + sign().headers)
    assert refusal(both).refusal is Refusal.INCOMPLETE


def test_unsigned_host_is_refused() -> None:
    request = sign()
    text = (request.header(b"authorization") or b"").replace(b"=host;", b"=")
    failure = refusal(with_header(request, b"authorization", text))
    assert failure.text.startswith("'Host' or ':authority' must be")


def test_added_x_amz_header_is_refused() -> None:
    failure = refusal(with_header(sign(), b"x-amz-log-type", b"Tail"))
    assert failure.text.endswith("not signed: x-amz-log-type")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"AWS4-ECDSA-P256-SHA256 Credential=a/b", "SigV4a"),
        (b"AWS4-HMAC-SHA1 Credential=a/b", "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."),
        (b"Bearer abc", "Unsupported AWS 'algorithm': 'Bearer'."),
        (b"AWS4-HMAC-SHA256", "Authorization header requires 'Credential' parameter."),
        (b"AWS4-HMAC-SHA256 Credential=a", "requires 'Signature' parameter."),
        (b"AWS4-HMAC-SHA256 Credential", "missing equal-sign"),
        (
            b"AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=s",
            "exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c'",
        ),
    ],
)
def test_malformed_authorization_is_an_incomplete_signature(header: bytes, text: str) -> None:
    failure = refusal(with_header(sign(), b"authorization", header))
    assert text in failure.text
    assert refuse(failure, "rest-json").status == 400
    assert refuse(failure, "rest-json").code == "IncompleteSignatureException"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"eu-west-1", b"../../etc", "exactly 5"),
        (b"eu-west-1", b"nowhere", "Credential should be scoped to a valid Region, not 'nowhere'."),
        (b"aws4_request", b"aws5_request", "'aws4_request', not 'aws5_request'"),
        (b"AKIDUSER/2", b"AKIDUSER/1", "Date in Credential scope does not match YYYYMMDD"),
    ],
)
def test_wrong_scope_is_told(old: bytes, new: bytes, text: str) -> None:
    request = sign()
    header = (request.header(b"authorization") or b"").replace(old, new)
    assert text in refusal(with_header(request, b"authorization", header)).text


@pytest.mark.parametrize("date", [b"yesterday", b"2026-01-01T00:00:00Z", b"20269999T999999Z"])
def test_date_in_another_form_is_told(date: bytes) -> None:
    failure = refusal(with_header(sign(), b"x-amz-date", date))
    assert failure.text.startswith("Date must be in ISO-8601 'basic format'. Got '")


def test_request_without_a_date_is_incomplete() -> None:
    failure = refusal(with_header(sign(), b"x-amz-date", None))
    assert "either a 'X-Amz-Date' or a 'Date' header" in failure.text


@pytest.mark.parametrize(
    ("protocol", "codes"),
    [
        ("rest-json", "MissingAuthenticationTokenException 403"),
        ("json", "MissingAuthenticationTokenException 400"),
        ("query", "MissingAuthenticationToken 403"),
        ("rest-xml", "MissingAuthenticationToken 403"),
    ],
)
def test_missing_token_has_the_code_of_the_protocol(protocol: str, codes: str) -> None:
    error = refuse(AuthFailure(Refusal.MISSING), protocol)
    assert f"{error.code} {error.status}" == codes


# --- properties

BASE = sign(
    target="/2015-03-31/functions/f%3A1/invocations?Qualifier=live&x=1",
    headers={"X-Amz-Log-Type": "Tail", "Content-Type": "application/json"},
    body=b'{"key": "value"}',
)
PRESIGNED = sign("GET", "/a/b?c=d", signer=auth.SigV4QueryAuth)


def flip(text: bytes, at: int, to: int) -> bytes:
    at %= len(text)
    return text[:at] + bytes([to]) + text[at + 1 :]


def meaning(request: HttpRequest) -> object:
    """What is left of a request when the differences that mean nothing are gone."""
    try:
        claim = read_claim(Head.of(request))
    except AuthFailure as failure:
        claim = failure
    return (
        claim,
        request.method,
        canonical_path(request.raw_path, service="lambda"),
        canonical_query(request.query),
        sorted(
            (name, trim(value))
            for name, value in fold_headers(request.headers).items()
            if name != b"authorization"
        ),
        request.body,
    )


@settings(max_examples=400, deadline=None)
@given(
    base=st.sampled_from([BASE, PRESIGNED]),
    part=st.sampled_from(["raw_path", "query", "body", "header", "method"]),
    at=st.integers(0, 10_000),
    to=st.integers(0x21, 0x7E),
)
def test_any_change_of_one_byte_is_refused(base: HttpRequest, part: str, at: int, to: int) -> None:
    if part == "method":
        changed = replace(base, method="PUT")
    elif part == "header":
        index = at % len(base.headers)
        name, value = base.headers[index]
        headers = list(base.headers)
        headers[index] = (name, flip(value, at // 7, to))
        changed = replace(base, headers=tuple(headers))
    else:
        text: bytes = getattr(base, part) or b"-"
        changed = replace(base, **{part: flip(text, at, to)})
    if meaning(changed) == meaning(base):
        check(changed)
    else:
        refusal(changed)


@settings(max_examples=200, deadline=None)
@given(
    header=st.binary(max_size=200).map(lambda tail: b"AWS4-HMAC-SHA256 " + tail)
    | st.binary(max_size=100),
    query=st.binary(max_size=100) | st.just(b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=\xb2"),
    date=st.binary(max_size=20) | st.text(alphabet="0123456789TZ", max_size=17).map(str.encode),
)
def test_any_bytes_are_refused_by_name(header: bytes, query: bytes, date: bytes) -> None:
    request = with_header(with_header(sign(), b"authorization", header), b"x-amz-date", date)
    refusal(replace(request, query=query))
    refusal(replace(PRESIGNED, query=query))
    refusal(replace(PRESIGNED, query=PRESIGNED.query + b"&" + query + b"&x"))


def test_all_header_names_that_aws_reserves_must_be_signed_even_in_presigned_urls() -> None:
    assert refusal(with_header(PRESIGNED, b"x-amz-acl", b"public-read")).text.endswith("x-amz-acl")


def test_verifier_is_free_of_the_event_loop() -> None:
    # It runs in threads, too.
    async def main() -> None:
        await asyncio.to_thread(check, BASE)

    asyncio.run(main())
