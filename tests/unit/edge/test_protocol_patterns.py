"""Java's regular expressions in Python, and those of the models that we serve."""

from __future__ import annotations

import re
import sys
import time
import unicodedata
import warnings

import pytest

from alonzo.edge import backtracking, patterns
from alonzo.edge.backtracking import chars_max
from alonzo.edge.models import service_model
from alonzo.edge.patterns import compile_pattern, translate

SERVED = [
    "lambda",
    "logs",
    "iam",
    "sts",
    "sqs",
    "sns",
    "events",
    "dynamodb",
    "kinesis",
    "stepfunctions",
]


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", ["", "a-b é٣ z", "日本"], ["a,b", "😹", "\n"]),
        (r"\P{C}*", ["a é"], ["a\n", "\u200b"]),
        (r"[^\p{C}]+", ["x"], ["", "\t"]),
        (r"[\p{M}]", ["\u0301"], ["a", "é"]),
        (r"[^\p{M}]", ["a", "é"], ["\u0301"]),
        (r"\p{Alnum}+", ["aZ9"], ["é", "_"]),
        (r"\p{IsAlphabetic}", ["é", "a"], ["1"]),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", ["a\t", "😹"], ["\n"]),
        (r"\A[a-z]+\z", ["abc"], ["abc\n", "A"]),
        (r"[\w-_]*", ["a-b_c"], ["a b", "é"]),
        (r"[\w- ]*", ["a-b c"], ["a,b"]),
        (r"[a[b||c]+", ["[|abc"], ["d"]),
        (r"\x{41}[\x{42}]", ["AB"], ["AA"]),
        (r"\d{2}", ["12"], ["1٣"]),
        (r"[-a]", ["-", "a"], ["b"]),
        (r"[]a]", ["]", "a"], ["b"]),
        (r"\$LATEST|[a-zA-Z0-9-_]+", ["$LATEST", "a-_b"], ["$latest"]),
    ],
)
def test_a_pattern_means_what_java_means(pattern: str, good: list[str], bad: list[str]) -> None:
    matches = compile_pattern(pattern)
    assert [value for value in good if not matches(value)] == []
    assert [value for value in bad if matches(value)] == []


@pytest.mark.parametrize("pattern", [r"[\p{Print}&&[^|:/]]+", r"a{11}{0,3}", r"\p{Klingon}", "[a"])
def test_a_pattern_that_cannot_be_expressed_takes_every_value(pattern: str) -> None:
    assert compile_pattern(pattern)("anything")


def test_a_value_too_long_to_backtrack_on_is_only_checked_against_one_class() -> None:
    long = "a" * (backtracking.OTHER_CHARS_MAX + 1)
    assert compile_pattern("a+b")(long)
    assert not compile_pattern("[b-z]*")(long)
    assert not compile_pattern("(a|b)c")("ab")


def test_what_the_sweep_of_unicode_leaves_out_is_unassigned_or_private() -> None:
    swept = [range(low, high + 1) for low, high in patterns._SWEPT]
    low, high = patterns._PRIVATE_PLANES
    skipped = range(0x34000, 0xE0000), range(0xE0200, low)
    assert all(len(part) for part in swept)
    assert {unicodedata.category(chr(code)) for part in skipped for code in part[::7]} == {"Cn"}
    assert {unicodedata.category(chr(code)) for code in range(low, high - 2, 97)} == {"Co"}
    assert high == sys.maxunicode


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        (r"[\w+=,.@-]+", sys.maxsize),
        (r"^[a-z]{1,64}$", sys.maxsize),
        (r"([a-z]+)+", backtracking.EXPONENTIAL_CHARS_MAX),
        (r"(a|a+)*", backtracking.EXPONENTIAL_CHARS_MAX),
        (r"[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*", backtracking.EXPONENTIAL_CHARS_MAX),
        (r"(?:[._a-z]?[a-z]+)*", backtracking.EXPONENTIAL_CHARS_MAX),
        (r"((/[A-Za-z0-9\.,\+@=_-]+)*)/", backtracking.OTHER_CHARS_MAX),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", backtracking.OTHER_CHARS_MAX),
        (r"(([a-z]|[a-z][a-z\-]*[a-z])\.)*x:[0-9]{1,5}", backtracking.OTHER_CHARS_MAX),
        (r"\$(\.[\w_-]+(\[(\d+|\*)\])*)*", backtracking.OTHER_CHARS_MAX),
        (r"[a-z0-9]+[\.\-\w]*[a-z0-9]+", backtracking.CUBIC_CHARS_MAX),
    ],
)
def test_a_pattern_that_may_run_away_takes_short_values_only(pattern: str, longest: int) -> None:
    assert chars_max(pattern) == longest


def model_patterns(service: str) -> set[str]:
    model = service_model(service)
    shapes = [model.shape_for(name) for name in model.shape_names]
    return {shape.metadata["pattern"] for shape in shapes if "pattern" in shape.metadata}


@pytest.mark.parametrize("service", SERVED)
def test_every_pattern_of_a_served_service_can_be_expressed(service: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pattern in model_patterns(service):
            re.compile(translate(pattern, 0x7F), re.ASCII)


@pytest.mark.parametrize("service", SERVED)
def test_no_pattern_of_a_served_service_runs_away(service: str) -> None:
    """Long values that nearly match, made of the pattern's own letters, cost little."""
    for pattern in model_patterns(service):
        bound = min(chars_max(pattern), backtracking.OTHER_CHARS_MAX)
        letters = dict.fromkeys(re.findall(r"[A-Za-z0-9:./_-]", pattern))
        seeds = ["a", "1", "-", ":", " ", "a-", "a.", "arn:aws:lambda:a:", *list(letters)[:6]]
        matches = compile_pattern(pattern)
        started = time.process_time()
        for seed in seeds:
            matches((seed * bound)[: bound - 1] + "\x00")
        assert time.process_time() - started < 1.0, pattern
