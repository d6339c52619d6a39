"""Schedule expressions against the examples of AWS's user guides, and daylight saving."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alonzo.lib.schedules import ScheduleError, parse

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def times(expression, start, n=3, zone="UTC"):
    """The next times after ``start``, as the clocks of the zone show them."""
    schedule, after, shown = parse(expression, zone), at(start, zone), []
    for _ in range(n):
        after = schedule.next_after(after, 0)
        if after is None:
            return [*shown, None]
        shown.append(datetime.fromtimestamp(after, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M"))
    return shown


@pytest.mark.parametrize(
    ("expression", "start", "shown"),
    [
        # EventBridge user guide, cron expressions reference, examples.
        ("cron(0 10 * * ? *)", "2026-01-01T10:00", ["2026-01-02 10:00", "2026-01-03 10:00"]),
        ("cron(15 12 * * ? *)", "2026-01-01T00:00", ["2026-01-01 12:15", "2026-01-02 12:15"]),
        ("cron(0 18 ? * MON-FRI *)", "2026-01-01T19:00", ["2026-01-02 18:00", "2026-01-05 18:00"]),
        ("cron(0 8 1 * ? *)", "2026-01-01T08:00", ["2026-02-01 08:00", "2026-03-01 08:00"]),
        ("cron(0/15 * * * ? *)", "2026-01-01T00:50", ["2026-01-01 01:00", "2026-01-01 01:15"]),
        ("cron(0/10 * ? * MON-FRI *)", "2026-01-02T23:55", ["2026-01-05 00:00"]),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-01-02T17:55", ["2026-01-05 08:00"]),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            "2026-01-02T02:30",
            ["2026-01-02 20:00", "2026-01-02 20:30"],
        ),
        ("cron(15 10 ? * 6L 2022-2023)", "2022-01-01T00:00", ["2022-01-28 10:15"]),
        ("cron(15 10 ? * 6L 2022-2023)", "2023-12-29T10:15", [None]),
        # The wildcards, one by one.
        ("cron(1/10 0 * * ? *)", "2026-01-01T00:05", ["2026-01-01 00:11", "2026-01-01 00:21"]),
        ("cron(0 0 L * ? *)", "2026-01-31T00:00", ["2026-02-28 00:00", "2026-03-31 00:00"]),
        ("cron(0 0 L FEB ? 2028)", "2026-01-01T00:00", ["2028-02-29 00:00", None]),
        ("cron(0 0 3W * ? *)", "2026-01-01T00:00", ["2026-01-02 00:00", "2026-02-03 00:00"]),
        ("cron(0 0 1W 8 ? *)", "2026-01-01T00:00", ["2026-08-03 00:00"]),
        ("cron(0 0 31W 5 ? *)", "2026-01-01T00:00", ["2026-05-29 00:00"]),
        ("cron(0 0 31W * ? *)", "2026-01-31T00:00", ["2026-03-31 00:00"]),
        ("cron(0 0 LW * ? *)", "2026-01-01T00:00", ["2026-01-30 00:00", "2026-02-27 00:00"]),
        ("cron(0 0 ? * 3#2 *)", "2026-01-01T00:00", ["2026-01-13 00:00", "2026-02-10 00:00"]),
        ("cron(0 0 ? * FRI#5 *)", "2026-02-01T00:00", ["2026-05-29 00:00"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00", ["2026-01-03 00:00", "2026-01-10 00:00"]),
        ("cron(0 0 ? * 1 *)", "2026-01-01T00:00", ["2026-01-04 00:00"]),
        ("cron(0 0 ? * FRI-MON *)", "2026-01-01T00:00", ["2026-01-02 00:00", "2026-01-03 00:00"]),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("cron(5,35 4,16 1,15 jan,jul ? *)", "2026-01-01T16:35", ["2026-01-15 04:05"]),
        ("cron(0 0 1 1 ? 2026/2)", "2026-06-01T00:00", ["2028-01-01 00:00"]),
        ("cron(0 0 31 2 ? *)", "2026-01-01T00:00", [None]),
        ("cron(59 23 31 12 ? 2199)", "2026-01-01T00:00", ["2199-12-31 23:59", None]),
    ],
)
def test_cron_expressions_come_when_aws_says(expression, start, shown):
    assert times(expression, start, len(shown)) == shown


def test_a_time_zone_s_clocks_count():
    schedule = parse("cron(0 9 * * ? *)", NEW_YORK)
    assert schedule.next_after(at("2026-01-01T00:00"), 0) == at("2026-01-01T14:00")
    assert schedule.next_after(at("2026-07-01T00:00"), 0) == at("2026-07-01T13:00")


def test_a_time_that_daylight_saving_leaves_out_is_skipped():
    shown = times("cron(30 2 * * ? *)", "2026-03-28T00:00", 3, BERLIN)
    assert shown == ["2026-03-28 02:30", "2026-03-30 02:30", "2026-03-31 02:30"]


def test_a_time_that_daylight_saving_repeats_comes_once():
    schedule = parse("cron(0/30 2 * * ? *)", BERLIN)
    after, found = at("2026-10-25T00:00", BERLIN), []
    while (after := schedule.next_after(after, 0)) < at("2026-10-25T12:00", BERLIN):
        found.append(datetime.fromtimestamp(after, UTC).strftime("%H:%M"))
    assert found == ["00:00", "00:30"]


@pytest.mark.parametrize(
    ("expression", "period"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(2 hours)", 7200),
        ("rate(1 day)", 86400),
    ],
)
def test_rates_are_counted_from_their_anchor(expression, period):
    schedule, anchor = parse(expression), 1_000_000.5
    assert schedule.next_after(anchor - 10, anchor) == anchor
    assert schedule.next_after(anchor, anchor) == anchor + period
    assert schedule.next_after(anchor + 7.25 * period, anchor) == anchor + 8 * period


def test_a_day_of_a_rate_is_24_hours_whatever_the_clocks_do():
    anchor = at("2026-03-28T12:00", BERLIN)
    following = parse("rate(1 day)", BERLIN).next_after(anchor, anchor)
    assert following == anchor + timedelta(hours=24).total_seconds()


def test_a_moment_comes_once():
    schedule = parse("at(2026-11-20T13:00:30)", NEW_YORK)
    moment = at("2026-11-20T13:00:30", NEW_YORK)
    assert schedule.next_after(moment - 1, 0) == moment
    assert schedule.next_after(moment, 0) is None


def test_a_moment_that_daylight_saving_leaves_out_comes_as_much_later():
    assert parse("at(2026-03-29T02:30:00)", BERLIN).next_after(0, 0) == at(
        "2026-03-29T03:30", BERLIN
    )


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "cron",
        "cron()",
        "rate()",
        "at()",
        "every(5 minutes)",
        "cron(0 10 * * ? *) ",
        "rate(0 minutes)",
        "rate(-1 minutes)",
        "rate(5 weeks)",
        "rate(5  minutes)",
        "rate(1.5 hours)",
        "rate(9999999999 days)",
        "rate(5minutes)",
        "rate(\u0665 minutes)",
        "at(2026-13-01T00:00:00)",
        "at(2026-01-01)",
        "at(2026-01-01T00:00:00Z)",
        "at(2026-1-1T0:0:0)",
        "cron(0 10 * * *)",
        "cron(0 10 * * ? * *)",
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(60 10 * * ? *)",
        "cron(-1 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 10 0 * ? *)",
        "cron(0 10 32 * ? *)",
        "cron(0 10 * 13 ? *)",
        "cron(0 10 ? * 0 *)",
        "cron(0 10 ? * 8 *)",
        "cron(0 10 * * ? 1969)",
        "cron(0 10 * * ? 2200)",
        "cron(0/0 10 * * ? *)",
        "cron(*/ 1 * * ? *)",
        "cron(0 10 ? * 3#6 *)",
        "cron(0 10 ? * 3#1,6#3 *)",
        "cron(0 10 ? * MON/2 *)",
        "cron(0 10 L-3 * ? *)",
        "cron(0 10 W * ? *)",
        "cron(L 10 * * ? *)",
        "cron(0 10 * FOO ? *)",
        "cron(0,,5 10 * * ? *)",
        "cron(*-5 10 * * ? *)",
        "cron(00000 10 * * ? *)",
    ],
)
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(ScheduleError):
        parse(expression)


@pytest.mark.parametrize("expression", ["rate(1 minutes)", "rate(5 minute)"])
def test_rules_want_one_minute_and_five_minutes(expression):
    assert parse(expression)
    with pytest.raises(ScheduleError):
        parse(expression, exact_units=True)


@pytest.mark.parametrize(
    "zone", ["", "Nowhere/City", "../../etc/passwd", "Europe", "x" * 99, "a\0b"]
)
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(ScheduleError):
        parse("rate(1 hour)", zone)


def test_time_zones_are_known_on_a_host_that_has_none():
    program = "from alonzo.lib.schedules.zones import zone; print(zone('Europe/Berlin'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "Europe/Berlin\n", done.stderr
