"""Composite alarms over a real store: they follow in the same commit, and actions wait for time."""

import asyncio
import functools
import json

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.services.cloudwatch.alarms import operations
from alonzo.services.cloudwatch.alarms.actions import ActionCarrier
from alonzo.testing.events import until

START = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:"
TOPIC = "arn:aws:sns:us-east-1:000000000000:told"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:told"
BOTH = {name: [TOPIC, FUNCTION] for name in ("AlarmActions", "OKActions")}


def in_a_loop(test):
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


class Calls:
    """Topics, functions and buses that take what comes."""

    def __init__(self):
        self.messages, self.events, self.bridged = [], [], []

    def offers(self, service):
        return service == "events"

    async def call(self, call, use):
        if call.operation == "PutEvents":
            self.bridged += call.params["Entries"]
        else:
            self.messages.append(json.loads(call.params["Message"]))

    async def invoke(self, function_arn, payload, use):
        self.events.append(json.loads(payload))


async def alarm(metrics, *names):
    for name in names:
        await metrics.call(
            "PutMetricAlarm",
            AlarmName=name,
            Namespace="shop",
            MetricName="Errors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )


async def composite(metrics, name, rule, **more):
    await metrics.call("PutCompositeAlarm", AlarmName=name, AlarmRule=rule, **more)


async def put(metrics, name, state):
    await metrics.call("SetAlarmState", AlarmName=name, StateValue=state, StateReason="test")


async def described(metrics, name):
    found = await metrics.call(
        "DescribeAlarms", AlarmNames=[name], AlarmTypes=["CompositeAlarm", "MetricAlarm"]
    )
    (shown,) = found["CompositeAlarms"] + found["MetricAlarms"]
    return shown


async def state(metrics, name):
    return (await described(metrics, name))["StateValue"]


async def delivered(metrics, calls):
    """Bring out what waits."""
    carrier = ActionCarrier(metrics.store, calls, metrics.clock, SystemIds())
    async with TaskScope() as scope:
        scope.spawn(metrics.outbox.run(carrier), name="actions")

        async def all_gone():
            return not await metrics.store.read(metrics.outbox.count)

        await until(all_gone)


@in_a_loop
async def test_composite_alarms_follow_their_children_in_one_commit_and_tell(open_metrics):
    calls, clock = Calls(), ManualClock(1_658_505_465.394)
    async with open_metrics(clock=clock) as metrics:
        await alarm(metrics, "a", "b")
        await composite(metrics, "inner", "ALARM(a)")
        await composite(metrics, "outer", f'ALARM("{START}inner") AND NOT ALARM(b)', **BOTH)
        shown = await described(metrics, "outer")
        assert shown["StateValue"] == "OK"
        assert shown["StateReason"] == (
            f"{START}outer was created and its alarm rule evaluates to OK"
        )
        await delivered(metrics, calls)
        calls.messages.clear(), calls.events.clear(), calls.bridged.clear()
        await put(metrics, "a", "ALARM")
        assert await state(metrics, "inner") == "ALARM"
        shown = await described(metrics, "outer")
        assert shown["StateValue"] == "ALARM"
        reason = f"{START}inner transitioned to ALARM at Friday 22 July, 2022 15:57:45 UTC"
        assert shown["StateReason"] == reason
    # Killed here: the next platform finds the states, and tells once.
    async with open_metrics(clock=clock) as metrics:
        assert await state(metrics, "outer") == "ALARM"
        await delivered(metrics, calls)
        (message,) = calls.messages
        assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
        assert message["NewStateReason"] == reason
        at = "2022-07-22T15:57:45.394+0000"
        assert message["TriggeringChildren"] == [
            {"Arn": f"{START}b", "State": {"Value": "INSUFFICIENT_DATA", "Timestamp": at}},
            {"Arn": f"{START}inner", "State": {"Value": "ALARM", "Timestamp": at}},
        ]
        (event,) = calls.events
        assert event["alarmData"]["configuration"] == {"alarmRule": message["AlarmRule"]}
        told = {each["Resources"][0].removeprefix(START): each for each in calls.bridged}
        assert set(told) == {"a", "inner", "outer"}
        assert told["outer"]["DetailType"] == "CloudWatch Alarm State Change"
        assert json.loads(told["outer"]["Detail"]) == event["alarmData"]
        # Nothing changes for the outer alarm while its rule comes to the same.
        await put(metrics, "b", "OK")
        await delivered(metrics, calls)
        assert len(calls.messages) == 1
        await put(metrics, "b", "ALARM")
        assert await state(metrics, "outer") == "OK"
        # Who is set by hand stays so until a child changes.
        await put(metrics, "outer", "ALARM")
        assert await state(metrics, "outer") == "ALARM"
        await put(metrics, "a", "OK")
        assert await state(metrics, "outer") == "OK"
        history = await metrics.call(
            "DescribeAlarmHistory", AlarmName="outer", AlarmTypes=["CompositeAlarm"]
        )
        assert {each["AlarmType"] for each in history["AlarmHistoryItems"]} == {"CompositeAlarm"}
        assert history["AlarmHistoryItems"][0]["HistorySummary"] == (
            "Alarm updated from ALARM to OK"
        )
        assert await metrics.call("DescribeAlarmHistory", AlarmName="outer") == {
            "AlarmHistoryItems": []
        }


@in_a_loop
async def test_actions_wait_for_the_suppressor_and_go_out_once(open_metrics):
    calls, clock = Calls(), ManualClock(1_800_000_000.0)
    async with open_metrics(clock=clock) as metrics:
        await alarm(metrics, "a", "quiet")
        await composite(
            metrics,
            "c",
            "ALARM(a)",
            **BOTH,
            ActionsSuppressor="quiet",
            ActionsSuppressorWaitPeriod=120,
            ActionsSuppressorExtensionPeriod=180,
        )
        clock.advance(121)
        assert await metrics.alarms.release_due() is None
        await delivered(metrics, calls)
        assert [each["NewStateValue"] for each in calls.messages] == ["OK"]
        calls.messages.clear(), calls.events.clear(), calls.bridged.clear()
        changed_at = metrics.at()
        await put(metrics, "a", "ALARM")
        shown = await described(metrics, "c")
        assert (shown["StateValue"], shown["ActionsSuppressedBy"]) == ("ALARM", "WaitPeriod")
        assert shown["ActionsSuppressedReason"] == "Actions suppressed by WaitPeriod"
        clock.advance(119)
        assert await metrics.alarms.release_due() == clock.now_s() + 1
        await delivered(metrics, calls)
        assert calls.messages == []
        (of_c,) = (each for each in calls.bridged if each["Resources"] == [f"{START}c"])
        assert json.loads(of_c["Detail"])["state"]["actionsSuppressedBy"] == "WaitPeriod"
    async with open_metrics(clock=clock) as metrics:
        await put(metrics, "quiet", "ALARM")
        clock.advance(3600)
        await metrics.alarms.release_due()
        assert (await described(metrics, "c"))["ActionsSuppressedBy"] == "Alarm"
        await put(metrics, "quiet", "OK")
        assert (await described(metrics, "c"))["ActionsSuppressedBy"] == "ExtensionPeriod"
        clock.advance(180)
        await metrics.alarms.release_due()
        await metrics.alarms.release_due()
        shown = await described(metrics, "c")
        assert "ActionsSuppressedBy" not in shown
        assert shown["StateTransitionedTimestamp"] == changed_at
        assert shown["StateUpdatedTimestamp"] == metrics.at()
        await delivered(metrics, calls)
        (message,) = calls.messages
        assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
        (event,) = calls.events
        assert event["alarmData"]["previousState"]["actionsSuppressedBy"] == "ExtensionPeriod"
        assert event["alarmData"]["state"]["value"] == "ALARM"
        # Without a suppressor what waits goes out at once.
        await put(metrics, "quiet", "ALARM")
        await put(metrics, "a", "OK")
        await composite(metrics, "c", "ALARM(a)", **BOTH)
        await delivered(metrics, calls)
        assert [each["NewStateValue"] for each in calls.messages] == ["ALARM", "OK"]


@in_a_loop
async def test_cycles_stand_still_and_nothing_that_is_looked_at_is_deleted(open_metrics):
    async with open_metrics() as metrics:
        await alarm(metrics, "a", "s")
        await composite(metrics, "x", "ALARM(a)")
        await composite(metrics, "y", "ALARM(x) OR ALARM(a)")
        await composite(metrics, "x", "ALARM(y) OR ALARM(a)")
        await put(metrics, "a", "ALARM")
        assert await state(metrics, "x") == await state(metrics, "y") == "OK"
        for names, text in (
            (["x"], "Cannot delete x as there are composite alarm"),
            (["a", "s", "y"], r"Cannot delete a,y as .* depending on them"),
            (["x", "y"], "At most one composite alarm"),
        ):
            with pytest.raises(AwsError, match=text):
                await metrics.call("DeleteAlarms", AlarmNames=names)
        await composite(metrics, "z", "ALARM(y)")
        await composite(metrics, "x", "FALSE", **SUPPRESSED)
        # What stood still is evaluated, though x has not changed; and what follows from that.
        assert await state(metrics, "y") == await state(metrics, "z") == "ALARM"
        await put(metrics, "a", "OK")
        assert await state(metrics, "y") == "OK"
        await metrics.call("DeleteAlarms", AlarmNames=["z"])
        with pytest.raises(AwsError, match="Cannot delete s as"):
            await metrics.call("DeleteAlarms", AlarmNames=["s"])
        # An alarm goes along with the only one that looks at it.
        await metrics.call("DeleteAlarms", AlarmNames=["y", "a", "unknown"])
        await metrics.call("DeleteAlarms", AlarmNames=["x", "s"])
        await metrics.call("DeleteAlarms", AlarmNames=[])
        found = await metrics.call("DescribeAlarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        assert found == {"MetricAlarms": [], "CompositeAlarms": []}


SUPPRESSED = {
    "ActionsSuppressor": f"{START}s",
    "ActionsSuppressorWaitPeriod": 1,
    "ActionsSuppressorExtensionPeriod": 1,
}


@in_a_loop
async def test_relatives_and_types_are_listed_in_pages(open_metrics):
    async with open_metrics() as metrics:
        await alarm(metrics, "a", "b")
        await composite(metrics, "c", "ALARM(a)")
        await composite(metrics, "d", 'OK("a") AND OK(c) AND OK(b)')
        children = await metrics.call("DescribeAlarms", ChildrenOfAlarmName="d")
        assert [each["AlarmName"] for each in children["MetricAlarms"]] == ["a", "b"]
        (child,) = children["CompositeAlarms"]
        assert set(child) == {"AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp"}
        parents = await metrics.call("DescribeAlarms", ParentsOfAlarmName="a")
        assert [set(each) for each in parents["CompositeAlarms"]] == [{"AlarmName", "AlarmArn"}] * 2
        assert [each["AlarmName"] for each in parents["CompositeAlarms"]] == ["c", "d"]
        with pytest.raises(AwsError, match="with MaxRecords and NextToken alone"):
            await metrics.call("DescribeAlarms", ParentsOfAlarmName="a", StateValue="OK")
        seen, more = [], {}
        while True:
            page = await metrics.call(
                "DescribeAlarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=3, **more
            )
            seen.append([len(page["MetricAlarms"]), len(page["CompositeAlarms"])])
            if "NextToken" not in page:
                break
            more = {"NextToken": page["NextToken"]}
        assert seen == [[2, 1], [0, 1]]
        assert len((await metrics.call("DescribeAlarms"))["MetricAlarms"]) == 2
        await metrics.call(
            "TagResource", ResourceARN=f"{START}c", Tags=[{"Key": "k", "Value": "v"}]
        )
        await metrics.call("DisableAlarmActions", AlarmNames=["c"])
        assert (await described(metrics, "c"))["ActionsEnabled"] is False


@in_a_loop
async def test_what_is_no_composite_alarm_is_refused(open_metrics, monkeypatch):
    monkeypatch.setattr(operations, "PARENTS_MAX", 1)
    monkeypatch.setattr(operations, "COMPOSITES_MAX", 2)
    async with open_metrics() as metrics:
        await alarm(metrics, "a", "s")
        periods = {k: v for k, v in SUPPRESSED.items() if k != "ActionsSuppressor"}
        elsewhere = START.replace("us-east-1", "eu-west-1")
        for rule, more, text in (
            ("ALARM(", {}, "Error in AlarmRule"),
            ("ALARM(a) OR ALARM(gone)", {}, r"as alarms \[gone\] in the alarm rule do not exist"),
            ("ALARM(c)", {}, r"as alarms \[c\] in"),
            (f"ALARM({elsewhere}a)", {}, "do not exist"),
            ("ALARM(a)", {"ActionsSuppressor": "s"}, "are required when ActionsSuppressor"),
            ("ALARM(a)", periods, "requires ActionsSuppressor"),
            ("ALARM(a)", SUPPRESSED | {"ActionsSuppressor": "no"}, "suppressor no does not"),
            ("ALARM(a)", SUPPRESSED | {"ActionsSuppressorWaitPeriod": -1}, "from 0 to 86400"),
            ("ALARM(a)", {"AlarmActions": ["arn:aws:ssm:us-east-1:1:opsitem:1"]}, "notifies SNS"),
        ):
            with pytest.raises(AwsError, match=text):
                await composite(metrics, "c", rule, **more)
        with pytest.raises(AwsError, match="name of a MetricAlarm"):
            await composite(metrics, "a", "TRUE")
        await composite(metrics, "c", "ALARM(a)")
        await composite(metrics, "c", "OK(a)")
        with pytest.raises(AwsError, match="At most 1 composite alarms can depend on a"):
            await composite(metrics, "d", "ALARM(a)")
        with pytest.raises(AwsError, match="name of a CompositeAlarm"):
            await alarm(metrics, "c")
        await composite(metrics, "d", "TRUE")
        with pytest.raises(AwsError, match="at most 2 composite alarms"):
            await composite(metrics, "e", "TRUE")


def watched(metrics, monkeypatch):
    """How many statements ran in each unit of work that might write."""
    statements, tx = [], metrics.store.tx

    async def counted(work):
        def run(db):
            seen = Counted(db)
            try:
                return work(seen)
            finally:
                statements.append(seen.number)

        return await tx(run)

    monkeypatch.setattr(metrics.store, "tx", counted)
    return statements


class Counted:
    """A connection that counts."""

    def __init__(self, db):
        self.db, self.number = db, 0

    def __getattr__(self, name):
        self.number += name != "publish"
        return getattr(self.db, name)


async def tower(metrics, height):
    """Composite alarms over each other, each over up to twenty below it."""
    await alarm(metrics, "floor")
    names = ["floor"]
    for each in range(height):
        await composite(
            metrics, f"c{each:02}", " AND ".join(f"ALARM({name})" for name in names[-20:])
        )
        names.append(f"c{each:02}")
    return names


async def states(metrics):
    rows = await metrics.store.read(lambda db: db.all("SELECT DISTINCT state FROM alarm"))
    return {row["state"] for row in rows}


@in_a_loop
async def test_what_many_alarms_make_of_a_change_is_worked_out_beside_the_writer(
    open_metrics, monkeypatch
):
    async with open_metrics() as metrics:
        names = await tower(metrics, 40)
        before = await metrics.store.read(metrics.outbox.count)
        statements = watched(metrics, monkeypatch)
        await put(metrics, "floor", "ALARM")
        assert await states(metrics) == {"ALARM"}
        # Each of them is written and told of, in a few statements for all.
        assert await metrics.store.read(metrics.outbox.count) == before + len(names)
        assert max(statements) < 20
        last = await described(metrics, names[-1])
        assert last["StateReason"].startswith(f"{START}{names[-2]} transitioned to ALARM at ")
        # The same of a put: the lowest one comes to hold no more.
        statements.clear()
        await composite(metrics, names[1], "NOT ALARM(floor)")
        assert await state(metrics, names[-1]) == "OK"
        assert max(statements) < 30
        # And of an alarm that keeps back what many others do.
        await alarm(metrics, "quiet")
        periods = {"ActionsSuppressorWaitPeriod": 60, "ActionsSuppressorExtensionPeriod": 60}
        for name in names[2:20]:
            rule = (await described(metrics, name))["AlarmRule"]
            await composite(metrics, name, rule, ActionsSuppressor="quiet", **periods)
        statements.clear()
        await put(metrics, "quiet", "ALARM")
        assert max(statements) < 10
        shown = await described(metrics, names[19])
        assert shown["ActionsSuppressedBy"] == "Alarm"


@in_a_loop
async def test_what_changes_while_alarms_are_worked_out_is_not_overlooked(
    open_metrics, monkeypatch
):
    async with open_metrics() as metrics:
        names = await tower(metrics, 15)
        await alarm(metrics, "other")
        read, between = metrics.store.read, []

        async def disturbed(work):
            found = await read(work)
            with monkeypatch.context() as quiet:
                quiet.setattr(metrics.store, "read", read)
                if between:
                    await between.pop(0)()
            return found

        monkeypatch.setattr(metrics.store, "read", disturbed)
        # Each time something else has changed before it is written, up to the last, in one piece.
        between += [
            lambda: composite(metrics, names[3], "ALARM(floor) AND ALARM(other)"),
            lambda: composite(metrics, "new", f"ALARM({names[-1]})"),
            lambda: put(metrics, "other", "ALARM"),
            lambda: composite(metrics, names[3], "ALARM(floor) AND NOT ALARM(other)"),
            lambda: put(metrics, "other", "OK"),
        ]
        await put(metrics, "floor", "ALARM")
        assert not between
        for name in (*names, "new"):
            assert await state(metrics, name) == "ALARM"
        await put(metrics, "other", "ALARM")
        assert await state(metrics, "new") == "OK"
