"""Rules of composite alarms, the order in which alarms follow, and when actions are kept back."""

import json

import pytest

from alonzo.services.cloudwatch.alarms.composite.graph import on_cycles, order_of
from alonzo.services.cloudwatch.alarms.composite.reasons import after_child, children_of, data_of
from alonzo.services.cloudwatch.alarms.composite.rule import RuleError, evaluate, parse_rule
from alonzo.services.cloudwatch.alarms.composite.suppression import (
    By,
    Suppressor,
    after_change,
    after_suppressor,
)
from alonzo.services.cloudwatch.alarms.evaluation import State

ARN = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a"
STATES = {
    "a": State.ALARM,
    "o": State.OK,
    "i": State.INSUFFICIENT_DATA,
    ARN: State.ALARM,
    "with space (1)": State.ALARM,
    'say "hi"\\': State.ALARM,
    "a,b": State.ALARM,
    "NOT": State.ALARM,
}


@pytest.mark.parametrize(
    ("rule", "holds", "because"),
    [
        ("ALARM(a)", True, "a"),
        ("ALARM(o)", False, "o"),
        ("OK(o)", True, "o"),
        ("INSUFFICIENT_DATA(i)", True, "i"),
        (f"ALARM({ARN})", True, ARN),
        ('ALARM("with space (1)")', True, "with space (1)"),
        (r'ALARM("say \"hi\"\\")', True, 'say "hi"\\'),
        ("ALARM(a,b)", True, "a,b"),
        ("ALARM(NOT)", True, "NOT"),
        ("ALARM( a )AND\n\tNOT(OK(a))", True, "a"),
        ("TRUE", True, ""),
        ("false", False, ""),
        ("NOT FALSE", True, ""),
        ("NOT NOT ALARM(a)", True, "a"),
        ("ALARM(a) OR ALARM(o)", True, "a"),
        ("ALARM(a) AND ALARM(o)", False, "o"),
        ("ALARM(a) AND OK(o)", True, "a o"),
        ("OK(a) OR ALARM(o)", False, "a o"),
        # AND binds tighter than OR, NOT tightest.
        ("ALARM(a) OR ALARM(o) AND ALARM(i)", True, "a"),
        ("(ALARM(a) OR ALARM(o)) AND ALARM(i)", False, "i"),
        ("NOT ALARM(a) OR ALARM(a)", True, "a"),
        ("NOT (ALARM(a) OR ALARM(a))", False, "a"),
        ("AT_LEAST(1, ALARM, (a, o, i))", True, "a"),
        ("AT_LEAST(2, ALARM, (a, o, i))", False, "o i"),
        ("AT_LEAST(2, NOT ALARM, (a, o, i))", True, "o i"),
        ("AT_LEAST(34%, ALARM, (a, o, i))", False, "o i"),
        ('AT_LEAST("33%", ALARM, ("a", o, i))', True, "a"),
        ("AT_LEAST(2, ALARM, (a, a, o)) AND NOT OK(a)", True, "a"),
    ],
)
def test_a_rule_comes_to(rule, holds, because):
    answer = evaluate(parse_rule(rule), STATES)
    assert answer.holds is holds
    assert answer.because == ({because} if because in STATES else set(because.split()))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("()", r"\[Unsupported token '\)' at char 1, must be: '\(', 'NOT', AT_LEAST, TRUE or"),
        ("ALARM(Oldest Age)", r"\[Unsupported token 'Age' at char 13, must be: '\)'\]"),
        (" ALARM(a)", "must not contain leading or trailing whitespace or be null"),
        ("ALARM(a) AND", r"Unsupported token '' at char 12"),
        ("ALARM(a) ALARM(b)", r"Unsupported token 'ALARM' at char 9, must be: '\)', 'AND' or"),
        ("(ALARM(a)", r"Unsupported token '' at char 9, must be: '\)'"),
        ("ALARM(a))", r"Unsupported token '\)' at char 8"),
        ("ALARM()", "the name or the ARN of an alarm"),
        ('ALARM("")', "the name or the ARN of an alarm"),
        ('ALARM("a)', "the name or the ARN of an alarm"),
        ("alarm(a)", "Unsupported token 'alarm' at char 0"),
        ("ALARM(a) and ALARM(b)", "Unsupported token 'and'"),
        ("AT_LEAST(0, ALARM, (a))", "AT_LEAST 0 of 1 alarms"),
        ("AT_LEAST(2, ALARM, (a))", "AT_LEAST 2 of 1 alarms"),
        ("AT_LEAST(101%, ALARM, (a))", "AT_LEAST 101% of 1 alarms"),
        ("AT_LEAST(x, ALARM, (a))", "a number or a percentage"),
        ("AT_LEAST(1, TRUE, (a))", "must be: ALARM, OK, or INSUFFICIENT_DATA"),
        (" OR ".join(f"ALARM({n})" for n in range(101)), "more than 100 alarms"),
        (" OR ".join(["TRUE"] * 501), "more than 500 elements"),
        ("(" * 300 + "TRUE" + ")" * 300, "more than 500 elements"),
    ],
)
def test_what_is_no_rule_is_refused(rule, text):
    with pytest.raises(RuleError, match=text):
        parse_rule(rule)


def test_a_rule_may_be_as_long_and_as_deep_as_the_limits_allow():
    assert len(parse_rule(" OR ".join(f"ALARM({n})" for n in range(100))).children) == 100
    assert evaluate(parse_rule("(" * 249 + "TRUE" + ")" * 249), {}).holds
    assert evaluate(parse_rule("NOT " * 2500 + "TRUE"), {}).holds


def test_alarms_follow_those_that_they_look_at_and_cycles_stand_still():
    # d looks at b and c, which look at a; e and f look at each other, g at f, and all at a.
    parents = {
        "a": ["b", "c", "d", "e"],
        "b": ["d"],
        "c": ["d"],
        "d": ["g"],
        "e": ["f"],
        "f": ["e", "g"],
        "g": [],
    }
    order = order_of(parents)
    assert order in (["b", "c", "d", "g"], ["c", "b", "d", "g"])
    assert on_cycles(parents) == {"e", "f"}
    assert on_cycles({"a": ["a"]}) == {"a"}


#: The user guide's examples: a wait of two, an extension of three. What happens when, and when
#: actions follow. + and - are the suppressor that goes off and calms down; A and O the alarm.
EXAMPLES = {
    "not suppressed after the wait": ("A2", {4: "ALARM"}),
    "suppressed before the wait is over": ("A2 +3", {}),
    "a change within the wait": ("A2 O3", {5: "OK"}),
    "a change while suppressed": ("+1 A2", {}),
    "not suppressed after the extension": ("A2 +3 -6", {9: "ALARM"}),
    "a change within the extension": ("A2 +3 -6 O7", {9: "OK"}),
    "nothing waits": ("+3 -6", {}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_actions_are_kept_back_as_the_user_guide_shows(name):
    told, expected = EXAMPLES[name]
    steps = {int(each[1:]): each[0] for each in told.split()}
    suppressor = Suppressor("s", 2, 3)
    hold, suppressing, state, acted = None, False, State.OK, {}
    for now_s in range(12):
        if hold is not None and hold.until_s == now_s:
            if hold.left is not None:
                acted[now_s] = state
            hold = None
        step = steps.get(now_s)
        if step in ("A", "O"):
            left, state = state, State.ALARM if step == "A" else State.OK
            hold = after_change(suppressor, suppressing=suppressing, left=left, now_s=now_s)
            assert hold is not None
        elif step is not None:
            suppressing = step == "+"
            hold = after_suppressor(hold, suppressor, suppressing=suppressing, now_s=now_s)
    assert acted == expected
    if suppressing:
        assert hold.by is By.ALARM


def test_periods_of_no_length_are_none():
    none = Suppressor("s", 0, 0)
    assert after_change(none, suppressing=False, left=State.OK, now_s=1) is None
    hold = after_change(none, suppressing=True, left=State.OK, now_s=1)
    assert after_suppressor(hold, none, suppressing=False, now_s=1) is None
    assert after_change(None, suppressing=True, left=State.OK, now_s=1) is None


def test_reasons_name_the_alarms_that_suffice():
    at_s = 1_658_505_465.394
    text = after_child(ARN, State.ALARM, at_s)
    assert text == f"{ARN} transitioned to ALARM at Friday 22 July, 2022 15:57:45 UTC"
    data = data_of([("older", State.OK, at_s - 60), ("newer", State.ALARM, at_s)])
    assert [each["arn"] for each in json.loads(data)["triggeringAlarms"]] == ["newer", "older"]
    assert children_of(data)[0] == {
        "Arn": "newer",
        "State": {"Value": "ALARM", "Timestamp": "2022-07-22T15:57:45.394+0000"},
    }
    # Of many with long names as many as there is room for.
    many = data_of((f"{n}{'x' * 1000}", State.OK, at_s) for n in range(100))
    assert len(many) <= 4000
    assert len(json.loads(many)["triggeringAlarms"]) == 3
    assert children_of('{"triggeringAlarms": [1]}') == children_of(None) == children_of("[]") == []
