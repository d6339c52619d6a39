"""Which documents an event pattern lets through, and which texts are none."""

import json

import pytest

from alonzo.lib.event_patterns import PatternError, parse, read_document


def matches(pattern, document):
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    read = document if isinstance(document, str) else json.dumps(document)
    return parse(text).matches(read_document(read))


@pytest.mark.parametrize(
    ("pattern", "document", "passes"),
    [
        # Values.
        ({"a": ["x"]}, {"a": "x"}, True),
        ({"a": ["x", "y"]}, {"a": "y"}, True),
        ({"a": ["x"]}, {"a": "X"}, False),
        ({"a": [""]}, {"a": ""}, True),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {}, False),
        ({"a": [True]}, {"a": True}, True),
        ({"a": [True]}, {"a": 1}, False),
        ({"a": [1]}, {"a": True}, False),
        ({"a": ["1"]}, {"a": 1}, False),
        ({"a": [1]}, {"a": "1"}, False),
        ('{"a":[300]}', '{"a":300}', True),
        ('{"a":[300]}', '{"a":300.0}', False),
        ('{"a":[300]}', '{"a":3.0e2}', False),
        # Members.
        ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "y", "c": 1}, True),
        ({"a": ["x"], "b": ["y"]}, {"a": "x"}, False),
        ({"a": {"b": ["x"]}}, {"a": {"b": "x"}}, True),
        ({"a": {"b": ["x"]}}, {"a": "x"}, False),
        ({"a": ["x"]}, {"a": {"x": "x"}}, False),
        # Arrays.
        ({"a": ["x"]}, {"a": ["y", "x"]}, True),
        ({"a": ["x"]}, {"a": [["x"]]}, True),
        ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
        ({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1, "c": 3}, {"b": 3, "c": 2}]}, False),
        # Texts.
        ({"a": [{"prefix": "ab"}]}, {"a": "abc"}, True),
        ({"a": [{"prefix": "ab"}]}, {"a": "xab"}, False),
        ({"a": [{"suffix": "bc"}]}, {"a": "abc"}, True),
        ({"a": [{"suffix": "bc"}]}, {"a": 5}, False),
        ({"a": [{"equals-ignore-case": "STRASSE"}]}, {"a": "Strasse"}, True),
        # What it is not.
        ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "y"}, False),
        ({"a": [{"anything-but": ["x", "y"]}]}, {}, False),
        ({"a": [{"anything-but": 5}]}, {"a": 6}, True),
        ({"a": [{"anything-but": [5]}]}, {"a": 5}, False),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "yx"}, True),
        ({"a": [{"anything-but": {"suffix": "x"}}]}, {"a": "yx"}, False),
        # Numbers.
        ({"a": [{"numeric": ["=", 300]}]}, '{"a":3.0e2}', True),
        ({"a": [{"numeric": [">", 10, "<=", 20]}]}, {"a": 20}, True),
        ({"a": [{"numeric": [">", 10, "<=", 20]}]}, {"a": 10}, False),
        ({"a": [{"numeric": ["<", 10]}]}, {"a": "5"}, False),
        ({"a": [{"numeric": [">", 0]}]}, '{"a":1e99999999999999999999}', False),
        ({"a": [{"numeric": [">", 0]}]}, '{"a":1e999999}', True),
        # Presence.
        ({"a": [{"exists": True}]}, {"a": None}, True),
        ({"a": [{"exists": True}]}, {}, False),
        ({"a": [{"exists": True}]}, {"a": {"b": 1}}, False),
        ({"a": [{"exists": False}]}, {"b": 1}, True),
        ({"a": {"b": [{"exists": False}]}}, {}, True),
        ({"a": {"b": [{"exists": False}]}}, {"a": {"b": 1}}, False),
        ({"a": {"b": [{"exists": False}]}}, {"a": "plain"}, False),
        # Alternatives.
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "y"}, False),
        ({"c": ["z"], "$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "x"}, False),
        ({"d": {"$or": [{"a": ["x"]}, {"b": [1]}]}}, {"d": {"b": 1}}, True),
        ({"a": ["x", {"prefix": "y"}, {"numeric": ["<", 3]}]}, {"a": 2}, True),
        # What is no object.
        ({"a": [{"exists": False}]}, "[]", False),
        ({"a": [{"exists": False}]}, '"a"', False),
    ],
)
def test_a_pattern_lets_through_what_it_says(pattern, document, passes):
    assert matches(pattern, document) is passes


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "null", "5", "[]", '"a"', "{}", '{"a":{}}', '{"a":[]}', '{"a":"x"}', '{"a":5}',
        '{"a":null}', '{"a":[[]]}', '{"a":[{}]}', '{"a":[{"prefix":"x","suffix":"y"}]}',
        '{"a":[{"regex":"x"}]}', '{"a":[{"prefix":5}]}', '{"a":[{"prefix":["x"]}]}',
        '{"a":[{"equals-ignore-case":null}]}', '{"a":[{"exists":"true"}]}',
        '{"a":[{"exists":1}]}', '{"a":[{"anything-but":[]}]}',
        '{"a":[{"anything-but":["x",1]}]}', '{"a":[{"anything-but":null}]}',
        '{"a":[{"anything-but":{"numeric":["<",1]}}]}', '{"a":[{"anything-but":{}}]}',
        '{"a":[{"numeric":[]}]}', '{"a":[{"numeric":["<"]}]}', '{"a":[{"numeric":[1,"<"]}]}',
        '{"a":[{"numeric":["<","1"]}]}', '{"a":[{"numeric":["~",1]}]}',
        '{"a":[{"numeric":["<",1,">",0]}]}', '{"a":[{"numeric":[">",2,"<",1]}]}',
        '{"a":[{"numeric":["=",1,"<",2]}]}', '{"a":[{"numeric":["<",1,"<",2,"<",3]}]}',
        '{"a":[{"numeric":["<",5.1e9]}]}', '{"a":[{"numeric":["<",1e999999999999999999999]}]}',
        '{"a":[NaN]}', '{"$or":[]}', '{"$or":[{"a":[1]}]}', '{"$or":[{"a":[1]},{}]}',
        '{"$or":{"a":[1]}}', '{"a":[1]', '{"a":' * 100 + "[1]" + "}" * 100,
        "[" * 2000, '{"a":' * 700, '{"$or":[{"a":[1]},' * 200,
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(PatternError):
        parse(text)


def test_a_document_of_many_arrays_in_arrays_is_walked_without_a_deep_stack():
    depth = 900
    document = read_document('{"a":' + "[" * depth + '"x"' + "]" * depth + "}")
    assert parse('{"a":["x"]}').matches(document)
    with pytest.raises(ValueError, match="too deep"):
        read_document("[" * 200_000)
