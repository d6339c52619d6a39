"""Whatever clients send and functions return, there is an event, a response or a refusal."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from alonzo.edge.function_urls.address import address_of, is_url_host
from alonzo.edge.function_urls.cors import preflight_headers, with_cors
from alonzo.edge.function_urls.event import Call, render_event
from alonzo.edge.function_urls.prelude import PreludeReader, split_whole
from alonzo.edge.function_urls.result import Answer, MalformedResultError, read_result
from alonzo.edge.http1.head import Head

ID = "abcdefghijklmnopqrstuvwxyz012345"
HOST = f"{ID}.lambda-url.eu-west-1.localhost".encode()

#: What the parser of HTTP lets through: no line ends and no NUL.
VALUES = st.binary(max_size=40).map(lambda raw: re.sub(rb"[\x00\r\n]", b"", raw))
NAMES = st.from_regex(rb"[!#$%&'*+.^_`|~0-9a-z-]{1,12}", fullmatch=True) | st.sampled_from(
    [b"cookie", b"connection", b"content-type", b"x-forwarded-for", b"origin", b"host"]
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
TARGETS = st.binary(max_size=60).map(lambda raw: bytes(byte & 0x7F for byte in raw))

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
RESPONSES = st.fixed_dictionaries(
    {"statusCode": st.integers(0, 700) | JSON_VALUES},
    optional={
        "headers": st.dictionaries(st.text(max_size=20), st.text(max_size=20) | JSON_VALUES)
        | JSON_VALUES,
        "cookies": st.lists(st.text(max_size=20)) | JSON_VALUES,
        "multiValueHeaders": st.dictionaries(st.text(max_size=9), st.lists(st.text(max_size=9)))
        | JSON_VALUES,
        "body": JSON_VALUES,
        "isBase64Encoded": st.booleans() | JSON_VALUES,
    },
)
CORS = st.fixed_dictionaries(
    {},
    optional={
        "AllowOrigins": st.lists(st.text(max_size=12) | st.just("*"), max_size=3),
        "AllowMethods": st.lists(st.text(max_size=6) | st.just("*"), max_size=3),
        "AllowHeaders": st.lists(st.text(max_size=12) | st.just("*"), max_size=3),
        "ExposeHeaders": st.lists(st.text(max_size=12), max_size=3),
        "AllowCredentials": st.booleans(),
        "MaxAge": st.integers(0, 86_400),
    },
)
#: One line of a head, as RFC 9110 wants it.
LINE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+: [^\x00-\x08\x0a-\x1f\x7f]*")


def check_headers(headers: list[tuple[str, str]]) -> None:
    for name, value in headers:
        assert LINE.fullmatch(f"{name}: {value}")
        assert name not in {"content-length", "transfer-encoding", "connection"}


@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "PROPFIND"]),
    path=TARGETS,
    query=TARGETS,
    headers=HEADERS,
    body=st.binary(max_size=100),
)
def test_every_request_becomes_an_event_that_says_what_was_sent(
    method: str, path: bytes, query: bytes, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    address = address_of(HOST, b"/" + path)
    head = Head(method, b"/" + path, query, [(b"host", HOST), *headers])
    call = Call(address, head, "192.0.2.1", "id", 1.8e9, "Root=1")
    event: dict[str, Any] = json.loads(render_event(call, body))
    assert event["rawPath"].encode() == b"/" + path
    assert event["rawQueryString"].encode() == query
    assert event["requestContext"]["http"]["method"] == method
    names = {name for name, _ in parse_qsl(query.decode(), keep_blank_values=True)}
    assert names <= set(event.get("queryStringParameters", {}))
    assert "connection" not in event["headers"]
    assert "cookie" not in event["headers"]
    assert ("body" in event) == bool(body)


@given(host=st.binary(max_size=80), path=TARGETS)
def test_no_host_and_no_path_escapes_its_form(host: bytes, path: bytes) -> None:
    if is_url_host(host):
        assert address_of(host, b"/" + path).path == b"/" + path
    below = address_of(b"localhost", b"/_alonzo/lambda-url/" + path)
    assert below.path.startswith(b"/")
    assert "/" not in below.url_id


@given(payload=st.binary(max_size=200) | JSON_VALUES.map(lambda v: json.dumps(v).encode()))
def test_every_payload_is_an_answer_or_a_refusal(payload: bytes) -> None:
    with suppress(MalformedResultError):
        answer = split_whole(payload) or read_result(payload)
        assert 200 <= answer.status <= 599
        check_headers(answer.headers)


@given(document=RESPONSES)
def test_every_response_is_one_that_can_be_sent_or_is_refused(document: dict[str, Any]) -> None:
    with suppress(MalformedResultError):
        answer: Answer = read_result(json.dumps(document).encode())
        if answer.headers != [("content-type", "application/octet-stream")]:
            assert answer.status == int(document["statusCode"])
        check_headers(answer.headers)


@given(
    prelude=RESPONSES.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=60),
    body=st.binary(max_size=60),
    cuts=st.lists(st.integers(1, 40), max_size=20),
)
def test_a_prelude_means_the_same_however_it_is_cut(
    prelude: bytes, body: bytes, cuts: list[int]
) -> None:
    whole = prelude + bytes(8) + body
    results: list[Any] = []
    for sizes in (cuts, [len(whole)]):
        reader, rest, found = PreludeReader(), whole, None
        try:
            for size in [*sizes, len(whole)]:
                found = reader.feed(rest[:size])
                rest = rest[size:]
                if found is not None or not rest:
                    break
            assert found is not None
            results.append((found[0], found[1] + rest))
        except MalformedResultError:
            results.append(None)
    assert results[0] == results[1]


@given(cors=CORS, headers=HEADERS)
def test_cors_says_nothing_that_could_end_a_line(
    cors: dict[str, Any], headers: list[tuple[bytes, bytes]]
) -> None:
    head = Head("OPTIONS", b"/", b"", headers)
    found = preflight_headers(cors, head)
    check_headers(found)
    check_headers(with_cors(cors, head, [("x", "y"), ("access-control-allow-origin", "*")]))
    allowed = dict(found).get("access-control-allow-origin")
    if allowed is not None and "*" not in cors["AllowOrigins"]:
        origin = head.fields[b"origin"].decode("latin-1")
        assert allowed == origin
        assert origin in {each.lower().rstrip("/") for each in cors["AllowOrigins"]} | set(
            cors["AllowOrigins"]
        )
