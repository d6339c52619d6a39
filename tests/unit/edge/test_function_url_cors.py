"""CORS of function URLs, as a browser reads it."""

import pytest

from alonzo.edge.function_urls.cors import preflight_headers, with_cors
from alonzo.edge.http1.head import Head

ORIGIN = "https://example.com"
ALLOW = "access-control-allow-"


def request(method="GET", **headers):
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Head(method, b"/", b"", pairs)


def preflight(cors, origin=ORIGIN, method="PUT", names="x-one,x-two"):
    head = request(
        "OPTIONS",
        origin=origin,
        access_control_request_method=method,
        access_control_request_headers=names,
    )
    return dict(preflight_headers(cors, head))


def test_a_preflight_is_answered_from_the_configuration():
    cors = {
        "AllowOrigins": ["https://other.example", ORIGIN],
        "AllowMethods": ["GET", "PUT"],
        "AllowHeaders": ["x-one", "X-Three"],
        "ExposeHeaders": ["x-seen"],
        "AllowCredentials": True,
        "MaxAge": 60,
    }
    assert preflight(cors) == {
        "vary": "Origin",
        f"{ALLOW}origin": ORIGIN,
        f"{ALLOW}credentials": "true",
        f"{ALLOW}methods": "GET,PUT",
        f"{ALLOW}headers": "x-one,X-Three",
        "access-control-max-age": "60",
    }


def test_stars_allow_what_is_asked_for():
    cors = {"AllowOrigins": ["*"], "AllowMethods": ["*"], "AllowHeaders": ["*"], "MaxAge": 0}
    assert preflight(cors, names="authorization, x-two") == {
        f"{ALLOW}origin": "*",
        f"{ALLOW}methods": "PUT",
        f"{ALLOW}headers": "authorization,x-two",
        "access-control-max-age": "0",
    }
    with_credentials = preflight({**cors, "AllowCredentials": True})
    assert with_credentials[f"{ALLOW}origin"] == ORIGIN
    assert with_credentials["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://example.com.evil", "http://example.com", "null", "https://EVIL", "a,b", ""]
)
def test_other_origins_are_told_nothing_but_that_it_depends(origin):
    cors = {"AllowOrigins": [ORIGIN], "AllowMethods": ["*"], "MaxAge": 5}
    assert preflight(cors, origin=origin) == {"vary": "Origin"}


def test_origins_compare_as_browsers_spell_them():
    assert f"{ALLOW}origin" in preflight({"AllowOrigins": ["HTTPS://Example.com/"]})


def test_without_allowed_origins_nobody_is_allowed():
    assert preflight({"AllowMethods": ["*"]}) == {}
    assert with_cors({"MaxAge": 5}, request(origin=ORIGIN), [("a", "b")]) == [("a", "b")]


def test_a_name_that_is_no_token_gets_nowhere():
    cors = {"AllowOrigins": ["*"], "AllowMethods": ["*"], "AllowHeaders": ["*", "a\rb", "c d", ""]}
    found = preflight(cors, method="G T", names="x-a, b\x01c, d e")
    assert found[f"{ALLOW}headers"] == "x-a"
    assert found[f"{ALLOW}methods"] == "*"


def test_configured_headers_take_the_place_of_the_function_s():
    cors = {"AllowOrigins": [ORIGIN], "ExposeHeaders": ["x-a"], "AllowCredentials": True}
    function = [
        ("content-type", "a/b"),
        ("vary", "Accept"),
        (f"{ALLOW}origin", "*"),
        (f"{ALLOW}credentials", "false"),
        ("access-control-expose-headers", "x-theirs"),
        ("access-control-max-age", "9"),
    ]
    assert with_cors(cors, request(origin=ORIGIN), function) == [
        ("content-type", "a/b"),
        ("vary", "Accept"),
        ("access-control-max-age", "9"),
        ("vary", "Origin"),
        (f"{ALLOW}origin", ORIGIN),
        (f"{ALLOW}credentials", "true"),
        ("access-control-expose-headers", "x-a"),
    ]


def test_a_function_cannot_allow_an_origin_that_is_not_configured():
    cors = {"AllowOrigins": [ORIGIN]}
    headers = [(f"{ALLOW}origin", "https://evil.example"), (f"{ALLOW}credentials", "true")]
    assert with_cors(cors, request(origin="https://evil.example"), headers) == [("vary", "Origin")]


def test_without_a_configuration_the_function_s_headers_stand():
    headers = [(f"{ALLOW}origin", "*")]
    assert with_cors(None, request(origin=ORIGIN), headers) == headers


def test_a_request_of_no_page_gets_no_such_headers():
    assert with_cors({"AllowOrigins": ["*"]}, request(), []) == []
