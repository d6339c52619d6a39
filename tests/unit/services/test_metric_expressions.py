"""Metric math: what an expression is, and what comes out of it."""

import pytest

from alonzo.services.cloudwatch.expressions.evaluator import Evaluator
from alonzo.services.cloudwatch.expressions.functions import FUNCTIONS, REFUSED
from alonzo.services.cloudwatch.expressions.parser import ExpressionError, names, parse
from alonzo.services.cloudwatch.expressions.values import Series, Span

SPAN = Span(0, 240)
SERIES = {
    "m1": Series(60, "m1", {0: 1.0, 60: 2.0, 120: 3.0, 180: 4.0}),
    "m2": Series(60, "m2", {0: 10.0, 120: 0.0}),
    "none": Series(60, "none"),
    "slow": Series(300, "slow", {0: 1.0}),
}


def evaluate(text, series=None):
    known = SERIES if series is None else series
    same = {key: each for key, each in known.items() if each.period_s == 60}
    found = Evaluator(known.get, lambda: same, SPAN).series(parse(text))
    return [each.values for each in found]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("m1", {0: 1, 60: 2, 120: 3, 180: 4}),
        ("m1 + m2", {0: 11, 120: 3}),
        ("m2 - m1", {0: 9, 120: -3}),
        ("m1 * 2 + 1", {0: 3, 60: 5, 120: 7, 180: 9}),
        ("1 + 2 * m1", {0: 3, 60: 5, 120: 7, 180: 9}),
        ("(1 + 2) * m1", {0: 3, 60: 6, 120: 9, 180: 12}),
        ("m1 / m2", {0: 0.1}),  # 3 / 0 is no value
        ("100 * m1 / SUM(m1)", {0: 10, 60: 20, 120: 30, 180: 40}),
        ("m1 ^ 2", {0: 1, 60: 4, 120: 9, 180: 16}),
        ("-m1 ^ 2", {0: -1, 60: -4, 120: -9, 180: -16}),
        ("m1 - -1", {0: 2, 60: 3, 120: 4, 180: 5}),
        ("m1 * AVG(m1)", {0: 2.5, 60: 5, 120: 7.5, 180: 10}),
        ("m1 - MIN(m1)", {0: 0, 60: 1, 120: 2, 180: 3}),
        ("MAX(m1) - m1", {0: 3, 60: 2, 120: 1, 180: 0}),
        ("SUM([m1, m2])", {0: 11, 60: 2, 120: 3, 180: 4}),
        ("AVG([m1, m2])", {0: 5.5, 60: 2, 120: 1.5, 180: 4}),
        ("MIN([m1, m2])", {0: 1, 60: 2, 120: 0, 180: 4}),
        ("MAX([m1, m2])", {0: 10, 60: 2, 120: 3, 180: 4}),
        ("SUM(METRICS())", {0: 11, 60: 2, 120: 3, 180: 4}),
        ('SUM(METRICS("m"))', {0: 11, 60: 2, 120: 3, 180: 4}),
        ("SUM(METRICS('2'))", {0: 10, 120: 0}),
        ("FILL(m2, 5)", {0: 10, 60: 5, 120: 0, 180: 5}),
        ("FILL(m2, REPEAT)", {0: 10, 60: 10, 120: 0, 180: 0}),
        ("FILL(m2, LINEAR)", {0: 10, 60: 5, 120: 0}),
        ("m1 + FILL(m2, 0)", {0: 11, 60: 2, 120: 3, 180: 4}),
        ("RATE(m1)", {60: 1 / 60, 120: 1 / 60, 180: 1 / 60}),
        ("DIFF(m1)", {60: 1, 120: 1, 180: 1}),
        ("DIFF_TIME(m2)", {120: 120}),
        ("RUNNING_SUM(m1)", {0: 1, 60: 3, 120: 6, 180: 10}),
        ("m1 / PERIOD(m1)", {0: 1 / 60, 60: 2 / 60, 120: 3 / 60, 180: 4 / 60}),
        ("IF(m1 > 2, m1, 0)", {0: 0, 60: 0, 120: 3, 180: 4}),
        ("IF(m1 > 2, m1)", {120: 3, 180: 4}),
        ("IF(m1 > 1 AND m1 < 4, 1, 0)", {0: 0, 60: 1, 120: 1, 180: 0}),
        ("m1 == 2 || m1 == 3", {0: 0, 60: 1, 120: 1, 180: 0}),
        ("ABS(-m1)", {0: 1, 60: 2, 120: 3, 180: 4}),
        ("CEIL(m1 / 2)", {0: 1, 60: 1, 120: 2, 180: 2}),
        ("FLOOR(m1 / 2)", {0: 0, 60: 1, 120: 1, 180: 2}),
        ("LOG10(m1 * 0 + 100)", {0: 2, 60: 2, 120: 2, 180: 2}),
        ("LOG(m2)", {0: 2.302585092994046}),  # of 0 there is none
        ("TIME_SERIES(7)", {0: 7, 60: 7, 120: 7, 180: 7}),
        ("m1 * METRIC_COUNT(METRICS())", {0: 3, 60: 6, 120: 9, 180: 12}),
        ("m1 * DATAPOINT_COUNT(m2)", {0: 2, 60: 4, 120: 6, 180: 8}),
        ("STDDEV([m1, m2])", {0: 4.5, 60: 0, 120: 1.5, 180: 0}),
    ],
)
def test_an_expression_has_its_values(text, values):
    (got,) = evaluate(text)
    assert got == pytest.approx(values)


def test_lists_stay_lists():
    assert evaluate("[m1, m2] * 2") == [
        {0: 2, 60: 4, 120: 6, 180: 8}, {0: 20, 120: 0},
    ]  # fmt: skip
    assert evaluate("REMOVE_EMPTY([m2, none])") == [{0: 10, 120: 0}]


def test_a_number_of_a_series_without_values_is_no_answer():
    assert evaluate("m1 * SUM(none)") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("m1 +", "it ends too early"),
        ("m1 m2", "'m2' is not expected"),
        ("(m1", "')' is missing"),
        ("m1 # 2", "it cannot be read from character 3 on"),
        ("[m1, m2", "',' is missing"),
        ("(" * 60 + "m1" + ")" * 60, "it is nested too deeply"),
        ("-" * 60 + "m1", "it is nested too deeply"),
        ("m1" + "^m1" * 60, "it is nested too deeply"),
        ("nobody", "there is no query with the id nobody"),
        ("1 + 1", "it must be a time series, and it is a single number"),
        ("SUM(m1)", "it must be a time series, and it is a single number"),
        ("SUM(m1, m2)", "SUM takes 1 argument"),
        ("FILL(m1)", "FILL takes 2 arguments"),
        ("NONSENSE(m1)", "there is no function NONSENSE"),
        ("m1 + slow", "metrics of different periods cannot be used together"),
        ("'text'", "a text is no value"),
        ("[m1, 1]", "A list takes one time series"),
    ],
)
def test_what_cannot_be_worked_out_says_why(text, reason):
    with pytest.raises(ExpressionError) as caught:
        evaluate(text)
    assert str(caught.value) == reason


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_functions_that_are_missing_are_refused_by_name(name):
    with pytest.raises(ExpressionError, match=f"{name} is not supported by Alonzo yet: "):
        evaluate(f"{name}(m1)")


def test_no_function_is_both_here_and_refused():
    assert not FUNCTIONS.keys() & REFUSED.keys()


def test_a_long_row_of_signs_is_no_deep_tree_to_read():
    (got,) = evaluate("m1" + "+m1" * 400)
    assert got[0] == 401


def test_the_names_of_an_expression_are_those_of_other_queries():
    assert sorted(names(parse("SUM([a, b]) + FILL(c, REPEAT) * 2 - 'd'"))) == [
        "REPEAT", "a", "b", "c",
    ]  # fmt: skip
