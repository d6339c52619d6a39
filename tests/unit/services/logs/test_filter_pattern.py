"""The filter pattern language, by the examples of the user guide and their edges."""

from __future__ import annotations

import json

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.logs.filter_pattern import parse
from alonzo.services.logs.filter_pattern.fields import split_fields


def matches(pattern: str, message: str) -> bool:
    matcher = parse(pattern)
    return True if matcher is None else matcher(message)


TERMS = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
    "[INFO] REQUEST done",
    "Exiting with ERRORCODE: -1",
    'time "out" in a-b',
]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6]),
        ("   ", [0, 1, 2, 3, 4, 5, 6]),
        ("ERROR", [0, 1, 2, 3, 5]),
        ('"ERROR"', [0, 1, 2, 3, 5]),
        ("error", []),
        ("ERROR ARGUMENTS", [2, 3]),
        ("ERROR REQUEST BAD", [0]),
        ('"INVALID ARGUMENTS"', [3]),
        ('"ERROR 4" -ARGUMENTS', [0, 1]),
        ('"ERROR" - "Exiting"', [0, 1, 2, 3]),
        ("-ERROR", [4, 6]),
        ("-ERROR -time", [4]),
        ("?BAD ?INVALID", [0, 3]),
        ('?"ERROR 4" ?INFO', [0, 1, 2, 3, 4]),
        # Beside other terms, optional ones count for nothing.
        ("?INFO ERROR REQUEST", [0, 1]),
        ("?INFO -ERROR", [4, 6]),
        ("%4[0-9]{2}%", [0, 1, 2, 3]),
        ("%AUTHORIZED%", [1]),
        ("%^Exit% ERRORCODE", [5]),
        ("?%^Exit% ?%done$%", [4, 5]),
        ("-%\\d%", [4, 6]),
        (r'"\"out\""', [6]),
        ('"a-b"', [6]),
        ("%a-b$%", [6]),
    ],
)
def test_terms(pattern: str, found: list[int]) -> None:
    assert [i for i, message in enumerate(TERMS) if matches(pattern, message)] == found


GUIDE = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "cluster.name": "c",
    "ThisFlag": True,
    "user": {"id": 1, "email": "John.Stiles@example.com"},
    "users": [
        {"id": 2, "email": "John.Doe@example.com"},
        {"id": 3, "email": "Jane.Doe@example.com"},
    ],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
    "latency": 512.5,
    "errorCode": "400",
    "count": 10000,
    "a-b_c": "x",
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{$.eventType=UpdateTrail}", True),
        ("{ $.eventType = updateTrail }", False),
        ("{ $.eventType = * }", True),
        ('{ $.eventType = "*" }', True),
        ("{ $.eventType = Update* }", True),
        ("{ $.eventType = *Trail }", True),
        ("{ $.eventType = *dateT* }", True),
        ("{ $.eventType = Up*ail }", False),
        ("{ $.eventType = %Up.*ail% }", True),
        ("{ $.eventType != %^Trail% }", True),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress != 111.111.* }", False),
        ("{ $.sourceIPAddress = %111\\.[0-9]{3}% }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[1] = "value" }', False),
        ('{ $.arrayKey[9] = "value" }', False),
        ('{ $.arrayKey[*] = "another value" }', True),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[*].id = 2 }", True),
        ("{ $.objectList[*].id > 2 }", False),
        ("{ $.user.* = 1 }", True),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.eventType IS NULL }", False),
        ("{ $.Missing IS NULL }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.SomeObject EXISTS }", True),
        ("{ $.user EXISTS }", True),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag is  true }", True),
        ("{ $.ThisFlag IS FALSE }", False),
        ("{ $.['cluster.name'] = c }", True),
        ("{ $['cluster.name'] = c }", True),
        ("{ $.a-b_c = x }", True),
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', True),
        (
            '{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }',
            False,
        ),
        (
            '{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch'
            " && $.actions[2] = nomatch }",
            True,
        ),
        (
            '{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch)'
            " && $.actions[2] = nomatch }",
            False,
        ),
        ("{ $.coordinates[1][2] = 6 }", True),
        # A selector that ends at an array, an object, null or nothing is compared with nothing.
        ("{ $.users = 1 }", False),
        ("{ $.users != 1 }", False),
        ("{ $.user != 1 }", False),
        ("{ $.SomeObject != 1 }", False),
        ("{ $.Missing != 1 }", False),
        ("{ $.latency >= 500 }", True),
        ("{ $.latency < 10e3 }", True),
        ("{ $.latency < 10e-3 }", False),
        ("{ $.latency <= 512.5 }", True),
        ("{ $.latency > +1000 }", False),
        ("{ $.latency > -1000 }", True),
        ("{ $.count = 1e4 }", True),
        ("{ $.count != 10000.0 }", False),
        # A text is no number, but is spelled like one.
        ("{ $.errorCode = 400 }", True),
        ("{ $.errorCode != 400 }", False),
        ("{ $.errorCode > 300 }", False),
        ('{ $.count = "10000" }', True),
        ("{ $.count = 1* }", True),
    ],
)
def test_conditions_on_json_objects(pattern: str, expected: bool) -> None:
    assert matches(pattern, json.dumps(GUIDE)) is expected
    assert matches(pattern, json.dumps(GUIDE) + "\n") is expected


@pytest.mark.parametrize(
    "message", ["", "text {", '{"a": 1', "[1]", '"a"', "null", "{}x", "[" * 100_000, '{"a":' * 2000]
)
def test_what_is_no_json_object_matches_no_condition(message: str) -> None:
    assert not matches("{ $.a NOT EXISTS }", message)
    assert not matches("{ $.a != 1 }", message)


ACCESS = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code]", False),
        ("[..., status_code, bytes]", True),
        ("[ip, user, ..., status_code, bytes]", True),
        ("[ip, user, ...]", True),
        ("[...]", True),
        ("[a, b, c, d, e, f, g, ...]", True),
        ("[a, b, c, d, e, f, g, h, ...]", False),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1000]", True),
        ("[ip, user, username, timestamp, request, status_code, bytes > 1534]", False),
        ("[ip, user, username, timestamp, request, status_code = 200, bytes]", False),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request = *html*, status_code = 4*, bytes]", True),
        ("[..., status_code = 4* && status_code != 403, bytes]", True),
        ("[..., status_code = 4* && status_code != 404, bytes]", False),
        ("[..., status_code = 500 || status_code = 404, bytes]", True),
        ("[..., (status_code = 500 || status_code = 404) && status_code < 404, bytes]", False),
        ("[..., request=*.html*, status_code=4*,]", True),
        ("[..., request=%index\\.(html)%, status_code=4*,]", None),
        ("[..., request=%index\\.html%, status_code=4*,]", True),
        ("[ip=%127\\.0%, ..., user=%x%, bytes]", False),
        ('[ip="127.0.0.1", ...]', True),
        ("[, , name = frank, ...]", True),
        ("[ip, ..., bytes >= 1.534e3]", True),
    ],
)
def test_conditions_on_fields(pattern: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(AwsError):
            parse(pattern)
    else:
        assert matches(pattern, ACCESS) is expected


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[w1=ERROR, w2]", [1]),
        ("[w1=ERROR || w1=WARN, w2]", [1, 2]),
        ("[w1=!ERROR&&w1=!WARN, w2]", []),
        ("[w1!=ERROR && w1!=WARN, ...]", []),
    ],
)
def test_alternatives_in_fields(pattern: str, found: list[int]) -> None:
    lines = ["ERROR WARN message", "ERROR message", "WARN message"]
    assert [i for i, line in enumerate(lines) if matches(pattern, line)] == found


def test_brackets_and_quotes_make_one_field_only_where_they_close() -> None:
    assert split_fields('a [b c] "d e" f"g h" [i') == ["a", "b c", "d e", 'f"g', 'h"', "[i"]
    assert split_fields('"') == ['"']
    assert split_fields("  ") == []
    assert split_fields("[ " * 200_000)[:2] == ["[", "["]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{ $.a = 1", "If a filter pattern starts with '{' it must end with '}'"),
        ("[a, b", "If a filter pattern starts with '[' it must end with ']'"),
        ('""', "Invalid filter pattern: Invalid character(s) in term '\"\"'"),
        ("user@example", "Invalid filter pattern: Invalid character(s) in term 'user@example'"),
        ("a ?b-c", "Invalid filter pattern: Invalid character(s) in term 'b-c'"),
        ('"open', "Invalid filter pattern"),
        ("%open", "Invalid filter pattern"),
        ("?", "Invalid filter pattern"),
        ("a -", "Invalid filter pattern"),
        ("{}", "Invalid filter pattern"),
        ("{ $ = 1 }", "Invalid filter pattern"),
        ("{ a = 1 }", "Invalid filter pattern"),
        ("{ $.a }", "Invalid filter pattern"),
        ("{ $.a = }", "Invalid filter pattern"),
        ("{ $.a == 1 }", "Invalid filter pattern"),
        ("{ $.a > x }", "Invalid filter pattern"),
        ('{ $.a > "1" }', "Invalid filter pattern"),
        ("{ $.a < %1% }", "Invalid filter pattern"),
        ("{ $.a = b@c }", None),
        ("{ $.a = b c }", "Invalid filter pattern"),
        ("{ $.a = 1 && }", "Invalid filter pattern"),
        ("{ ($.a = 1 }", "Invalid filter pattern"),
        ("{ $.a = 1) }", "Invalid filter pattern"),
        ("{ $.a[ = 1 }", "Invalid filter pattern"),
        ("{ $.*[*] = 1 }", "Invalid filter pattern"),
        ("{ $.*=1 || $.*=2 || $.*=3 || $.*=4 }", "Invalid filter pattern"),
        ("{ $.a=%x% || $.a=%y% || $.a=%z% }", "Invalid filter pattern"),
        ("{ " + "(" * 400 + "$.a=1" + ")" * 400 + " }", "Invalid filter pattern"),
        ("[..., a, ...]", "Invalid filter pattern"),
        ("[a = 1 && b = 2]", "Invalid filter pattern"),
        ("[a b]", "Invalid filter pattern"),
        ("[= 1]", "Invalid filter pattern"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, message: str | None) -> None:
    if message is None:
        assert parse(pattern) is not None
        return
    with pytest.raises(AwsError) as refused:
        parse(pattern)
    assert (refused.value.code, refused.value.message) == ("InvalidParameterException", message)


@pytest.mark.parametrize(
    ("regex", "yes", "no"),
    [
        ("^[hc]at", ["hat", "cat x"], ["that", "bat"]),
        ("[hc]at$", ["that", "a cat", "a cat\n"], ["cats"]),
        ("colou?r", ["color", "colour"], ["colouur"]),
        ("[abcx-z]", ["y", "b"], ["d", ""]),
        ("[^a-z]", ["A", "1"], ["abc"]),
        ("^a{3,5}$", ["aaa", "aaaaa"], ["aa", "aaaaaa"]),
        ("^a{2}$", ["aa"], ["a", "aaa"]),
        ("^a{2,}$", ["aa", "aaaa"], ["a"]),
        ("gray|grey", ["gray", "a grey b"], ["gry"]),
        (r"10\.10\.0\.1", ["10.10.0.1"], ["10x10x0x1"]),
        ("ab+c", ["abc", "abbbc"], ["ac"]),
        ("^12*$", ["1", "1222"], ["12221"]),
        ("^.at$", ["cat", "#at"], ["at", "\nat"]),
        (r"\d\D\s\S\w\W", ["1a xb-"], ["1a xb"]),
        (r"\x28x\x29", ["(x)"], ["x"]),
        (r"[\d\-x]+y", ["1-xy"], ["zy"]),
        (r"[a-]b", ["-b", "ab"], ["cb"]),
        ("^$", ["", "\n"], ["x"]),
        ("^a|b$", ["ax", "xb"], ["xa", "bx"]),
        ("x.*y.*z", ["x1y2z"], ["xz"]),
    ],
)
def test_regular_expressions(regex: str, yes: list[str], no: list[str]) -> None:
    assert all(matches(f"%{regex}%", message) for message in yes)
    assert not any(matches(f"%{regex}%", message) for message in no)


@pytest.mark.parametrize(
    "regex",
    [
        *("something!", "(a)", "a b", "é", "", "*", "a**", "a|", "|a", "a^b", "a$b", "[", "[]"),
        *("[z-a]", "a{2", "a{3,2}", "a{9999}", "a{500}b{600}", "a\\", r"\q", "a{1}{2}", "]", "}"),
        *("a+?", "a*+", "[a-\\d]"),
    ],
)
def test_what_is_no_regular_expression_is_refused(regex: str) -> None:
    with pytest.raises(AwsError) as refused:
        parse(f"%{regex}%")
    assert refused.value.code == "InvalidParameterException"


def test_no_expression_takes_longer_than_its_text_is_long() -> None:
    """A backtracking engine would take years over this, and hold the interpreter meanwhile."""
    assert not matches("%" + ".*a" * 20 + "!%".replace("!", "Z"), "a" * 20_000)
