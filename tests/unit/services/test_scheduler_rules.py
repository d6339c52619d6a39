"""When schedules fire: expressions, dates, windows, and ticks that nobody was there for."""

from datetime import UTC, datetime

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.scheduler import rules
from alonzo.services.scheduler.inputs import Occasion, filled_in, notification
from alonzo.services.scheduler.rules import Fire, Timing

NOW_S = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC).timestamp()
HOUR_S, DAY_S = 3600.0, 86_400.0


def at(text):
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC).timestamp()


def first(timing, now_s=NOW_S):
    return rules.first_tick(timing, rules.anchor_of(timing, now_s), now_s)


@pytest.mark.parametrize(
    ("timing", "tick_at_s"),
    [
        # Without a start a rate begins at once; with one, then.
        (Timing("rate(1 hour)"), NOW_S),
        (Timing("rate(1 hour)", start_s=NOW_S + 90), NOW_S + 90),
        (Timing("rate(1 hour)", start_s=NOW_S - 90), NOW_S - 90 + HOUR_S),
        (Timing("rate(2 minute)", end_s=NOW_S - 1), None),
        (Timing("RATE(1 hours)"), NOW_S),
        (Timing("cron(0 13 * * ? *)"), at("11-21T13:00")),
        (Timing("cron(0 13 * * ?)"), at("11-21T13:00")),
        (Timing("cron(0 13 * * ? *)", "Europe/Berlin"), at("11-22T12:00")),
        (Timing("cron(0 13 * * ? *)", start_s=at("12-01T13:00")), at("12-01T13:00")),
        (Timing("cron(0 13 * * ? *)", start_s=at("12-01T13:00") + 0.5), at("12-02T13:00")),
        (Timing("cron(0 13 * * ? *)", end_s=at("11-21T13:00")), at("11-21T13:00")),
        (Timing("cron(0 13 * * ? *)", end_s=at("11-21T12:59")), None),
        (Timing("cron(0 13 * * ? 2020)"), None),
        (Timing("at(2026-11-21T13:00:00)"), at("11-21T13:00")),
        (Timing("at(2026-11-21T13:00)"), at("11-21T13:00")),
        # Start and end are not asked.
        (Timing("at(2026-11-21T13:00:00)", end_s=NOW_S, start_s=NOW_S + DAY_S), at("11-21T13:00")),
        # One that has just passed is made up for, one that is over for a minute is not.
        (Timing("at(2026-11-21T12:00:00)"), at("11-21T12:00")),
        (Timing("at(2026-11-21T11:59:00)"), None),
        (Timing("at(2026-11-20T12:00:00)"), None),
    ],
)
def test_a_schedule_fires_first(timing, tick_at_s):
    rules.schedule_of(timing.expression, timing.timezone)
    assert first(timing) == tick_at_s


@pytest.mark.parametrize(
    ("timing", "late_s", "fires"),
    [
        (Timing("rate(1 minute)"), 0.0, Fire(NOW_S, NOW_S, NOW_S + 60)),
        # The last of those missed, and the rhythm stays.
        (Timing("rate(1 minute)"), 3601.0, Fire(NOW_S + 3600, NOW_S + 3600, NOW_S + 3660)),
        (Timing("rate(1 minute)"), 365 * DAY_S, None),
        (
            Timing("rate(1 hour)", end_s=NOW_S + 5000),
            9000.0,
            Fire(NOW_S + 3600, NOW_S + 3600, None),
        ),
        # A clock that was set back does not bring a tick back.
        (Timing("rate(1 hour)"), -HOUR_S, Fire(NOW_S, NOW_S, NOW_S + HOUR_S)),
        # A window begins with the tick; half of it is what chance gives here.
        (Timing("rate(1 hour)", window_s=600), 0.0, Fire(NOW_S, NOW_S + 300, NOW_S + HOUR_S)),
    ],
)
def test_what_comes_of_a_tick(timing, late_s, fires):
    found = rules.fire(timing, NOW_S, NOW_S, NOW_S + late_s, 0.5)
    if fires is None:
        fires = Fire(NOW_S + late_s, NOW_S + late_s, NOW_S + late_s + 60)
    assert found == fires


def test_the_last_of_a_month_of_missed_ticks_is_made_up_for():
    timing = Timing("cron(* * 1 1 ? *)")
    tick_at_s = first(timing)
    found = rules.fire(timing, NOW_S, tick_at_s, tick_at_s + 200 * DAY_S, 0.0)
    assert found.tick_at_s == tick_at_s + DAY_S - 60
    assert datetime.fromtimestamp(found.next_at_s, UTC) == datetime(2028, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timing", "text"),
    [
        (Timing("rate(0 minutes)"), "Invalid Schedule Expression rate(0 minutes)."),
        (Timing(" rate(1 minute)"), "Invalid Schedule Expression  rate(1 minute)."),
        (Timing("cron(0 1 * * * *)"), "Invalid Schedule Expression cron(0 1 * * * *)."),
        (Timing("cron(0 1 * ?)"), "Invalid Schedule Expression cron(0 1 * ?)."),
        (
            Timing("at(2021-12-31T23:59:59Z)"),
            "Invalid Schedule Expression at(2021-12-31T23:59:59Z).",
        ),
        (Timing("rate(1 day)", "Mars/Olympus"), "Invalid ScheduleExpressionTimezone Mars/Olympus."),
        (
            Timing("rate(1 day)", start_s=NOW_S, end_s=NOW_S),
            "The StartDate you specify must come before the EndDate.",
        ),
        (
            Timing("rate(1 day)", start_s=NOW_S - 301),
            "The StartDate you specify cannot be earlier than 5 minutes ago.",
        ),
        (Timing("rate(1 day)", end_s=1e12), "StartDate and EndDate must be dates from 1970 to"),
    ],
)
def test_what_cannot_be_is_refused(timing, text):
    with pytest.raises(AwsError) as caught:
        rules.check(timing, NOW_S)
    assert caught.value.code == "ValidationException"
    assert caught.value.message.startswith(text)


def test_a_start_that_was_good_once_stays_good():
    rules.check(Timing("rate(1 day)", start_s=5.0e8), NOW_S, known_start_s=5.0e8)


@pytest.mark.parametrize(
    ("window", "length_s"),
    [
        ({"Mode": "OFF"}, 0),
        ({"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}, 900),
        ({"Mode": "FLEXIBLE"}, None),
        ({"Mode": "OFF", "MaximumWindowInMinutes": 15}, None),
    ],
)
def test_a_flexible_window_has_a_length_and_no_other_has(window, length_s):
    if length_s is not None:
        assert rules.window_s(window) == length_s
        return
    with pytest.raises(AwsError, match="MaximumWindowInMinutes must"):
        rules.window_s(window)


def test_placeholders_are_filled_in_and_other_text_is_left_alone():
    occasion = Occasion("arn:aws:scheduler:us-east-1:123456789012:schedule/g/n", NOW_S, 3)
    text = "<aws.scheduler.scheduled-time> <aws.scheduler.attempt-number> <aws.scheduler.other> é"
    assert filled_in(text, occasion) == "2026-11-21T12:00:30Z 3 <aws.scheduler.other> é"
    assert filled_in("<aws.scheduler.schedule-arn>", occasion) == occasion.schedule_arn
    ids = {Occasion(occasion.schedule_arn, NOW_S, n).execution_id for n in (1, 2, 1)}
    assert len(ids) == 2
    assert '"resources":["arn:aws:scheduler' in notification(occasion)
