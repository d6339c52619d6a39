"""Whatever bytes come in, a codec gives an operation or an ``AwsError`` that it can render."""

from __future__ import annotations

import random
from typing import Any

import cbor2
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alonzo.edge.protocols import codec_for
from alonzo.model.errors import AwsError
from alonzo.model.http import HttpRequest

FORM = (b"content-type", b"application/x-www-form-urlencoded")

#: Service, then a request that is right: method, path, query, headers, body.
RIGHT: list[tuple[str, str, bytes, bytes, tuple[tuple[bytes, bytes], ...], bytes]] = [
    (
        "lambda",
        "POST",
        b"/2015-03-31/functions",
        b"",
        (),
        b'{"FunctionName":"f","Role":"arn:aws:iam::000000000000:role/r","Code":{"ZipFile":"AAAA"},'
        b'"Environment":{"Variables":{"A":"b"}},"Timeout":3,"Layers":["x"],"Publish":true}',
    ),
    (
        "lambda",
        "GET",
        b"/2025-12-01/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Afunction%3Af"
        b"/durable-executions",
        b"Statuses=RUNNING&StartedAfter=2026-01-01T00:00:00Z&MaxItems=5&ReverseOrder=true",
        (),
        b"",
    ),
    (
        "lambda",
        "POST",
        b"/2015-03-31/functions/f/invocations",
        b"Qualifier=1",
        ((b"x-amz-invocation-type", b"Event"), (b"x-amz-client-context", b"e30=")),
        b"{}",
    ),
    (
        "dynamodb",
        "POST",
        b"/",
        b"",
        ((b"x-amz-target", b"DynamoDB_20120810.PutItem"),),
        b'{"TableName":"abc","Item":{"a":{"M":{"b":{"L":[{"N":"1"},{"B":"AAAA"}]}}}}}',
    ),
    (
        "sqs",
        "POST",
        b"/",
        b"",
        (FORM,),
        b"Action=SendMessage&QueueUrl=u&MessageBody=b&MessageAttribute.1.Name=a"
        b"&MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=AAAA",
    ),
    (
        "iam",
        "POST",
        b"/",
        b"",
        (FORM,),
        b"Action=CreateRole&RoleName=r&AssumeRolePolicyDocument=%7B%7D&MaxSessionDuration=3600"
        b"&Tags.member.1.Key=a&Tags.member.1.Value=b",
    ),
    (
        "s3",
        "PUT",
        b"/bucket",
        b"lifecycle",
        ((b"x-amz-sdk-checksum-algorithm", b"SHA256"),),
        b'<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><ID>a</ID>'
        b"<Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
        b"<Status>Enabled</Status><Expiration><Date>2026-01-01T00:00:00Z</Date></Expiration></Rule>"
        b"</LifecycleConfiguration>",
    ),
    (
        "cloudwatch",
        "POST",
        b"/service/GraniteServiceVersion20100801/operation/PutMetricData",
        b"",
        ((b"smithy-protocol", b"rpc-v2-cbor"),),
        cbor2.dumps({"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5}]}),
    ),
]
NAMES = [f"{case[0]}-{index}" for index, case in enumerate(RIGHT)]
JUNK: list[Any] = [
    None, True, 0, -1, 1 << 62, 1.5, "", "x" * 3000, [], {}, [[]], [None], {"": None},
    {"a": {"b": []}},
]  # fmt: skip


def check(service: str, request: HttpRequest) -> AwsError | None:
    """Parse; what is refused must render. Returns the refusal."""
    codec = codec_for(service, request)
    try:
        operation, params = codec.parse(request)
    except AwsError as error:
        response = codec.render_error(error, "request-1", None)
        assert 400 <= response.status < 500
        assert isinstance(response.body, bytes)
        return error
    assert operation.name
    assert isinstance(params, dict)
    return None


@pytest.mark.parametrize("case", RIGHT, ids=NAMES)
def test_the_untouched_requests_are_right(case: Any) -> None:
    service, *parts = case
    error = check(service, HttpRequest(*parts, ""))
    assert error is None or "validation error" in error.message


@pytest.mark.parametrize("case", RIGHT, ids=NAMES)
@given(body=st.binary(max_size=200), query=st.binary(max_size=60))
def test_random_bodies_and_queries_are_read_or_refused(
    case: Any, body: bytes, query: bytes
) -> None:
    service, method, path, right_query, headers, right_body = case
    check(service, HttpRequest(method, path, right_query, headers, body, ""))
    check(service, HttpRequest(method, path, query, headers, right_body, ""))


@pytest.mark.parametrize("case", RIGHT, ids=NAMES)
@given(path=st.binary(max_size=60), value=st.binary(max_size=60))
def test_random_paths_and_headers_are_read_or_refused(case: Any, path: bytes, value: bytes) -> None:
    service, method, right_path, query, headers, body = case
    check(service, HttpRequest(method, b"/" + path, query, headers, body, ""))
    for index, (name, _) in enumerate(headers):
        changed = (*headers[:index], (name, value), *headers[index + 1 :])
        check(service, HttpRequest(method, right_path, query, changed, body, ""))


@pytest.mark.parametrize("case", RIGHT, ids=NAMES)
@settings(max_examples=20)
@given(seed=st.integers(0, 1 << 30))
def test_a_right_request_with_a_few_bytes_changed_is_read_or_refused(case: Any, seed: int) -> None:
    pick = random.Random(seed)
    service, method, path, query, headers, body = case
    for _ in range(20):
        parts = [bytearray(path), bytearray(query), bytearray(body)]
        for _ in range(pick.randint(1, 4)):
            part = pick.choice([part for part in parts if part])
            at = pick.randrange(len(part))
            change = pick.choice(["flip", "drop", "double"])
            if change == "flip":
                part[at] = pick.randrange(256)
            else:
                part[at : at + 3] = b"" if change == "drop" else part[at : at + 3] * 2
        check(service, HttpRequest(method, *map(bytes, parts[:2]), headers, bytes(parts[2]), ""))


def positions(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a document that holds a value."""
    found: list[tuple[Any, Any]] = []
    entries = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    for key, value in entries:
        found.append((tree, key))
        found += positions(value)
    return found


@pytest.mark.parametrize("index", [0, 3, 7])
@given(seed=st.integers(0, 1 << 30))
def test_a_wrong_type_anywhere_in_a_document_is_read_or_refused(index: int, seed: int) -> None:
    pick = random.Random(seed)
    service, method, path, query, headers, body = RIGHT[index]
    is_cbor = service == "cloudwatch"
    for _ in range(5):
        document = cbor2.loads(body) if is_cbor else orjson.loads(body)
        parent, key = pick.choice(positions(document))
        parent[key] = pick.choice([*JUNK, b"\xff", float("nan")] if is_cbor else JUNK)
        changed = cbor2.dumps(document) if is_cbor else orjson.dumps(document)
        check(service, HttpRequest(method, path, query, headers, changed, ""))


def nested(opening: bytes, closing: bytes) -> bytes:
    return opening * 5000 + closing * 5000


BOMBS: list[tuple[int, bytes]] = [
    (3, nested(b"[", b"]")),
    (3, nested(b'{"a":', b"}")),
    (
        3,
        b'{"TableName":"abc","Item":{"a":'
        + b'{"M":{"a":' * 490
        + b'{"N":"1"}'
        + b"}}" * 490
        + b"}}",
    ),
    (3, b'{"TableName":1e999}'),
    (3, b'{"TableName":' + b"9" * 5000 + b"}"),
    (3, b'{"TableName":"\\ud800"}'),
    (0, b'{"Timeout":1' + b"0" * 400 + b"}"),
    (0, b'{"Code":{"ZipFile":"@@@"}}'),
    (4, b"Action=SendMessage&" + b"a." * 5000 + b"=1"),
    (4, b"Action=SendMessage&QueueUrl=a&QueueUrl.b=c"),
    (4, b"Action=SendMessage&" + b"&".join(b"a%d=1" % n for n in range(60_000))),
    (4, b"Action=SendMessage&QueueUrl=%ff"),
    (5, b"Action=CreateRole&Tags.member.99999999999999999999.Key=a"),
    (5, b"Action=CreateRole&Tags.member.x.Key=a"),
    (5, b"Action=CreateRole&MaxSessionDuration=" + b"9" * 5000),
    (6, b"<a>" * 5000 + b"</a>" * 5000),
    (6, b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><a>&d;</a>'),
    (6, b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'),
    (6, b'<?xml version="1.0" encoding="made-up"?><a/>'),
    (6, b'<?xml version="1.0" encoding="utf-16"?><a/>'),
    (6, b"<a/><b/>"),
    (7, b"\x81" * 5000),
    (7, b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"),
    (7, b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    (7, b"\xd8\x1c\x81\xd8\x1d\x00"),
    (7, b"\xc4\x82\x1a\x7f\xff\xff\xff\x01"),
    (7, b"\xd8\x23a("),
    (7, b"\xa1\xf9\x7e\x00\x01"),
]


@pytest.mark.parametrize(("index", "body"), BOMBS)
def test_bombs_are_refused(index: int, body: bytes) -> None:
    service, method, path, query, headers, _ = RIGHT[index]
    assert check(service, HttpRequest(method, path, query, headers, body, "")) is not None


@given(
    text=st.one_of(st.text(max_size=40), st.integers().map(str), st.floats().map(str)),
)
@example("1e400")
@example("-99999999999999999")
@example("9999-12-31T23:59:59-23:59")
@example("0001-01-01T00:00:00+23:59")
@example("Thu, 99 Foo 99999 99:99:99 GMT")
def test_any_timestamp_is_read_or_refused(text: str) -> None:
    encoded = "".join(f"%{byte:02x}" for byte in text.encode(errors="replace")).encode()
    service, method, path, _, headers, body = RIGHT[1]
    check(service, HttpRequest(method, path, b"StartedAfter=" + encoded, headers, body, ""))


def test_a_gzip_bomb_is_refused() -> None:
    import gzip

    service, method, path, query, headers, _ = RIGHT[7]
    packed = gzip.compress(b"\0" * (33 << 20), compresslevel=1)
    gzipped = (*headers, (b"content-encoding", b"gzip"))
    error = check(service, HttpRequest(method, path, query, gzipped, packed, ""))
    assert error is not None
    assert "too long" in error.message
