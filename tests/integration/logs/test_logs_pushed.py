"""What watches events: subscriptions, metric filters and live tails, over a real store."""

import asyncio
import functools
import json
import random

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.logs.pushing import PAYLOAD_BYTES_MAX, Batch, payloads
from alonzo.services.logs.rules import GroupKey
from alonzo.testing.events import until

from .conftest import ACCOUNT, REGION

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:reader"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g"


def in_a_loop(test):
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


def subscribe(logs, name="f", pattern="", **more):
    return logs.call(
        "PutSubscriptionFilter",
        logGroupName="g",
        filterName=name,
        filterPattern=pattern,
        **({"destinationArn": FUNCTION} | more),
    )


def add_metric(logs, name="f", pattern="", value="1", **more):
    into = {"metricName": "m", "metricNamespace": "n", "metricValue": value} | more
    return logs.call(
        "PutMetricFilter",
        logGroupName="g",
        filterName=name,
        filterPattern=pattern,
        metricTransformations=[into],
    )


async def has_come(functions, number):
    async def enough():
        return len(functions.calls) >= number

    await until(enough)


@in_a_loop
async def test_matching_events_reach_the_function_with_their_ids(open_logs):
    async with open_logs() as logs:
        await logs.make("g", "s")
        await subscribe(logs, pattern="ERROR")
        now = logs.now_ms
        await logs.put("g", "s", [(now, "fine"), (now + 1, "ERROR 1"), (now + 2, "ERROR 2")])
        await has_come(logs.functions, 1)
        logs.write("g", "t", (now + 3, "fine too"), (now + 4, "ERROR 3"))
        await logs.writer.flush()
        await has_come(logs.functions, 2)
        stored = await logs.call("FilterLogEvents", logGroupName="g", filterPattern="ERROR")
        (arn, first, use), (_, second, _) = logs.functions.calls
        assert (arn, use.service, use.source_arn) == (FUNCTION, "logs.amazonaws.com", f"{GROUP}:*")
        assert {name: first[name] for name in first if name != "logEvents"} == {
            "messageType": "DATA_MESSAGE",
            "owner": ACCOUNT,
            "logGroup": "g",
            "logStream": "s",
            "subscriptionFilters": ["f"],
        }
        assert second["logStream"] == "t"
        assert [*first["logEvents"], *second["logEvents"]] == [
            {"id": each["eventId"], "timestamp": each["timestamp"], "message": each["message"]}
            for each in stored["events"]
        ]


@in_a_loop
async def test_what_matched_before_the_end_is_delivered_after_it(open_logs):
    async with open_logs() as logs:
        await logs.make("g", "s")
        await subscribe(logs)
        logs.functions.refusal = RuntimeError("out of order")
        await logs.put("g", "s", [(logs.now_ms, "kept")])
    async with open_logs() as logs:
        logs.clock.advance(3600)
        await has_come(logs.functions, 1)
        assert logs.functions.calls[0][1]["logEvents"][0]["message"] == "kept"
        # And the filter is still there.
        await logs.put("g", "s", [(logs.now_ms, "new")])
        await has_come(logs.functions, 2)


@in_a_loop
async def test_subscriptions_are_checked_when_they_are_put(open_logs):
    async with open_logs() as logs:
        await logs.make("g")
        logs.functions.refusal = AwsError("AccessDeniedException", "no", status=403)
        with pytest.raises(AwsError, match="Make sure you have given CloudWatch Logs permission"):
            await subscribe(logs)
        logs.functions.refusal = None
        for more, text in (
            ({"destinationArn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"}, "Vendor kinesis"),
            ({"roleArn": "arn:aws:iam::1:role/r"}, "cannot be used with roleArn"),
            ({"destinationArn": FUNCTION.replace(REGION, "us-west-2")}, "account and region"),
            ({"pattern": "{ $.a }"}, "Invalid filter pattern"),
            ({"emitSystemFields": ["@aws.account"]}, "not supported"),
        ):
            with pytest.raises(AwsError, match=text):
                await subscribe(logs, **more)
        await subscribe(logs, "a")
        await subscribe(logs, "b")
        await subscribe(logs, "b", pattern="again")
        with pytest.raises(AwsError, match="Resource limit exceeded"):
            await subscribe(logs, "c")
        pages = await logs.pages("DescribeSubscriptionFilters", logGroupName="g", limit=1)
        found = [each for page in pages for each in page["subscriptionFilters"]]
        assert [(each["filterName"], each["filterPattern"]) for each in found] == [
            ("a", ""),
            ("b", "again"),
        ]
        where = {"logGroupName": "g", "filterName": "a"}
        await logs.call("DeleteSubscriptionFilter", **where)
        with pytest.raises(AwsError, match="subscription filter does not exist"):
            await logs.call("DeleteSubscriptionFilter", **where)
        await logs.call("DeleteLogGroup", logGroupName="g")
        assert logs.parts.book.of(GroupKey(ACCOUNT, REGION, "g")) is None


@in_a_loop
async def test_metric_filters_count_extract_and_default(open_logs):
    async with open_logs() as logs:
        await logs.make("g", "s")
        await add_metric(logs, "terms", "ERROR", metricName="errors", defaultValue=0)
        await add_metric(
            logs, "json", "{ $.ms > 0 }", "$.ms", unit="Milliseconds", dimensions={"path": "$.path"}
        )
        await add_metric(logs, "fields", "[ip, size > 9]", "$size", metricName="size")
        now = logs.now_ms // 60_000 * 60_000
        await logs.put("g", "s", [(now, "fine"), (now, "all quiet")])
        await logs.put(
            "g",
            "s",
            [
                (now, "ERROR"),
                (now, '{"ms": 5, "path": "/a"}'),
                (now, '{"ms": 5, "path": "/a"}'),
                (now, '{"ms": 7}'),
                (now, "10.0.0.1 12"),
                (now, '{"ms": "soon", "path": "/a"}'),
            ],
        )
        found = [
            (each.name, each.unit, each.dimensions, each.counts) for each in logs.journal.values
        ]
        assert found == [
            ("errors", "None", (), {0: 1}),
            ("errors", "None", (), {1.0: 1}),
            ("m", "Milliseconds", (("path", "/a"),), {5.0: 2}),
            ("size", "None", (), {12.0: 1}),
        ]
        groups = await logs.call("DescribeLogGroups")
        assert groups["logGroups"][0]["metricFilterCount"] == 3
        by_metric = {"metricName": "m", "metricNamespace": "n"}
        found = await logs.call("DescribeMetricFilters", **by_metric)
        assert [each["filterName"] for each in found["metricFilters"]] == ["json"]
        pages = await logs.pages("DescribeMetricFilters", limit=2)
        assert [len(page["metricFilters"]) for page in pages] == [2, 1]
        await logs.call("DeleteMetricFilter", logGroupName="g", filterName="json")
        for pattern, value, more in (
            ("x", "$.a", {}),
            ("{ $.a = 1 }", "many", {}),
            ("{ $.a = 1 }", "1", {"dimensions": {"a": "$.a"}, "defaultValue": 1}),
            ("", "1", {"metricNamespace": "AWS/Lambda"}),
        ):
            with pytest.raises(AwsError, match="Invalid"):
                await add_metric(logs, "bad", pattern, value, **more)


@in_a_loop
async def test_a_metric_filter_can_be_tried(open_logs):
    async with open_logs() as logs:

        async def tried(pattern, *messages):
            answer = await logs.call(
                "TestMetricFilter", filterPattern=pattern, logEventMessages=list(messages)
            )
            return [(each["eventNumber"], each["extractedValues"]) for each in answer["matches"]]

        assert await tried("[ip, , size]", "a b c", "a") == [
            (1, {"$1": "a", "$2": "b", "$3": "c", "$ip": "a", "$size": "c"})
        ]
        assert await tried('{ $.a = "x*" && $.b[0] = 1 }', '{"a": "xy", "b": [1]}') == [
            (1, {"$.a": "xy", "$.b[0]": "1"})
        ]
        assert await tried("word", "no", "a word") == [(2, {})]


def test_a_payload_is_cut_where_lambda_would_not_take_it():
    chance = random.Random(7)
    texts = ["".join(chr(chance.randrange(32, 0x3000)) for _ in range(2000)) for _ in range(300)]
    events = [(at, at, text) for at, text in enumerate(texts)]
    made = list(payloads(Batch(GroupKey(ACCOUNT, REGION, "g"), "s", "f", events)))
    assert len(made) > 1
    assert all(len(each) <= PAYLOAD_BYTES_MAX and json.loads(each) for each in made)


@in_a_loop
async def test_a_live_tail_shows_what_comes_and_ends_with_the_platform(open_logs):
    async with open_logs() as logs:
        await logs.make("g", "a1", "b1")
        await logs.put("g", "a1", [(logs.now_ms, "old ERROR")])
        answer = await logs.parts.tails.start_live_tail(
            logs.context,
            {
                "logGroupIdentifiers": [GROUP],
                "logStreamNamePrefixes": ["a"],
                "logEventFilterPattern": "ERROR",
            },
        )
        events = answer["responseStream"]
        start = (await anext(events))["sessionStart"]
        assert start["logGroupIdentifiers"] == [GROUP]
        await logs.put("g", "a1", [(logs.now_ms, "ERROR 1"), (logs.now_ms, "fine")])
        await logs.put("g", "b1", [(logs.now_ms, "ERROR elsewhere")])
        update = (await anext(events))["sessionUpdate"]
        assert update == {
            "sessionMetadata": {"sampled": False},
            "sessionResults": [
                {
                    "logStreamName": "a1",
                    "logGroupIdentifier": f"{ACCOUNT}:g",
                    "message": "ERROR 1",
                    "timestamp": logs.now_ms,
                    "ingestionTime": logs.now_ms,
                }
            ],
        }
        logs.clock.advance(3 * 3600)
        with pytest.raises(AwsError, match="SessionTimeoutException"):
            await anext(events)
        assert not logs.parts.tails.viewers
        for changes, text in (
            ({"logGroupIdentifiers": ["g"]}, "ARNs"),
            ({"logStreamNames": ["a"]}, "mutually exclusive"),
        ):
            params = {"logGroupIdentifiers": [GROUP], "logStreamNamePrefixes": ["a"]} | changes
            with pytest.raises(AwsError, match=text):
                await logs.parts.tails.start_live_tail(logs.context, params)
