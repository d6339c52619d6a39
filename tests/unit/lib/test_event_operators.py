"""EventBridge's whole pattern language: what each operator lets through, and what AWS says of
patterns that are none. Most cases are those that AWS was recorded with."""

import json

import pytest

from alonzo.lib.event_operators import parse_pattern
from alonzo.lib.event_patterns import PatternError, read_document


def matches(entries, value):
    pattern = parse_pattern(json.dumps({"a": entries if isinstance(entries, list) else [entries]}))
    return pattern.matches(read_document(json.dumps({"a": value})))


@pytest.mark.parametrize(
    ("entry", "passing", "refused"),
    [
        ({"prefix": "ab"}, ["ab", "abc", ["x", "abc"]], ["b", "AB", 5, None, {"ab": 1}]),
        ({"prefix": {"equals-ignore-case": "aB"}}, ["AB", "abc", "Abc"], ["b", 1]),
        ({"suffix": ".png"}, ["a.png", ".png"], ["png.", "a.PNG"]),
        ({"suffix": {"equals-ignore-case": ".PnG"}}, ["a.png", "a.PNG"], ["a.jpg"]),
        ({"equals-ignore-case": "alice"}, ["Alice", "ALICE"], ["alices", ""]),
        ({"equals-ignore-case": ""}, [""], [" "]),
        ({"wildcard": "a*c"}, ["ac", "abc", "abcc", "a*c"], ["a", "abcd", "xac", 5]),
        ({"wildcard": "*"}, ["", "x"], [5, None]),
        ({"wildcard": "*ab*ab*"}, ["abab", "xaby ab"], ["ab", "aba"]),
        ({"wildcard": "aba*aba"}, ["abaaba", "abaxaba"], ["aba", "ababa"]),
        ({"wildcard": "a\\*b"}, ["a*b"], ["axb", "a\\*b"]),
        ({"wildcard": "a\\\\*"}, ["a\\", "a\\x"], ["ax"]),
        ({"wildcard": "plain"}, ["plain"], ["plainer"]),
        ({"cidr": "10.0.0.0/24"}, ["10.0.0.255"], ["10.0.1.0", "x", "10.0.0.1/32", 5]),
        ({"cidr": "2001:db8::/32"}, ["2001:db8::1"], ["2001:db9::1", "10.0.0.1"]),
        ({"numeric": ["=", 5]}, [5, 5.0], [5.1, "5", None]),
        ({"numeric": [">", 0, "<=", 5]}, [5, 0.1], [0, 5.5]),
        ({"exists": True}, [1, None, "", [1]], [{"b": 1}, []]),
        ({"exists": False}, [[], {"b": 1}], [1, None]),
        ({"anything-but": "x"}, ["y", 5, None, ["x", "y"]], ["x", ["x"], []]),
        ({"anything-but": ["x", "y"]}, ["z"], ["x", "y"]),
        ({"anything-but": 123}, [124, "123"], [123, 123.0]),
        ({"anything-but": [0, 1]}, [2], [0, 0.0, 1]),
        ({"anything-but": {"prefix": "ab"}}, ["b", 5], ["abc"]),
        ({"anything-but": {"prefix": ["ab", "cd"]}}, ["x"], ["abc", "cde"]),
        ({"anything-but": {"suffix": ["a", "b"]}}, ["ac"], ["ca", "cb"]),
        ({"anything-but": {"equals-ignore-case": ["A", "b"]}}, ["c"], ["a", "B"]),
        ({"anything-but": {"wildcard": "*/lib/*"}}, ["/bin/x"], ["/usr/lib/x"]),
        ({"anything-but": {"wildcard": ["*.txt", "a*"]}}, ["b.c"], ["b.txt", "ac"]),
        (["x", 5, None, True, ""], ["x", 5, None, True, ""], ["y", 6, False, " "]),
    ],
)
def test_each_operator_lets_through_what_it_should(entry, passing, refused):
    assert [value for value in passing if not matches(entry, value)] == []
    assert [value for value in refused if matches(entry, value)] == []


@pytest.mark.parametrize("value", ["300", "300.0", "3.0e2", "3E+2"])
def test_numbers_are_equal_by_value_however_they_are_written(value):
    pattern = parse_pattern('{"a":[300.00]}')
    assert pattern.matches(read_document(f'{{"a":{value}}}'))
    assert not pattern.matches(read_document('{"a":300.1}'))
    # Beyond what EventBridge compares, they are equal as they are written.
    huge = parse_pattern('{"a":[1e99999999999999999999, 9e99]}')
    assert huge.matches(read_document('{"a":1e99999999999999999999}'))
    assert huge.matches(read_document('{"a":9e99}'))
    assert not huge.matches(read_document('{"a":90e98}'))


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([], "Empty arrays are not allowed"),
        ([[1]], "Match value must be String, number, true, false, or null"),
        ([{"prefix": "a", "suffix": "b"}], "Only one key allowed in match expression"),
        ([{"NUMERIC": ["=", 5]}], "Unrecognized match type NUMERIC"),
        ([{"prefix": 1}], "prefix match pattern must be a string"),
        ([{"prefix": ["a"]}], "prefix match pattern must be a string"),
        ([{"prefix": {"suffix": "a"}}], "Unsupported prefix match pattern"),
        ([{"suffix": 1}], "suffix match pattern must be a string"),
        ([{"equals-ignore-case": ["a"]}], "equals-ignore-case match pattern must be a string"),
        ([{"wildcard": 1}], "wildcard match pattern must be a string"),
        ([{"wildcard": "a**b"}], "Consecutive wildcard characters at pos 2"),
        ([{"wildcard": "a\\b"}], "Invalid escape character at pos 1"),
        ([{"wildcard": "a\\"}], "Invalid escape character at pos 1"),
        ([{"cidr": "10.0.0.0"}], "Malformed CIDR, one '/' required"),
        ([{"cidr": "10.0.0.0/x"}], "Malformed CIDR, mask bits must be an integer"),
        ([{"cidr": "bad/24"}], "Nonstandard IP address: bad"),
        ([{"cidr": 5}], "prefix match pattern must be a string"),
        ([{"exists": "true"}], "exists match pattern must be either true or false."),
        ([{"numeric": [">", 0, ">", 0]}], "Bad numeric range operator: >"),
        ([{"numeric": [">", 0, "<"]}], "Value of < must be numeric"),
        ([{"numeric": ["=", "5"]}], "Value of equals must be numeric"),
        ([{"numeric": [["="], 5]}], "Unrecognized numeric range operator: ['=']"),
        ([{"numeric": [">", 5, "<", 5]}], "Bottom must be less than top"),
        ([{"numeric": ["<", 6e9]}], "Value must be between -5.0E9 and 5.0E9, inclusive"),
        (
            [{"anything-but": {"equals-ignore-case": [1]}}],
            "Inside anything-but/equals-ignore-case list, "
            "number|start|null|boolean is not supported.",
        ),
        (
            [{"anything-but": {"prefix": [1, "a"]}}],
            "prefix/suffix match pattern must be a string",
        ),
        ([{"anything-but": {"wildcard": 1}}], "wildcard match pattern must be a string"),
        ([{"anything-but": {"prefix": ""}}], "Null prefix/suffix not allowed"),
        (
            [{"anything-but": {"prefix": {"equals-ignore-case": "a"}}}],
            "Value of anything-but must be an array or single string/number value.",
        ),
        ([{"anything-but": {"numeric": ["=", 1]}}], "Unsupported anything-but pattern: numeric"),
        (
            [{"anything-but": [1, "a"]}],
            "Inside anything but list, either all values are number or string, "
            "mixed type is not supported",
        ),
        ("x", '"a" must be an object or an array'),
        ({}, "Empty objects are not allowed"),
    ],
)
def test_what_is_no_pattern_is_refused_in_the_words_of_aws(entries, reason):
    with pytest.raises(PatternError) as caught:
        parse_pattern(json.dumps({"a": entries}))
    assert str(caught.value) == reason


def test_a_pattern_is_an_object():
    with pytest.raises(PatternError, match="Filter is not an object"):
        parse_pattern("[1]")
    with pytest.raises(PatternError, match="Invalid JSON"):
        parse_pattern("{'bad': 'quotation'}")
    with pytest.raises(PatternError, match="at least 2 Objects"):
        parse_pattern('{"$or":[{"a":[1]}]}')
