"""Alarms over a real store, with time in our hands: judged when due, told once, whatever dies."""

import asyncio
import functools
import json

import pytest

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.actions import ActionCarrier
from alonzo.services.cloudwatch.alarms.changing import change_state
from alonzo.services.cloudwatch.alarms.evaluation import State
from alonzo.services.cloudwatch.alarms.keeper import Change
from alonzo.testing.events import until

ARN = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:canary"
TOPIC = "arn:aws:sns:us-east-1:000000000000:told"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:told"
CANARY = {
    "AlarmName": "canary",
    "Namespace": "shop",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "f", "Value": "g"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "AlarmActions": [TOPIC, FUNCTION],
}


def in_a_loop(test):
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


class Calls:
    """Topics and functions that take what comes."""

    def __init__(self):
        self.messages, self.events, self.bridged = [], [], []
        self.refusal = None

    def offers(self, service):
        return service == "events"

    async def call(self, call, use):
        if call.operation == "PutEvents":
            self.bridged += call.params["Entries"]
            return
        assert (call.service, call.operation) == ("sns", "Publish")
        self.messages.append((call.params, use))

    async def invoke(self, function_arn, payload, use):
        if self.refusal is not None:
            raise self.refusal
        self.events.append((function_arn, json.loads(payload), use))


@in_a_loop
async def test_a_reason_that_is_no_json_is_refused_however_deep(open_metrics):
    async with open_metrics() as metrics:
        await metrics.call("PutMetricAlarm", **CANARY)
        changed = {"AlarmName": "canary", "StateValue": "OK", "StateReason": "test"}
        for data in ("[" * 4000, "NaN", '{"a": -Infinity}', ""):
            with pytest.raises(AwsError) as caught:
                await metrics.call("SetAlarmState", StateReasonData=data, **changed)
            assert caught.value.code == "InvalidFormatFault"
        await metrics.call("SetAlarmState", StateReasonData="[" * 900 + "]" * 900, **changed)


@in_a_loop
async def test_alarms_are_judged_when_the_clock_is_set_back(open_metrics):
    clock = ManualClock(1_700_000_000.0)
    async with open_metrics(clock=clock) as metrics:
        await metrics.call("PutMetricAlarm", **CANARY)
        await metrics.alarms.judge_due()
        clock.advance(-86_400)
        await put(metrics, 5.0)
        await metrics.alarms.judge_due()
        assert (await described(metrics))["StateValue"] == "ALARM"


@in_a_loop
async def test_a_verdict_on_an_alarm_that_was_deleted_is_none_on_the_next_of_its_name(open_metrics):
    async with open_metrics() as metrics:
        await metrics.call("PutMetricAlarm", **CANARY)
        key = records.AlarmKey("000000000000", "us-east-1", "canary")
        first = await metrics.store.read(lambda db: records.find(db, key))
        await metrics.call("DeleteAlarms", AlarmNames=["canary"])
        metrics.clock.advance(1.0)
        await metrics.call("PutMetricAlarm", **CANARY)
        second = await metrics.store.read(lambda db: records.find(db, key))
        assert (second.id, second.revision) == (first.id, first.revision)
        facts = records.StateFacts(State.ALARM, "of the first", None, metrics.clock.now_s())
        for alarm, changes in ((first, False), (second, True)):
            change = Change(alarm, facts)
            changed = await change_state(metrics.store, metrics.outbox, change.find, facts)
            assert changed is changes


@in_a_loop
async def test_an_alarm_put_twice_at_a_time_is_judged_as_it_was_put_last(open_metrics, monkeypatch):
    async with open_metrics() as metrics:
        await put(metrics, 5.0)
        read, held, free = metrics.store.read, asyncio.Event(), asyncio.Event()

        async def late(work):
            found = await read(work)
            if not held.is_set():
                held.set()
                await free.wait()
            return found

        monkeypatch.setattr(metrics.store, "read", late)
        first = asyncio.create_task(metrics.call("PutMetricAlarm", **CANARY | {"Threshold": 9.0}))
        await held.wait()
        second = asyncio.create_task(metrics.call("PutMetricAlarm", **CANARY))
        # It waits for the first; if it did not, what was read first would be taken last.
        await asyncio.wait({second}, timeout=0.5)
        free.set()
        await asyncio.gather(first, second)
        await metrics.alarms.judge_due()
        assert (await described(metrics))["StateValue"] == "ALARM"


async def put(metrics, value, ago_s=60.0, name="Errors"):
    datum = {
        "MetricName": name,
        "Value": value,
        "Dimensions": [{"Name": "f", "Value": "g"}],
        "Timestamp": metrics.at(ago_s),
    }
    await metrics.call("PutMetricData", Namespace="shop", MetricData=[datum])


async def described(metrics):
    (alarm,) = (await metrics.call("DescribeAlarms", AlarmNames=["canary"]))["MetricAlarms"]
    return alarm


async def delivered(metrics, calls):
    """Bring out what waits."""
    carrier = ActionCarrier(metrics.store, calls, metrics.clock, SystemIds())
    async with TaskScope() as scope:
        scope.spawn(metrics.outbox.run(carrier), name="actions")

        async def all_gone():
            return not await metrics.store.read(metrics.outbox.count)

        await until(all_gone)


@in_a_loop
async def test_an_alarm_goes_off_is_told_once_and_calms_down(open_metrics):
    calls, clock = Calls(), ManualClock(1_800_000_000.0)
    async with open_metrics(clock=clock) as metrics:
        await metrics.call("PutMetricAlarm", **CANARY)
        await metrics.alarms.judge_due()
        alarm = await described(metrics)
        assert alarm["StateValue"] == "INSUFFICIENT_DATA"
        assert alarm["StateReason"] == "Unchecked: Initial alarm creation"
        metrics.clock.advance(0.5)
        await put(metrics, 2.0)
        # Not before its time: nothing is looked at between two ends of periods.
        await metrics.alarms.judge_due()
        assert (await described(metrics))["StateValue"] == "INSUFFICIENT_DATA"
        metrics.clock.advance(1)
        await metrics.alarms.judge_due()
        await metrics.alarms.judge_due()
        alarm = await described(metrics)
        assert alarm["StateValue"] == "ALARM"
        assert alarm["StateReason"].startswith("Threshold Crossed: 1 datapoint [2.0 (")
    # Killed here: the next platform finds what was to be told.
    async with open_metrics(clock=clock) as metrics:
        await delivered(metrics, calls)
        ((params, use),) = calls.messages
        assert use.service == "cloudwatch.amazonaws.com"
        assert use.source_arn == ARN
        assert params["TopicArn"] == TOPIC
        assert params["Subject"] == 'ALARM: "canary" in US East (N. Virginia)'
        message = json.loads(params["Message"])
        assert message["NewStateValue"] == "ALARM"
        assert message["AlarmArn"] == ARN
        assert message["Trigger"] == {
            "MetricName": "Errors",
            "Namespace": "shop",
            "StatisticType": "Statistic",
            "Statistic": "SUM",
            "Unit": None,
            "Dimensions": [{"value": "g", "name": "f"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 1.0,
            "TreatMissingData": "",
            "EvaluateLowSampleCountPercentile": "",
        }
        ((arn, event, use),) = calls.events
        assert (arn, use.service) == (FUNCTION, "lambda.alarms.cloudwatch.amazonaws.com")
        data = event["alarmData"]
        assert event["alarmArn"] == ARN
        assert data["previousState"]["value"] == "INSUFFICIENT_DATA"
        assert json.loads(data["state"]["reasonData"])["recentDatapoints"] == [2.0]
        (watched,) = data["configuration"]["metrics"]
        assert watched["metricStat"] == {
            "metric": {"namespace": "shop", "name": "Errors", "dimensions": {"f": "g"}},
            "period": 60,
            "stat": "Sum",
        }
        metrics.clock.advance(180)
        await put(metrics, 0.0)
        await metrics.alarms.judge_due()
        assert (await described(metrics))["StateValue"] == "OK"
        await delivered(metrics, calls)
        assert len(calls.messages) == len(calls.events) == 1
        history = await metrics.call("DescribeAlarmHistory", AlarmName="canary", MaxRecords=2)
        items = list(history["AlarmHistoryItems"])
        while "NextToken" in history:
            history = await metrics.call(
                "DescribeAlarmHistory",
                AlarmName="canary",
                MaxRecords=2,
                NextToken=history["NextToken"],
            )
            items += history["AlarmHistoryItems"]
        first, *acted, changed, made = [each["HistorySummary"] for each in items]
        assert first == "Alarm updated from ALARM to OK"
        assert set(acted) == {f"Successfully executed action {arn}" for arn in (TOPIC, FUNCTION)}
        assert changed == "Alarm updated from INSUFFICIENT_DATA to ALARM"
        assert made == 'Alarm "canary" created'


@in_a_loop
async def test_an_action_that_is_refused_for_good_is_in_the_history(open_metrics):
    calls = Calls()
    calls.refusal = AwsError("AccessDeniedException", "CloudWatch Alarms is not authorized")
    async with open_metrics() as metrics:
        await metrics.call("PutMetricAlarm", **CANARY)
        set_state = {"AlarmName": "canary", "StateReason": "drill", "StateValue": "ALARM"}
        await metrics.call("SetAlarmState", **set_state)
        await delivered(metrics, calls)
        history = await metrics.call(
            "DescribeAlarmHistory", AlarmName="canary", HistoryItemType="Action"
        )
        told = {
            item["HistorySummary"]: json.loads(item["HistoryData"])["actionState"]
            for item in history["AlarmHistoryItems"]
        }
        assert told == {
            f"Successfully executed action {TOPIC}": "Succeeded",
            f"Failed to execute action {FUNCTION}. Received error: "
            '"CloudWatch Alarms is not authorized"': "Failed",
        }
        types = [each["DetailType"] for each in calls.bridged]
        assert types == [
            "CloudWatch Alarm Configuration Change",
            "CloudWatch Alarm State Change",
        ]
        made = json.loads(calls.bridged[0]["Detail"])
        assert (made["operation"], made["state"]["value"]) == ("create", "INSUFFICIENT_DATA")
        assert made["configuration"]["alarmActions"] == [TOPIC, FUNCTION]


@in_a_loop
async def test_an_expression_over_metrics_is_watched(open_metrics):
    def stat(query_id, name):
        metric = {"Namespace": "shop", "MetricName": name, "Dimensions": CANARY["Dimensions"]}
        stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
        return {"Id": query_id, "MetricStat": stat, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * e / i", "Label": "Error rate"}
    async with open_metrics() as metrics:
        await put(metrics, 1.0)
        await put(metrics, 4.0, name="Invocations")
        await metrics.call(
            "PutMetricAlarm",
            AlarmName="canary",
            Metrics=[rate, stat("e", "Errors"), stat("i", "Invocations")],
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
            Threshold=20,
            ComparisonOperator="GreaterThanThreshold",
        )
        await metrics.alarms.judge_due()
        alarm = await described(metrics)
        assert alarm["StateValue"] == "ALARM"
        assert "[25.0 (" in alarm["StateReason"]


@in_a_loop
async def test_a_state_can_be_set_actions_kept_quiet_and_tags_kept(open_metrics):
    async with open_metrics() as metrics:
        tags = [{"Key": "team", "Value": "a"}]
        await metrics.call("PutMetricAlarm", **CANARY, Tags=tags)
        await metrics.call("DisableAlarmActions", AlarmNames=["canary", "unknown"])
        set_state = {"AlarmName": "canary", "StateReason": "drill"}
        await metrics.call("SetAlarmState", StateValue="ALARM", **set_state)
        quiet = await metrics.store.read(metrics.outbox.count)
        await metrics.call("EnableAlarmActions", AlarmNames=["canary"])
        await metrics.call("SetAlarmState", StateValue="OK", **set_state)
        await metrics.call("SetAlarmState", StateValue="ALARM", **set_state)
        # A change of configuration, two of the state, and now two actions.
        assert await metrics.store.read(metrics.outbox.count) == quiet + 5
        await metrics.call("TagResource", ResourceARN=ARN, Tags=[{"Key": "b", "Value": "c"}])
        await metrics.call("UntagResource", ResourceARN=ARN, TagKeys=["team"])
        found = await metrics.call("ListTagsForResource", ResourceARN=ARN)
        assert found == {"Tags": [{"Key": "b", "Value": "c"}]}
        of_metric = {name: CANARY[name] for name in ("Namespace", "MetricName", "Dimensions")}
        found = await metrics.call("DescribeAlarmsForMetric", **of_metric)
        assert [each["AlarmName"] for each in found["MetricAlarms"]] == ["canary"]
        await metrics.call("DeleteAlarms", AlarmNames=["canary"])
        with pytest.raises(AwsError, match="Unknown alarm canary"):
            await metrics.call("SetAlarmState", StateValue="OK", **set_state)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Period": 45}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"TreatMissingData": "odd"}, "is not supported for TreatMissingData"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm must be"),
        ({"ExtendedStatistic": "p90"}, "mutually exclusive"),
        ({"EvaluationPeriods": 1441}, "across more than a day"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "notifies SNS topics"),
        ({"AlarmActions": ["stop"]}, "Invalid arn syntax: stop"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"Threshold": float("nan")}, "Threshold is invalid"),
    ],
)
@in_a_loop
async def test_what_is_no_alarm_is_refused(open_metrics, changes, text):
    async with open_metrics() as metrics:
        with pytest.raises(AwsError, match=text):
            await metrics.call("PutMetricAlarm", **(CANARY | changes))
        assert (await metrics.call("DescribeAlarms"))["MetricAlarms"] == []
