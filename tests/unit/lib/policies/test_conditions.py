"""Every condition operator, alone and with what may be put before and after it."""

import pytest

from alonzo.lib.policies.conditions import ConditionError, compile_conditions

CONTEXT = {
    "s": "Value",
    "empty": "",
    "n": "10.5",
    "d": "2026-11-20T10:00:00Z",
    "e": "1763632800",
    "t": "true",
    "b": "aGVsbG8=",
    "ip": "203.0.113.7",
    "ip6": "2001:db8::1",
    "mapped": "::ffff:203.0.113.7",
    "arn": "arn:aws:sns:us-east-1:111122223333:topic:x",
    "many": ("a", "b"),
    "none": (),
    "aws:username": "Value",
}


def holds(operator, key, value):
    return compile_conditions({operator: {key: value}}, variables=True).hold(CONTEXT)


@pytest.mark.parametrize(
    ("operator", "key", "value", "expected"),
    [
        ("StringEquals", "s", "Value", True),
        ("StringEquals", "S", "Value", True),
        ("StringEquals", "s", "value", False),
        ("StringEquals", "s", "V*", False),
        ("StringEquals", "s", ["x", "Value"], True),
        ("StringEquals", "s", [], False),
        ("StringEquals", "absent", "Value", False),
        ("StringEquals", "s", "${aws:username}", True),
        ("StringEquals", "s", "${absent}", False),
        ("StringEquals", "s", "${absent, 'Value'}", True),
        ("StringNotEquals", "s", "x", True),
        ("StringNotEquals", "s", ["x", "Value"], False),
        ("StringNotEquals", "absent", "x", True),
        ("StringEqualsIgnoreCase", "s", "vALUE", True),
        ("StringNotEqualsIgnoreCase", "s", "vALUE", False),
        ("StringLike", "s", "V*e", True),
        ("StringLike", "s", "V??ue", True),
        ("StringLike", "s", "v*", False),
        ("StringLike", "empty", "*", True),
        ("StringNotLike", "s", "V*", False),
        ("NumericEquals", "n", "10.50", True),
        ("NumericEquals", "n", 10.5, True),
        ("NumericNotEquals", "n", "10.5", False),
        ("NumericLessThan", "n", "10.5", False),
        ("NumericLessThanEquals", "n", "10.5", True),
        ("NumericGreaterThan", "n", "9", True),
        ("NumericGreaterThanEquals", "n", "11", False),
        ("NumericEquals", "s", "1", False),
        ("NumericNotEquals", "s", "1", True),
        ("NumericLessThan", "absent", "1", False),
        ("DateEquals", "d", "2026-11-20T11:00:00+01:00", True),
        ("DateEquals", "d", "2026-11-20T10:00Z", True),
        ("DateEquals", "e", "2025-11-20T10:00:00Z", True),
        ("DateNotEquals", "d", "2026-11-20T10:00:00.5Z", True),
        ("DateLessThan", "d", "2027", True),
        ("DateLessThanEquals", "d", "2026-11-20T10:00:00Z", True),
        ("DateGreaterThan", "d", "2026-11", True),
        ("DateGreaterThanEquals", "d", "2026-11-21", False),
        ("DateGreaterThan", "d", 0, True),
        ("DateLessThan", "s", "2027", False),
        ("Bool", "t", "true", True),
        ("Bool", "t", True, True),
        ("Bool", "t", "false", False),
        ("Bool", "absent", "false", False),
        ("BoolIfExists", "absent", "true", True),
        ("BinaryEquals", "b", "aGVsbG8=", True),
        ("BinaryEquals", "b", "aGVsbG9v", False),
        ("BinaryEquals", "s", "aGVsbG8=", False),
        ("IpAddress", "ip", "203.0.113.0/24", True),
        ("IpAddress", "ip", "203.0.113.7", True),
        ("IpAddress", "ip", "203.0.113.8", False),
        ("IpAddress", "ip", "2001:db8::/32", False),
        ("IpAddress", "ip6", "2001:db8::/32", True),
        ("IpAddress", "mapped", "203.0.113.0/24", True),
        ("NotIpAddress", "ip", "203.0.113.0/24", False),
        ("NotIpAddress", "absent", "203.0.113.0/24", True),
        ("IpAddress", "s", "0.0.0.0/0", False),
        ("ArnEquals", "arn", "arn:aws:sns:*:111122223333:topic:*", True),
        ("ArnLike", "arn", "arn:aws:sns:us-east-1:111122223333:topic:x", True),
        ("ArnLike", "arn", "arn:aws:sns:*:topic:x", False),
        ("ArnLike", "arn", "arn:aws:sns*", False),
        ("ArnLike", "arn", "*", True),
        ("ArnNotEquals", "arn", "arn:aws:sns:*:*:*", False),
        ("ArnNotLike", "absent", "arn:aws:sns:*:*:*", True),
        ("Null", "absent", "true", True),
        ("Null", "none", True, True),
        ("Null", "s", "true", False),
        ("Null", "s", "false", True),
        ("StringEqualsIfExists", "absent", "x", True),
        ("StringEqualsIfExists", "s", "x", False),
        ("StringNotEqualsIfExists", "absent", "x", True),
        ("StringEquals", "many", "b", True),
        ("StringNotEquals", "many", "b", False),
        ("ForAnyValue:StringEquals", "many", "b", True),
        ("ForAnyValue:StringEquals", "many", "c", False),
        ("ForAnyValue:StringNotEquals", "many", "a", True),
        ("ForAnyValue:StringNotEquals", "many", ["a", "b"], False),
        ("ForAnyValue:StringEquals", "absent", "c", False),
        ("ForAnyValue:StringNotEquals", "absent", "c", False),
        ("ForAnyValue:StringEqualsIfExists", "absent", "c", True),
        ("ForAnyValue:StringEquals", "s", "Value", True),
        ("ForAllValues:StringEquals", "many", ["a", "b", "c"], True),
        ("ForAllValues:StringEquals", "many", ["a"], False),
        ("ForAllValues:StringEquals", "absent", "c", True),
        ("ForAllValues:StringEquals", "none", "c", True),
        ("ForAllValues:StringNotEquals", "many", "c", True),
        ("ForAllValues:StringNotEquals", "many", "a", False),
        ("ForAllValues:StringLike", "many", "?", True),
    ],
)
def test_operators(operator, key, value, expected):
    assert holds(operator, key, value) is expected


def test_all_operators_and_all_keys_must_hold():
    both = {"StringEquals": {"s": "Value", "t": "true"}, "NumericEquals": {"n": "10.5"}}
    assert compile_conditions(both, variables=True).hold(CONTEXT)
    both["StringEquals"]["t"] = "false"
    assert not compile_conditions(both, variables=True).hold(CONTEXT)


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("NumericEquals", "ten"),
        ("NumericEquals", "1" * 100),
        ("DateEquals", "tomorrow"),
        ("DateEquals", "2026-13-01"),
        ("IpAddress", "300.1.1.1"),
        ("BinaryEquals", "no base64!"),
        ("Null", "maybe"),
        ("NullIfExists", "true"),
        ("ForSomeValues:StringEquals", "a"),
        ("StringSounds", "a"),
        ("StringEquals", {"a": 1}),
        ("StringEquals", None),
    ],
)
def test_what_is_no_condition_is_refused(operator, value):
    with pytest.raises(ConditionError):
        holds(operator, "s", value)
