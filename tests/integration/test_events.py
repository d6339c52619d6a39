"""Schedules, deliveries and replays of EventBridge over a real database, on a manual clock."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

from alonzo.lib.clock import ManualClock, SystemClock, utc
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import Principal, RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.events.api import Events, operations
from alonzo.services.events.keeper import Keeper
from alonzo.services.events.records import Q
from alonzo.services.events.replaying import Replayer
from alonzo.services.events.ticking import Ticker
from alonzo.store.outbox import Again, GivenUp, Parcel
from alonzo.store.sqlite import SqliteStore
from alonzo.testing.events import until

ACCOUNT = "000000000000"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
DEAD = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, "us-east-1", ROOT, "", "127.0.0.1")
START_S = 1_800_000_000.0  # A full minute.


class Calls:
    """Queues that take everything, until they are told to ``fail``."""

    def __init__(self):
        self.sent = []
        self.fail = None

    def offers(self, service):
        return service == "sqs"

    async def call(self, call, use):
        name = call.params["QueueUrl"].rpartition("/")[2]
        if self.fail is not None and name == "q":
            raise self.fail
        self.sent.append((name, json.loads(call.params["MessageBody"]), call.params))


class World:
    """EventBridge on a store, as it is after a start."""

    def __init__(self, store, clock):
        self.store, self.clock, self.calls = store, clock, Calls()
        trust = SimpleNamespace()
        self.events = Events(
            store, self.calls, self.calls, trust, None, clock=clock, ids=SystemIds()
        )
        self.ticker = Ticker(self.events.directory, self.events.outbox)
        self.operations = operations(self.events)

    async def do(self, operation, **params):
        return await self.operations[operation](CONTEXT, params)

    async def rule(self, name="r", **more):
        await self.do("PutRule", Name=name, **more)
        await self.do("PutTargets", Rule=name, Targets=[{"Id": "1", "Arn": QUEUE}])

    async def ticked(self):
        """Fire what is due; answers the times of the ticks on their way, in order."""
        row = await self.store.read(lambda db: db.one(Q.next_due))
        while row["due_at_s"] is not None and row["due_at_s"] <= self.clock.now_s():
            await self.ticker.step()
            row = await self.store.read(lambda db: db.one(Q.next_due))
        rows = await self.store.read(lambda db: db.all("SELECT document FROM outbox ORDER BY id"))
        return [json.loads(row["document"])["time"][11:19] for row in rows]


def run(tmp_path, scenario):
    async def main():
        clock = ManualClock(START_S)

        @asynccontextmanager
        async def start():
            store = await SqliteStore.open(tmp_path / "db", clock=SystemClock())
            try:
                world = World(store, clock)
                await world.events.open()
                yield world
            finally:
                await store.close()

        await scenario(start, clock)

    asyncio.run(main())


def test_a_schedule_fires_once_for_each_tick_and_not_for_what_was_missed(tmp_path):
    async def scenario(start, clock):
        async with start() as world:
            await world.rule(ScheduleExpression="rate(5 minutes)")
            assert await world.ticked() == []
            clock.advance(300)
            assert await world.ticked() == ["08:05:00"]
            assert await world.ticked() == ["08:05:00"]
        # After a short break the tick in it still fires, once, though late.
        clock.advance(330)
        async with start() as world:
            assert await world.ticked() == ["08:05:00", "08:10:00"]
        # After a long one the rule goes on with its next tick.
        clock.advance(3660)
        async with start() as world:
            assert len(await world.ticked()) == 2
            clock.advance(210)
            assert (await world.ticked())[2:] == ["09:15:00"]
            (event,) = await world.store.read(
                lambda db: db.all("SELECT document FROM outbox WHERE id = 3")
            )
        found = json.loads(event["document"])
        rule = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r"
        assert (found["source"], found["detail-type"]) == ("aws.events", "Scheduled Event")
        assert (found["resources"], found["detail"]) == ([rule], {})

    run(tmp_path, scenario)


def test_a_disabled_rule_rests_and_begins_anew(tmp_path):
    async def scenario(start, clock):
        async with start() as world:
            await world.rule(ScheduleExpression="rate(1 hour)")
            await world.do("DisableRule", Name="r")
            clock.advance(7200)
            assert await world.ticked() == []
            clock.advance(60)
            await world.do("EnableRule", Name="r")
            # Anything else that changes moves no tick.
            await world.do("PutRule", Name="r", ScheduleExpression="rate(1 hour)", Description="d")
            clock.advance(3600)
            assert await world.ticked() == ["11:01:00"]
            await world.do("PutRule", Name="r", ScheduleExpression="cron(30 12 * * ? *)")
            clock.advance(3600 + 29 * 60)
            assert (await world.ticked())[1:] == ["12:30:00"]

    run(tmp_path, scenario)


def test_the_timer_wakes_when_a_rule_is_made_and_sleeps_until_it_is_due(tmp_path):
    async def scenario(start, clock):
        async with start() as world, TaskScope() as scope:
            scope.spawn(world.ticker.run(), name="ticks")
            scope.spawn(world.events.outbox.run(world.events.carrier), name="outbox")
            await asyncio.sleep(0)
            await world.rule(ScheduleExpression="rate(1 minute)")
            clock.advance(60)
            # Whatever changes a schedule has the timer look again.
            await world.do("PutRule", Name="other", ScheduleExpression="rate(1 day)")

            async def came():
                return len(world.calls.sent) == 1

            await until(came)

    run(tmp_path, scenario)


def test_a_delivery_is_tried_again_and_given_up_to_the_dead_letter_queue(tmp_path):
    async def scenario(start, _clock):
        async with start() as world:
            about = {
                "rule": "arn:rule", "target": QUEUE, "retries": 2, "age_s": 3600, "hops": 0,
                "dead_letters": DEAD,
            }  # fmt: skip
            carrier = world.events.carrier
            passing = AwsError("ThrottlingException", "slow down")
            forever = AwsError("AccessDenied", "no")

            def verdict(error, attempts=0, age_s=0.0, **more):
                parcel = Parcel(1, QUEUE, about | more, b"{}", attempts, START_S)
                return carrier.after_failure(parcel, error, START_S + age_s)

            assert verdict(passing) == Again(START_S + 1)
            assert verdict(TimeoutError(), attempts=1) == Again(START_S + 2)
            for outcome, condition in (
                (verdict(passing, attempts=2), "MaximumRetryAttempts"),
                (verdict(passing, age_s=3600), "MaximumEventAgeInSeconds"),
                (verdict(forever), None),
            ):
                assert isinstance(outcome, GivenUp)
                (letter,) = outcome.instead
                assert letter.lane == DEAD
                assert letter.about["failed"].get("EXHAUSTED_RETRY_CONDITION") == condition
            # A dead letter that the queue does not take has no other place to go.
            assert verdict(forever, failed={"ERROR_CODE": "X"}) == GivenUp()
            assert verdict(passing, retries=185, attempts=20) == Again(START_S + 480)

    run(tmp_path, scenario)


def test_a_dead_letter_says_what_failed(tmp_path):
    async def scenario(start, _clock):
        async with start() as world, TaskScope() as scope:
            world.calls.fail = AwsError("AccessDenied", "no")
            await world.do("PutRule", Name="r", EventPattern='{"source":["s"]}')
            target = {"Id": "1", "Arn": QUEUE, "DeadLetterConfig": {"Arn": DEAD}}
            await world.do("PutTargets", Rule="r", Targets=[target])
            entry = {"Source": "s", "DetailType": "t", "Detail": '{"n":1.0}'}
            await world.do("PutEvents", Entries=[entry])
            scope.spawn(world.events.outbox.run(world.events.carrier), name="outbox")

            async def came():
                return len(world.calls.sent) == 1

            await until(came)
            name, event, params = world.calls.sent[0]
            assert (name, event["source"]) == ("dead", "s")
            said = params["MessageAttributes"]
            assert said["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
            assert said["TARGET_ARN"]["StringValue"] == QUEUE

    run(tmp_path, scenario)


class Streams:
    """Log streams that are made once, as slowly as ``asked`` events at a time need to meet."""

    def __init__(self, asked):
        self.written, self.there = [], False
        self.met = asyncio.Barrier(asked)

    def offers(self, service):
        return service == "logs"

    async def call(self, call, use):
        if call.operation == "CreateLogStream":
            await self.met.wait()
            if self.there:
                raise AwsError("ResourceAlreadyExistsException", "The stream is there.")
            self.there = True
            return
        if not self.there:
            raise AwsError("ResourceNotFoundException", "There is no such stream.")
        self.written += [each["message"] for each in call.params["logEvents"]]


def test_the_first_events_of_a_log_group_are_all_written(tmp_path, monkeypatch):
    """Both find no stream, and only one of them makes it."""
    streams = Streams(2)
    monkeypatch.setattr(sys.modules[__name__], "Calls", lambda: streams)

    async def scenario(start, clock):
        async with start() as world, TaskScope() as scope:
            scope.spawn(world.events.outbox.run(world.events.carrier), name="outbox")
            await world.do("PutRule", Name="r", EventPattern='{"source":["s"]}')
            group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/g"
            await world.do("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": group}])
            entry = {"Source": "s", "DetailType": "t", "Detail": "{}"}
            await world.do("PutEvents", Entries=[entry, entry])

            async def handed_over():
                return await world.store.read(world.events.outbox.count) == 0

            await until(handed_over)
        assert len(streams.written) == 2

    run(tmp_path, scenario)


def test_a_replay_goes_on_where_a_stop_interrupted_it(tmp_path, monkeypatch):
    monkeypatch.setattr("alonzo.services.events.replaying.REPLAYED_MAX", 2)

    async def scenario(start, clock):
        async with start() as world:
            bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
            await world.do("CreateArchive", ArchiveName="a", EventSourceArn=bus, RetentionDays=1)
            entries = [
                {"Source": "s", "DetailType": "t", "Detail": json.dumps({"n": n})} for n in range(5)
            ]
            await world.do("PutEvents", Entries=entries)
            await world.do("PutRule", Name="r", EventPattern='{"source":["s"]}')
            await world.do("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}])
            await world.do(
                "StartReplay", ReplayName="p", Destination={"Arn": bus},
                EventSourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:archive/a",
                EventStartTime=utc(START_S), EventEndTime=utc(START_S + 1),
            )  # fmt: skip
            await Replayer(world.events.directory, world.events.intake).step()
            assert (await world.do("DescribeReplay", ReplayName="p"))["State"] == "RUNNING"
        async with start() as world:
            replayer = Replayer(world.events.directory, world.events.intake)
            while (await world.do("DescribeReplay", ReplayName="p"))["State"] == "RUNNING":
                await replayer.step()
            rows = await world.store.read(
                lambda db: db.all("SELECT document FROM outbox ORDER BY id")
            )
            sent = [json.loads(row["document"]) for row in rows]
            assert [each["detail"]["n"] for each in sent] == [0, 1, 2, 3, 4]
            assert {each["replay-name"] for each in sent} == {"p"}
            # What is older than the archive keeps it goes.
            clock.advance(86_401)
            await Keeper(world.events.directory).tidy()
            found = await world.do("DescribeArchive", ArchiveName="a")
            assert (found["EventCount"], found["SizeBytes"]) == (0, 0)

    run(tmp_path, scenario)


def test_many_schedules_at_once_fire_each_of_them_once(tmp_path, monkeypatch):
    count = 25
    monkeypatch.setattr("alonzo.services.events.ticking.TICKS_MAX", 10)

    async def scenario(start, clock):
        async with start() as world:
            for number in range(count):
                await world.rule(f"r{number}", ScheduleExpression="rate(1 minute)")
            clock.advance(60)
            assert await world.ticked() == ["08:01:00"] * count

    run(tmp_path, scenario)
