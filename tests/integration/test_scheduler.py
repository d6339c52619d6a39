"""Schedules over a real database: each tick once, whatever dies and whatever the clock does."""

import asyncio

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.services.scheduler import records
from alonzo.services.scheduler.carrier import ExpiredError
from alonzo.services.scheduler.records import Place, ScheduleRecord, save_schedule
from alonzo.services.scheduler.ticker import Ticker
from alonzo.store.outbox import Again, GivenUp, Outbox
from alonzo.testing.events import FullStore, until
from alonzo.testing.scheduling import ACCOUNT, DEAD_LETTERS, QUEUE, REGION, ROLE, clockwork

#: A whole minute.
NOW_S = 1_800_000_000.0
AT = "at(2027-01-15T08:00:00)"
FLEXIBLE = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10}


def run(path, scenario, **more):
    async def main():
        clock = ManualClock(NOW_S)
        async with clockwork(path, clock, **more) as work:
            await scenario(work, clock)

    asyncio.run(main())


def test_a_schedule_fires_at_its_ticks_and_never_twice(tmp_path):
    async def scenario(work, clock):
        await work.do("CreateSchedule", "a")
        assert await work.fire() == [("a", NOW_S)]
        assert await work.fire() == []
        clock.advance(59.9)
        assert await work.fire() == []
        clock.advance(0.1)
        assert await work.fire() == [("a", NOW_S + 60)]
        # The clock is set back: what has fired stays fired.
        clock.advance(-3600)
        assert await work.fire() == []
        clock.advance(3659)
        assert await work.fire() == []
        clock.advance(1)
        assert await work.fire() == [("a", NOW_S + 120)]

    run(tmp_path, scenario)


def test_after_a_stop_the_last_missed_tick_is_made_up_for(tmp_path):
    async def main():
        clock = ManualClock(NOW_S)
        async with clockwork(tmp_path, clock) as work:
            await work.do("CreateSchedule", "often")
            await work.do("CreateSchedule", "once", ScheduleExpression=AT)
            policy = {"MaximumEventAgeInSeconds": 60}
            target = {"RetryPolicy": policy, "DeadLetterConfig": {"Arn": DEAD_LETTERS}}
            await work.do("CreateSchedule", "brief", ScheduleExpression=AT, Target=target)
            assert len(await work.fire()) == 3
            clock.advance(-120)
            await work.do("CreateSchedule", "late", ScheduleExpression=AT)
            await work.do("CreateSchedule", "gone", ScheduleExpression=AT, Target=target)
        clock.advance(120 + 3601)
        async with clockwork(tmp_path, clock) as work:
            assert await work.fire() == [
                ("late", NOW_S),
                ("gone", NOW_S),
                ("often", NOW_S + 3600),
            ]
            carrier = work.parts.carrier
            late, gone = (
                parcel
                for parcel in (await work.parcels())[-3:]
                if parcel.about["tick_at_s"] == NOW_S
            )
            await carrier.carry(late)
            assert [call["MessageBody"] for call in work.targets.calls] == ["late"]
            with pytest.raises(ExpiredError) as caught:
                await carrier.carry(gone)
            over = carrier.after_failure(gone, caught.value, clock.now_s())
            (letter,) = over.instead
            assert letter.about["attributes"]["EXHAUSTED_RETRY_CONDITION"] == (
                "MaximumEventAgeInSeconds"
            )

    asyncio.run(main())


def test_a_one_time_schedule_made_too_late_never_fires_and_ends_as_it_was_told(tmp_path):
    async def scenario(work, clock):
        ends = {"ActionAfterCompletion": "DELETE"}
        clock.advance(60)
        await work.do("CreateSchedule", "just", ScheduleExpression=AT, **ends)
        assert await work.fire() == []
        clock.advance(-0.5)
        await work.do("CreateSchedule", "now", ScheduleExpression=AT)
        assert await work.fire() == [("now", NOW_S)]
        clock.advance(0.5)
        await work.do("CreateSchedule", "kept", ScheduleExpression=AT)
        await work.do("CreateSchedule", "off", ScheduleExpression=AT, State="DISABLED", **ends)
        await work.do("CreateSchedule", "changed")
        await work.fire()
        await work.do("UpdateSchedule", "changed", ScheduleExpression=AT, **ends)
        assert await work.fire() == []
        assert await work.ticks() == {"now": None, "kept": None, "off": None}
        assert (await work.do("GetSchedule", "kept"))["State"] == "ENABLED"
        # Switched on, it has nothing left to fire.
        await work.do("UpdateSchedule", "off", ScheduleExpression=AT, **ends)
        assert await work.fire() == []
        assert "off" not in await work.ticks()

    run(tmp_path, scenario)


def test_a_tick_that_was_put_on_its_way_outlives_the_process(tmp_path):
    async def main():
        clock = ManualClock(NOW_S)
        async with clockwork(tmp_path, clock) as work:
            await work.do("CreateSchedule", "a", ScheduleExpression=AT)
            assert await work.fire() == [("a", NOW_S)]
        async with clockwork(tmp_path, clock) as work, TaskScope() as scope:
            for name, coro in work.parts.work().items():
                scope.spawn(coro, name=name)

            async def delivered():
                return not await work.parcels()

            await until(delivered)
            assert [call["MessageBody"] for call in work.targets.calls] == ["a"]
            assert await work.ticks() == {"a": None}

    asyncio.run(main())


def test_a_window_lets_its_schedule_stay_until_the_target_is_called(tmp_path):
    async def scenario(work, clock):
        more = {"ScheduleExpression": AT, "FlexibleTimeWindow": FLEXIBLE}
        await work.do("CreateSchedule", "a", ActionAfterCompletion="DELETE", **more)
        assert await work.fire() == [("a", NOW_S)]
        (parcel,) = await work.parcels()
        assert parcel.about["due_at_s"] == NOW_S + 300
        clock.advance(299)
        assert await work.fire() == []
        assert (await work.do("GetSchedule", "a"))["State"] == "ENABLED"
        clock.advance(1)
        assert await work.fire() == []
        with pytest.raises(AwsError, match="Schedule a does not exist"):
            await work.do("GetSchedule", "a")

    run(tmp_path, scenario)


def test_ticks_of_a_window_longer_than_the_rate_all_fire(tmp_path):
    async def scenario(work, clock):
        await work.do("CreateSchedule", "a", FlexibleTimeWindow=FLEXIBLE)
        for n in range(5):
            assert await work.fire() == [("a", NOW_S + 60 * n)]
            clock.advance(60)

    run(tmp_path, scenario)


def test_a_schedule_that_is_changed_keeps_its_rhythm(tmp_path):
    async def scenario(work, clock):
        await work.do("CreateSchedule", "rate")
        await work.do("CreateSchedule", "once", ScheduleExpression=AT)
        assert len(await work.fire()) == 2
        clock.advance(30)
        for name, expression in (("rate", "rate(1 minute)"), ("once", AT)):
            await work.do(
                "UpdateSchedule", name, ScheduleExpression=expression, Description="the same"
            )
        assert await work.ticks() == {"rate": NOW_S + 60, "once": None}
        await work.do("UpdateSchedule", "rate", State="DISABLED")
        clock.advance(100)
        assert await work.fire() == []
        # What passed while it was off is not made up for.
        await work.do("UpdateSchedule", "rate")
        assert await work.ticks() == {"rate": NOW_S + 180, "once": None}
        await work.do("UpdateSchedule", "rate", ScheduleExpression="rate(2 minutes)")
        assert await work.fire() == [("rate", NOW_S + 130)]

    run(tmp_path, scenario)


def test_a_schedule_that_cannot_be_read_does_not_stop_the_others(tmp_path):
    async def scenario(work, clock):
        await work.do("CreateSchedule", "lost")
        await work.do("CreateSchedule", "well")

        def break_it(db):
            record = records.try_schedule(db, Place(ACCOUNT, REGION), "default", "lost")
            settings = {**record.settings, "ScheduleExpressionTimezone": "Nowhere/Land"}
            save_schedule(db, ScheduleRecord(**{**fields(record), "settings": settings}))

        await work.store.tx(break_it)
        assert await work.fire() == [("well", NOW_S)]
        assert (await work.ticks())["lost"] == NOW_S + 3600

    run(tmp_path, scenario)


def fields(record):
    return {name: getattr(record, name) for name in ScheduleRecord.__dataclass_fields__}


def test_a_role_that_shuts_the_scheduler_out_is_not_used_any_more(tmp_path):
    async def scenario(work, clock):
        await work.do("CreateSchedule", "a")
        await work.fire()
        (parcel,) = await work.parcels()
        work.targets.trusted = False
        with pytest.raises(AwsError, match="AccessDeniedException") as caught:
            await work.parts.carrier.carry(parcel)
        assert repr(caught.value) == "RefusedError(AccessDeniedException)"

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("policy", "error", "tries", "condition"),
    [
        ({}, AwsError("ThrottlingException", "later"), 186, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 2}, TimeoutError(), 3, "MaximumRetryAttempts"),
        (
            {"MaximumEventAgeInSeconds": 60},
            AwsError("ServiceException", ""),
            6,
            "MaximumEventAgeInSeconds",
        ),
        ({}, AwsError("QueueDoesNotExist", "none \0"), 1, None),
    ],
)
def test_a_failure_is_tried_again_as_the_policy_says(tmp_path, policy, error, tries, condition):
    async def scenario(work, clock):
        target = {"RetryPolicy": policy, "DeadLetterConfig": {"Arn": DEAD_LETTERS}}
        await work.do("CreateSchedule", "a", Target=target)
        await work.fire()
        (parcel,) = await work.parcels()
        made, now_s = 1, NOW_S
        while isinstance(verdict := work.parts.carrier.after_failure(parcel, error, now_s), Again):
            assert verdict.due_at_s > now_s
            now_s = verdict.due_at_s
            made += 1
            parcel = type(parcel)(
                parcel.id, parcel.lane, parcel.about, parcel.document, made - 1, NOW_S
            )
        assert isinstance(verdict, GivenUp)
        assert (made, now_s - NOW_S <= 86_400) == (tries, True)
        (letter,) = verdict.instead
        told = letter.about["attributes"]
        assert told.get("EXHAUSTED_RETRY_CONDITION") == condition
        assert (told["RETRY_ATTEMPTS"], told["SCHEDULED_TIME"]) == (
            str(tries - 1),
            "2027-01-15T08:00:00Z",
        )
        assert "\0" not in told["ERROR_MESSAGE"]
        assert letter.document == b"a"

    run(tmp_path, scenario)


def many(count, tick_at_s):
    settings = {
        "ScheduleExpression": "rate(1 day)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "NONE",
    }
    policy = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    target = {"Arn": QUEUE, "RoleArn": ROLE, "RetryPolicy": policy}
    return [
        ScheduleRecord(
            Place(ACCOUNT, REGION),
            "default",
            f"s{n:05d}",
            "ENABLED",
            tick_at_s,
            tick_at_s,
            tick_at_s,
            tick_at_s + (n >= 250) * 3600,
            settings,
            target,
        )
        for n in range(count)
    ]


def test_ten_thousand_schedules_sleep_together_and_fire_in_portions(tmp_path):
    async def scenario(work, clock):
        def add(db):
            for record in many(10_000, NOW_S + 3600):
                save_schedule(db, record)

        await work.store.tx(add)
        store = FullStore(work.store)
        outbox = Outbox(work.store, clock, "scheduler")
        ticker = Ticker(store, clock, outbox, lambda: 0.0)
        async with TaskScope() as scope:
            scope.spawn(ticker.run(), name="ticker")

            async def asked():
                return store.calls == 1

            await until(asked)
            # A later one is no reason to look again, a sooner one is.
            for at_s, calls in ((NOW_S + 7200, 1), (NOW_S + 60, 2)):
                told = repr(at_s)
                await work.store.tx(lambda db, told=told: db.publish(records.TICKS_TOPIC, told))

                async def looked(calls=calls):
                    return store.calls == calls

                await until(looked)
        clock.advance(3600)
        portions = []
        while count := await work.parts.ticker.fire_due():
            portions.append(count)
        assert portions == [100, 100, 50]
        assert len(await work.parcels()) == 250
        plan = await work.store.read(
            lambda db: db.all(f"EXPLAIN QUERY PLAN {records.Q.due}", {"now_s": 0.0, "limit": 1})
        )
        assert "schedule_by_tick" in plan[0]["detail"]

    run(tmp_path, scenario)
