"""Ticks under any clock: none twice, none that the expression does not name, the last one made up
for; and what happens to a schedule while its process comes and goes."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alonzo.lib.clock import ManualClock
from alonzo.services.scheduler import rules
from alonzo.services.scheduler.rules import Timing
from alonzo.testing.scheduling import clockwork

NOW_S = 1_800_000_000.0
EXPRESSIONS = st.sampled_from(
    (
        "rate(1 minute)",
        "rate(7 hours)",
        "cron(*/9 2-4 * * ? *)",
        "cron(0 0 1 * ? *)",
        "cron(30 2 ? * SUN *)",
        "cron(* * 29 2 ? *)",
    )
)
ZONES = st.sampled_from(("UTC", "Europe/Berlin", "Australia/Lord_Howe"))


@given(EXPRESSIONS, ZONES, st.lists(st.floats(0, 3e6), min_size=1, max_size=4))
def test_each_tick_fires_once_and_the_last_one_missed_too(expression, zone, pauses):
    timing = Timing(expression, zone)
    anchor_s = rules.anchor_of(timing, NOW_S)
    tick_at_s, now_s, fired = rules.first_tick(timing, anchor_s, NOW_S), NOW_S, []
    for pause_s in pauses:
        now_s += pause_s
        if tick_at_s > now_s:
            continue
        plan = rules.fire(timing, anchor_s, tick_at_s, now_s, 0.0)
        fired.append(plan.tick_at_s)
        assert tick_at_s <= plan.tick_at_s <= now_s < plan.next_at_s
        # Nothing lies between what fired and what comes next, by the expression's own word.
        assert rules.next_tick(timing, anchor_s, plan.tick_at_s) == plan.next_at_s
        tick_at_s = plan.next_at_s
    assert fired == sorted(set(fired))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from((-7200.0, 0.0, 30.0, 60.0, 90.0, 7200.0))),
        st.sampled_from(
            (("fire", 0.0), ("restart", 0.0), ("off", 0.0), ("on", 0.0), ("describe", 0.0))
        ),
    ),
    max_size=12,
)


@settings(max_examples=max(5, settings.default.max_examples // 10))
@given(STEPS)
@example([("wait", -7200.0), ("off", 0.0), ("on", 0.0), ("wait", 7200.0), ("fire", 0.0)])
@example([("wait", 7200.0), ("restart", 0.0), ("fire", 0.0), ("wait", -7200.0), ("fire", 0.0)])
def test_no_tick_comes_twice_whatever_is_done(steps):
    async def main(folder):
        clock, fired = ManualClock(NOW_S), []
        rest = list(steps)
        while True:
            async with clockwork(Path(folder), clock) as work:
                if not fired:
                    await work.do("CreateSchedule", "a")
                    fired += await work.fire()
                while rest:
                    step, seconds = rest.pop(0)
                    if step == "restart":
                        break
                    if step == "wait":
                        clock.advance(seconds)
                    elif step == "fire":
                        fired += await work.fire()
                    else:
                        state = "DISABLED" if step == "off" else "ENABLED"
                        await work.do("UpdateSchedule", "a", State=state)
                else:
                    break
        ticks = [at_s for _, at_s in fired]
        assert ticks == sorted(ticks)
        assert len(set(ticks)) == len(ticks)
        assert all((at_s - NOW_S) % 60 == 0 for at_s in ticks)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))
