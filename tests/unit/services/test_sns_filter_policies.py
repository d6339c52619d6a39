"""Filter policies of SNS: what they let through, and which are refused with which words."""

import json

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.sns.filter_policies import BY_ATTRIBUTES, BY_BODY, read_filter


def text(value):
    return {"DataType": "String", "StringValue": value}


def number(value):
    return {"DataType": "Number", "StringValue": value}


def array(value):
    return {"DataType": "String.Array", "StringValue": json.dumps(value)}


BINARY = {"DataType": "Binary", "BinaryValue": b"x"}

BY_ATTRIBUTE = [
    (["rugby"], text("rugby"), True),
    (["rugby"], text("Rugby"), False),
    (["rugby"], None, False),
    (["rugby", "tennis"], array(["golf", "tennis"]), True),
    (["rugby"], array(["golf"]), False),
    ([True], array([True]), True),
    ([None], array([None]), True),
    ([1], array([1]), True),
    (["1"], array([1]), False),
    (["rugby"], {"DataType": "String.Array", "StringValue": "no JSON"}, False),
    ([{"anything-but": "rugby"}], text("golf"), True),
    ([{"anything-but": ["rugby", "golf"]}], text("golf"), False),
    ([{"anything-but": ["rugby"]}], array(["rugby", "golf"]), True),
    ([{"anything-but": {"prefix": "ru"}}], text("rugby"), False),
    ([{"anything-but": [1, 2]}], number("3"), True),
    ([{"anything-but": ["x"]}], None, False),
    ([{"prefix": "ru"}], text("rugby"), True),
    ([{"suffix": "by"}], text("rugby"), True),
    ([{"suffix": "by"}], number("1"), False),
    ([{"equals-ignore-case": "RUGBY"}], text("rugby"), True),
    ([{"numeric": ["=", 301.5]}], number("301.50"), True),
    ([{"numeric": [">", 0, "<=", 5]}], number("5"), True),
    ([{"numeric": [">", 0, "<", 5]}], number("5"), False),
    ([{"numeric": [">", 0]}], text("5"), False),
    ([{"cidr": "10.0.0.0/24"}], text("10.0.0.9"), True),
    ([{"cidr": "10.0.0.0/24"}], text("10.0.1.9"), False),
    ([{"cidr": "2001:db8::/32"}], text("2001:db8::1"), True),
    ([{"cidr": "10.0.0.0/24"}], text("home"), False),
    ([{"exists": True}], text("x"), True),
    ([{"exists": True}], BINARY, False),
    ([{"exists": False}], None, True),
    ([{"exists": False}], text("x"), False),
]


@pytest.mark.parametrize(("expected", "attribute", "passes"), BY_ATTRIBUTE)
def test_an_attribute_passes_or_not(expected, attribute, passes):
    found = read_filter(json.dumps({"k": expected}), BY_ATTRIBUTES)
    attributes = {} if attribute is None else {"k": attribute}
    assert found.lets_through("", attributes) is passes


def test_every_key_must_fit_and_one_of_the_alternatives():
    policy = {"a": ["1"], "$or": [{"b": ["1"]}, {"c": [{"exists": True}]}]}
    found = read_filter(json.dumps(policy), BY_ATTRIBUTES)
    assert found.lets_through("", {"a": text("1"), "b": text("1")})
    assert found.lets_through("", {"a": text("1"), "c": text("?")})
    assert not found.lets_through("", {"a": text("1")})
    assert not found.lets_through("", {"b": text("1")})


def test_the_body_is_asked_however_deep_it_is():
    policy = {"order": {"lines": {"sku": [{"prefix": "a"}]}}, "total": [{"numeric": [">", 1]}]}
    found = read_filter(json.dumps(policy), BY_BODY)
    body = {"order": {"lines": [{"sku": "b1"}, {"sku": "a1"}]}, "total": 2}
    assert found.lets_through(json.dumps(body), {})
    assert not found.lets_through(json.dumps(body | {"total": 1}), {})
    for other in ("no JSON", "[]", '"text"', "{}", "[" * 100_000):
        assert not found.lets_through(other, {})


@pytest.mark.parametrize(
    ("policy", "scope", "said"),
    [
        ("{", BY_BODY, "FilterPolicy: failed to parse JSON."),
        ("[" * 100_000, BY_BODY, "FilterPolicy: failed to parse JSON."),
        ({"k": [["v"]]}, BY_BODY, "Match value must be String, number, true, false, or null"),
        ({"k": [{"wrong": True}]}, BY_BODY, "Unrecognized match type wrong"),
        ({"k": [{"suffix": "v", "prefix": "v"}]}, BY_BODY, "Only one key allowed in match"),
        ({"k": [{"suffix": 100}]}, BY_BODY, "suffix match pattern must be a string"),
        ({"k": {"suffix": "v"}}, BY_BODY, '"suffix" must be an object or an array'),
        ({"k": []}, BY_BODY, "Empty arrays are not allowed"),
        ({"k": [{"numeric": []}]}, BY_BODY, "Invalid member in numeric match: ]"),
        ({"k": [{"numeric": ["op"]}]}, BY_BODY, "Unrecognized numeric range operator: op"),
        ({"k": [{"numeric": [1, "<="]}]}, BY_BODY, "Invalid member in numeric match: 1"),
        ({"k": [{"numeric": ["=", "0"]}]}, BY_BODY, "Value of equals must be numeric"),
        ({"k": [{"numeric": [">="]}]}, BY_BODY, "Value of >= must be numeric"),
        ({"k": [{"numeric": ["<", 9, ">", 1]}]}, BY_BODY, "Too many elements in numeric"),
        ({"k": [{"numeric": [">=", 1, ">", 2]}]}, BY_BODY, "Bad numeric range operator: >"),
        ({"k": [{"numeric": [">", 3, "<", 1]}]}, BY_BODY, "Bottom must be less than top"),
        ({"k": [{"numeric": [">", 20, "<="]}]}, BY_BODY, "Value of <= must be numeric"),
        ({"k": [{"numeric": [">", 20, 30]}]}, BY_BODY, "Bad value in numeric range: 30"),
        ({"k": [{"numeric": [">", 2, "<", 3, "<", 5]}]}, BY_BODY, "Too many terms in numeric"),
        ({"k": [{"exists": None}]}, BY_BODY, "exists match pattern must be either true or false."),
        ({"k": [{"anything-but": {"suffix": "x"}}]}, BY_BODY, "Unsupported anything-but pattern"),
        ({"k": [{"cidr": "1.2.3.4"}]}, BY_BODY, "Malformed CIDR, one '/' required"),
        ({"k": [{"cidr": "1.2.3.4/x"}]}, BY_BODY, "Malformed CIDR, mask bits must be an integer"),
        ({"k": [{"cidr": "bad/8"}]}, BY_BODY, "Nonstandard IP address: bad"),
        ({"a": {"b": ["v"]}}, BY_ATTRIBUTES, "does not support nested filter policy"),
        ({str(n): ["v"] for n in range(6)}, BY_BODY, "can not have more than 5 keys"),
        ({"k": [str(n) for n in range(151)]}, BY_BODY, "Filter policy is too complex"),
        (
            {"a": {"b": {"c": list("1234567")}}, "d": {"e": list("1234")}},
            BY_BODY,
            "Filter policy is too complex",
        ),
        ({"k": json.loads("[" * 60 + "1" + "]" * 60)}, BY_BODY, "Match value must be String"),
    ],
)
def test_a_policy_that_is_none_is_refused_in_the_words_of_aws(policy, scope, said):
    given = policy if isinstance(policy, str) else json.dumps(policy)
    with pytest.raises(AwsError) as caught:
        read_filter(given, scope, "Attributes Reason: ")
    assert caught.value.code == "InvalidParameter"
    assert said in caught.value.message
    assert caught.value.message.startswith("Invalid parameter: Attributes Reason: ")


def test_combinations_are_counted_with_the_depth():
    # 3 levels: 4 x 3; 2 levels: 3 x 2; together 72, as in the developer guide.
    policy = {"a": {"b": {"c": list("1234")}}, "d": {"e": list("123")}}
    assert read_filter(json.dumps(policy), BY_BODY) is not None
    assert read_filter("{}", BY_BODY) is None
