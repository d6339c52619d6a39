"""Where a request to a function URL goes, and the event that it becomes."""

import base64
import json

import pytest

from alonzo.edge.function_urls.address import address_of, is_url_host
from alonzo.edge.function_urls.event import Call, render_event
from alonzo.edge.http1.head import Head
from alonzo.model.context import Principal

ID = "abcdefghijklmnopqrstuvwxyz012345"
HOST = f"{ID}.lambda-url.eu-west-1.localhost:4566".encode()
ROLE = Principal(
    "111122223333", "arn:aws:sts::111122223333:assumed-role/r/s", "AROAEXAMPLE:s", "ASIAEXAMPLE"
)


def call_of(method="GET", path=b"/", query=b"", headers=(), **members):
    pairs = [(b"host", HOST), *headers]
    call = Call(
        address=address_of(HOST, path),
        head=Head(method, path, query, pairs),
        source_ip="192.0.2.7",
        request_id="id-1",
        now_s=1_795_168_800.25,
        trace_header="Root=1-6b000000-000000000000000000000000",
    )
    for name, value in members.items():
        object.__setattr__(call, name, value)
    return call


def event_of(body=b"", **members):
    return json.loads(render_event(call_of(**members), body))


def test_a_plain_request_has_every_member_and_nothing_that_it_lacks():
    event = event_of(path=b"/a/b", headers=[(b"user-agent", b"curl/8"), (b"accept", b"*/*")])
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/a/b",
        "rawQueryString": "",
        "headers": {
            "host": HOST.decode(),
            "user-agent": "curl/8",
            "accept": "*/*",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-proto": "http",
            "x-forwarded-port": "4566",
            "x-amzn-trace-id": "Root=1-6b000000-000000000000000000000000",
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": ID,
            "domainName": f"{ID}.lambda-url.eu-west-1.localhost",
            "domainPrefix": ID,
            "http": {
                "method": "GET",
                "path": "/a/b",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "curl/8",
            },
            "requestId": "id-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "20/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1_795_168_800_250,
        },
        "isBase64Encoded": False,
    }


def test_a_signed_caller_is_named():
    context = event_of(caller=ROLE)["requestContext"]
    assert context["accountId"] == "111122223333"
    assert context["authentication"] is None
    assert context["authorizer"] == {
        "iam": {
            "accessKey": "ASIAEXAMPLE",
            "accountId": "111122223333",
            "callerId": "AROAEXAMPLE:s",
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": "arn:aws:sts::111122223333:assumed-role/r/s",
            "userId": "AROAEXAMPLE:s",
        }
    }


def test_paths_and_queries_keep_their_encoding_and_parameters_lose_it():
    event = event_of(path=b"/a%2Fb//%C3%A9", query=b"q=1&q=2&e=%C3%A9+%2B&empty&=x&&a%3Db=c=d")
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == "/a%2Fb//%C3%A9"
    assert event["rawQueryString"] == "q=1&q=2&e=%C3%A9+%2B&empty&=x&&a%3Db=c=d"
    assert event["queryStringParameters"] == {
        "q": "1,2",
        "e": "é +",
        "empty": "",
        "": "x",
        "a=b": "c=d",
    }


def test_headers_are_joined_and_cookies_stand_apart():
    event = event_of(
        headers=[
            (b"x-many", b"1"),
            (b"cookie", b"a=1; b=2"),
            (b"x-many", b"2, 3"),
            (b"cookie", b"c=3;"),
            (b"x-utf8", "é".encode()),
            (b"x-latin1", b"\xe9"),
        ]
    )
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-many"] == "1,2, 3"
    assert event["headers"]["x-utf8"] == event["headers"]["x-latin1"] == "é"


def test_headers_of_the_connection_do_not_reach_the_function():
    headers = [
        (b"connection", b"close, X-Mine"),
        (b"x-mine", b"1"),
        (b"keep-alive", b"timeout=5"),
        (b"transfer-encoding", b"chunked"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"proxy-authorization", b"secret"),
        (b"x-kept", b"1"),
    ]
    kept = set(event_of(headers=headers)["headers"]) - set(event_of()["headers"])
    assert kept == {"x-kept"}


def test_the_client_s_address_is_the_last_one_that_is_forwarded():
    headers = [(b"x-forwarded-for", b"203.0.113.1"), (b"x-forwarded-proto", b"https")]
    event = event_of(headers=headers)
    assert event["headers"]["x-forwarded-for"] == "203.0.113.1, 192.0.2.7"
    assert event["headers"]["x-forwarded-proto"] == "https"
    assert event["requestContext"]["http"]["sourceIp"] == "192.0.2.7"


@pytest.mark.parametrize(
    ("content_type", "is_text"),
    [
        (b"text/plain; charset=utf-8", True),
        (b"TEXT/HTML", True),
        (b"application/json", True),
        (b"application/vnd.api+json", True),
        (b"application/soap+xml", True),
        (b"application/xml", True),
        (b"application/javascript", True),
        (b"application/x-www-form-urlencoded", False),
        (b"multipart/form-data; boundary=json", False),
        (b"application/octet-stream", False),
        (b"application/jsonx", False),
        (b"image/png", False),
        (b"", False),
    ],
)
def test_bodies_of_textual_types_are_text_and_all_others_base64(content_type, is_text):
    event = event_of("{é}".encode(), method="POST", headers=[(b"content-type", content_type)])
    assert event["isBase64Encoded"] is not is_text
    sent = event["body"].encode() if is_text else base64.b64decode(event["body"])
    assert sent == "{é}".encode()


def test_what_is_said_to_be_text_and_is_not_comes_in_base64():
    event = event_of(b"\xff\xfe", method="POST", headers=[(b"content-type", b"text/plain")])
    assert (event["body"], event["isBase64Encoded"]) == ("//4=", True)


def test_without_a_body_there_is_no_body():
    event = event_of(method="POST", headers=[(b"content-type", b"image/png")])
    assert "body" not in event
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("host", "url_id", "region", "name", "port"),
    [
        (HOST, ID, "eu-west-1", f"{ID}.lambda-url.eu-west-1.localhost", "4566"),
        (b"X.Lambda-URL.us-east-1.on.aws", "x", "us-east-1", "X.Lambda-URL.us-east-1.on.aws", ""),
        (b"x.lambda-url.eu-west-1.127.0.0.1:1", "x", "eu-west-1",
         "x.lambda-url.eu-west-1.127.0.0.1", "1"),
    ],
)  # fmt: skip
def test_a_host_of_a_url_names_it(host, url_id, region, name, port):
    assert is_url_host(host)
    address = address_of(host, b"/_alonzo/lambda-url/other/x")
    assert address == (url_id, region, b"/_alonzo/lambda-url/other/x", name, port)


@pytest.mark.parametrize(
    "host",
    [
        b"lambda-url.eu-west-1.localhost",
        b"x.lambda-url.eu-west-1",
        b"a.b.lambda-url.eu-west-1.localhost",
        b"x.lambda-urls.eu-west-1.localhost",
        b"localhost:4566",
        b"[::1]:4566",
    ],
)
def test_other_hosts_name_none(host):
    assert not is_url_host(host)


@pytest.mark.parametrize(
    ("path", "url_id", "below"),
    [
        (b"/_alonzo/lambda-url/x", "x", b"/"),
        (b"/_alonzo/lambda-url/x/", "x", b"/"),
        (b"/_alonzo/lambda-url/x/a%2F/../b", "x", b"/a%2F/../b"),
        (b"/_alonzo/lambda-url/x//b", "x", b"//b"),
        (b"/_alonzo/lambda-url/", "", b"/"),
        (b"/_alonzo/lambda-url/%78/", "%78", b"/"),
    ],
)
def test_a_path_of_a_url_names_it(path, url_id, below):
    address = address_of(b"[::1]:4566", path)
    assert address == (url_id, None, below, "[::1]", "4566")
