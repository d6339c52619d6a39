"""What a function's answer means as HTTP, and what it must not mean."""

import json

import pytest

from alonzo.edge.function_urls.prelude import (
    CONTENT_TYPE,
    PRELUDE_BYTES_MAX,
    PreludeReader,
    is_announced,
    plain_head,
    split_whole,
)
from alonzo.edge.function_urls.refusals import not_invoked
from alonzo.edge.function_urls.result import Answer, MalformedResultError, read_result
from alonzo.model.errors import AwsError

JSON = ("content-type", "application/json")
NULS = bytes(8)


def read(value):
    return read_result(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        (b'"hello"', b"hello"),
        (b"3", b"3"),
        (b"3.10", b"3.10"),
        (b"true", b"true"),
        (b"null", b"null"),
        (b'["hello", 3, true]', b'["hello", 3, true]'),
        (b'{"a": 1}', b'{"a": 1}'),
        (b'{"body": "x", "headers": {"a": "b"}}', b'{"body": "x", "headers": {"a": "b"}}'),
    ],
)
def test_what_is_no_response_is_the_body_of_one(payload, body):
    assert read_result(payload) == Answer(200, [JSON], body)


def test_what_is_no_json_is_sent_as_it_is():
    answer = Answer(200, [("content-type", "application/octet-stream")], b"plain \xff")
    assert read_result(b"plain \xff") == answer


def test_a_response_has_its_status_headers_cookies_and_body():
    answer = read(
        {
            "statusCode": 201,
            "headers": {"X-One": "1", "Content-Type": "text/html", "x-int": 5, "x-not": None},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "<p>é</p>",
            "isBase64Encoded": False,
        }
    )
    assert answer.status == 201
    assert answer.headers == [
        ("x-one", "1"),
        ("content-type", "text/html"),
        ("x-int", "5"),
        ("set-cookie", "a=1; Secure"),
        ("set-cookie", "b=2"),
    ]
    assert answer.body == "<p>é</p>".encode()


@pytest.mark.parametrize(
    ("members", "body"),
    [
        ({"body": {"a": 1}}, b'{"a":1}'),
        ({"body": [1]}, b"[1]"),
        ({"body": 0}, b"0"),
        ({"body": None}, b""),
        ({}, b""),
        ({"body": "/wA=", "isBase64Encoded": True}, b"\xff\x00"),
        ({"body": "/wA=", "isBase64Encoded": "true"}, b"/wA="),
    ],
)
def test_bodies_of_every_kind(members, body):
    assert read({"statusCode": 200, **members}) == Answer(200, [JSON], body)


@pytest.mark.parametrize("status", ["418", 418, 418.0])
def test_a_status_may_be_written_in_several_ways(status):
    assert read({"statusCode": status}).status == 418


@pytest.mark.parametrize(
    "document",
    [
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": "abc"},
        {"statusCode": 200.5},
        {"statusCode": 99},
        {"statusCode": 100},
        {"statusCode": 101},
        {"statusCode": 199},
        {"statusCode": 600},
        {"statusCode": -200},
        {"statusCode": {}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": "a: b"},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"": "c"}},
        {"statusCode": 200, "headers": {"é": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nset-cookie: c"}},
        {"statusCode": 200, "headers": {"a": "b\nc"}},
        {"statusCode": 200, "headers": {"a": "\x00"}},
        {"statusCode": 200, "headers": {"a:b": "c"}},
        {"statusCode": 200, "headers": {"a\r\nb": "c"}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "cookies": ["a=1\r\nx: y"]},
        {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
        {"statusCode": 200, "body": "é", "isBase64Encoded": True},
    ],
)
def test_what_means_to_be_a_response_and_is_none_is_refused(document):
    with pytest.raises(MalformedResultError):
        read(document)


@pytest.mark.parametrize(
    "name",
    [
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Upgrade",
        "Trailer",
        "x-amzn-RequestId",
        "X-Amzn-Trace-Id",
    ],
)
def test_a_function_does_not_say_what_is_ours_to_say(name):
    answer = read({"statusCode": 200, "headers": {name: "1"}})
    assert answer.headers == [JSON]


def test_a_challenge_goes_by_another_name_as_on_aws():
    answer = read({"statusCode": 401, "headers": {"WWW-Authenticate": "Basic"}})
    assert ("x-amzn-remapped-www-authenticate", "Basic") in answer.headers


def test_a_throttle_is_passed_on_and_other_refusals_are_not():
    throttle = AwsError(
        "TooManyRequestsException",
        "Rate Exceeded.",
        members={"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User"},
        headers={"Retry-After": "1"},
    )
    answer = not_invoked(throttle)
    assert answer.status == 429
    assert ("retry-after", "1") in answer.headers
    assert json.loads(answer.body) == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }
    for code in ("ResourceNotFoundException", "InvalidRuntimeException", "ServiceException"):
        other = not_invoked(AwsError(code, "secret"))
        assert (other.status, other.body) == (502, b"Internal Server Error")


# --- preludes


HEAD = {"statusCode": 201, "headers": {"X-A": "1"}, "cookies": ["a=1"]}


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 1000])
def test_a_prelude_is_found_however_it_is_cut(size):
    whole = json.dumps(HEAD).encode() + NULS + b"\x00body" + NULS
    reader = PreludeReader()
    for at in range(0, len(whole), size):
        found = reader.feed(whole[at : at + size])
        if found is not None:
            answer, body = found
            body += whole[at + size :]
            break
    assert answer.status == 201
    assert answer.headers == [
        ("x-a", "1"),
        ("set-cookie", "a=1"),
        ("content-type", "application/octet-stream"),
    ]
    assert body == b"\x00body" + NULS


def test_a_prelude_may_leave_everything_out_and_repeat_headers():
    assert PreludeReader().feed(b"{}" + NULS)[0].status == 200
    document = {"multiValueHeaders": {"x": ["1", "2"]}, "headers": {"content-type": "text/x"}}
    answer, _ = PreludeReader().feed(json.dumps(document).encode() + NULS)
    assert answer.headers == [("content-type", "text/x"), ("x", "1"), ("x", "2")]


@pytest.mark.parametrize(
    "prelude", [b"", b"x", b"[]", b'"a"', b'{"statusCode": 1}', b'{"headers": {"a": "\\r\\n"}}']
)
def test_a_prelude_that_is_none_is_refused(prelude):
    with pytest.raises(MalformedResultError):
        PreludeReader().feed(prelude + NULS)


def test_a_prelude_without_an_end_is_refused_at_the_bound():
    reader = PreludeReader()
    assert reader.feed(b" " * PRELUDE_BYTES_MAX) is None
    assert reader.feed(b" " * 7) is None
    with pytest.raises(MalformedResultError):
        reader.feed(b" ")


def test_a_prelude_as_long_as_the_bound_is_read():
    text = b'{"a": "' + b"x" * (PRELUDE_BYTES_MAX - 9) + b'"}'
    assert len(text) == PRELUDE_BYTES_MAX
    assert PreludeReader().feed(text + NULS) is not None


def test_an_answer_that_was_gathered_is_split():
    whole = json.dumps(HEAD).encode() + NULS + b"body"
    answer = split_whole(whole)
    assert (answer.status, answer.body) == (201, b"body")
    assert split_whole(b'{"statusCode": 201}') is None
    assert split_whole(b"text" + NULS) is None


def test_the_content_type_announces_a_prelude():
    assert is_announced(CONTENT_TYPE)
    assert is_announced(f"{CONTENT_TYPE.upper()}; x=y")
    assert not is_announced(None)
    assert not is_announced("text/plain")


def test_without_a_prelude_the_function_s_content_type_is_kept_if_it_can_be():
    assert plain_head("text/html").headers == [("content-type", "text/html")]
    for unfit in (None, "", "a\r\nb: c"):
        assert plain_head(unfit).headers == [("content-type", "application/octet-stream")]
