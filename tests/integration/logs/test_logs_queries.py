"""Queries of Logs Insights over stored events: their life, their groups and their bounds."""

import asyncio
import functools

import pytest

from alonzo.model.errors import AwsError
from alonzo.services.logs.insights import desk
from alonzo.testing.events import until


def in_a_loop(test):
    """Run a test on an event loop of its own."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


async def asked(logs, query, groups=("g",), **more):
    now_s = logs.now_ms // 1000
    params = {"logGroupNames": list(groups), "startTime": now_s - 3600, "endTime": now_s} | more
    return (await logs.call("StartQuery", queryString=query, **params))["queryId"]


async def answer(logs, query, groups=("g",), **more):
    query_id = await asked(logs, query, groups, **more)

    async def over():
        found = await logs.call("GetQueryResults", queryId=query_id)
        return found["status"] not in ("Scheduled", "Running")

    await until(over)
    return await logs.call("GetQueryResults", queryId=query_id)


def values(found):
    return [[cell["value"] for cell in row if cell["field"] != "@ptr"] for row in found["results"]]


@in_a_loop
async def test_a_query_reads_its_groups_together_page_by_page(open_logs, monkeypatch):
    monkeypatch.setattr(desk, "_PAGE_EVENTS", 3)
    async with open_logs() as logs:
        await logs.make("g", "s", "t")
        await logs.make("h", "s")
        start = logs.now_ms - 600_000
        for at in range(10):
            group, stream = ("h", "s") if at % 3 == 0 else ("g", "st"[at % 2])
            await logs.put(group, stream, [(start + at * 1000, f"n={at}")])
        await logs.put("g", "s", [(logs.now_ms - 4_000_000, "n=99")])
        found = await answer(logs, "parse 'n=*' as n | fields n, @log", ["g", "h"])
        groups = ("000000000000:g", "000000000000:h")
        assert values(found) == [[str(at), groups[at % 3 == 0]] for at in reversed(range(10))]
        assert found["status"] == "Complete"
        assert found["statistics"]["recordsScanned"] == 10.0
        found = await answer(logs, "stats count(*) as n by @log | sort n", ["g", "h"])
        assert values(found) == [["000000000000:h", "4"], ["000000000000:g", "6"]]
        # A limit ends the reading.
        found = await answer(logs, "fields @message", ["g", "h"], limit=2)
        assert values(found) == [["n=9"], ["n=8"]]
        assert found["statistics"]["recordsScanned"] < 10
        first = await logs.call(
            "GetQueryResults", queryId=(await asked_last(logs))["queryId"], maxItems=1
        )
        assert len(first["results"]) == 1
        assert "nextToken" in first
        logs.write("g", "s", (logs.now_ms, "just written"))
        found = await answer(logs, "filter @message like 'just' | fields @logStream")
        assert values(found) == [["s"]]


async def asked_last(logs):
    return (await logs.call("DescribeQueries", logGroupName="g"))["queries"][0]


@in_a_loop
async def test_queries_are_listed_stopped_and_refused(open_logs):
    async with open_logs() as logs:
        await logs.make("g", "s")
        query_id = await asked(logs, "fields @message")
        assert await logs.call("StopQuery", queryId=query_id) == {"success": True}
        assert await logs.call("StopQuery", queryId=query_id) == {"success": False}
        listed = await logs.call("DescribeQueries", status="Cancelled")
        assert [each["queryId"] for each in listed["queries"]] == [query_id]
        with pytest.raises(AwsError, match="does not exist"):
            await logs.call("GetQueryResults", queryId=query_id, _region="us-west-2")
        for query, more, text in (
            ("pattern @message", {}, "pattern is not supported"),
            ("fields a", {"groups": ["unknown"]}, "does not exist"),
            ("fields a", {"queryLanguage": "SQL"}, "CWLI"),
            ("fields a", {"endTime": 0}, "must not be before"),
            ("fields a", {"logGroupName": "g"}, "Exactly one"),
        ):
            with pytest.raises(AwsError, match=text):
                await asked(logs, query, **more)
