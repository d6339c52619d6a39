"""Cron expressions against one that looks at every minute, and none takes long."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from alonzo.lib.schedules import ScheduleError, parse

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
START = datetime(2026, 1, 1, tzinfo=UTC)
LOOKS = 3 * 24 * 60


def field(low, high):
    """A field as text, and the set of what it names."""
    values = st.integers(low, high)

    @st.composite
    def item(draw):
        kind = draw(st.sampled_from(("all", "one", "range", "step", "range step")))
        if kind == "all":
            return "*", set(range(low, high + 1))
        first = draw(values)
        if kind == "one":
            return str(first), {first}
        last, step = draw(st.integers(first, high)), draw(st.integers(1, 9))
        return {
            "range": (f"{first}-{last}", set(range(first, last + 1))),
            "step": (f"{first}/{step}", set(range(first, high + 1, step))),
            "range step": (f"{first}-{last}/{step}", set(range(first, last + 1, step))),
        }[kind]

    def joined(items):
        return ",".join(text for text, _ in items), set().union(*(named for _, named in items))

    return st.lists(item(), min_size=1, max_size=3).map(joined)


@given(
    minutes=field(0, 59),
    hours=field(0, 23),
    days=field(1, 31),
    months=field(1, 12),
    zone=st.sampled_from(ZONES),
    start=st.integers(0, 730 * 24 * 60),
)
def test_the_next_time_is_the_first_minute_that_fits(minutes, hours, days, months, zone, start):
    expression = f"cron({minutes[0]} {hours[0]} {days[0]} {months[0]} ? *)"
    tz, after = ZoneInfo(zone), START + timedelta(minutes=start)
    found = parse(expression, zone).next_after(after.timestamp(), 0)
    seen = after.astimezone(tz)
    for n in range(1, LOOKS):
        now = (after + timedelta(minutes=n)).astimezone(tz)
        fits = (
            now.minute in minutes[1]
            and now.hour in hours[1]
            and now.day in days[1]
            and now.month in months[1]
            and now.fold == 0
        )
        if fits:
            assert found == now.timestamp()
            return
        seen = now
    assert found is None or found > seen.timestamp()


@given(st.text("0123456789*?-/,LW#MONrateicronat() :T", max_size=60))
def test_any_text_is_an_expression_or_is_refused(text):
    for candidate in (text, f"cron({text})", f"rate({text})", f"at({text})"):
        try:
            schedule = parse(candidate)
        except ScheduleError:
            continue
        following = schedule.next_after(START.timestamp(), START.timestamp())
        assert following is None or following >= START.timestamp()
