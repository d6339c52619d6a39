"""Queries of Logs Insights over stored events: their life, their groups and their bounds."""

import asyncio
import functools
import random

import orjson
import pytest

from alonzo.lib import faults
from alonzo.model.documents import JsonElements
from alonzo.model.errors import AwsError
from alonzo.services.logs.insights import archive, definitions
from alonzo.services.logs.insights import run as runs
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
    monkeypatch.setattr(runs, "_PAGE_EVENTS", 3)
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
        with pytest.raises(AwsError, match="is not running"):
            await logs.call("StopQuery", queryId=query_id)
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


@in_a_loop
async def test_a_query_that_is_stopped_ends_in_the_middle_of_an_event(open_logs):
    async with open_logs() as logs:
        await logs.make("g", "s")
        # Each character leads somewhere new: minutes of work.
        message = "".join(random.Random(1).choices("ab", k=250_000))
        await logs.put("g", "s", [(logs.now_ms - 10, message)])
        query_id = await asked(logs, "filter @message like /a.{400}b.{400}c/")

        async def scanned():
            found = await logs.call("GetQueryResults", queryId=query_id)
            return found["statistics"]["recordsScanned"] == 1.0

        await until(scanned)
        assert await logs.call("StopQuery", queryId=query_id) == {"success": True}
        # The loop waits for its threads before it ends: for this one not for minutes.


@in_a_loop
async def test_results_outlive_the_platform_for_seven_days(open_logs, monkeypatch):
    monkeypatch.setattr(archive, "_PAGE_ROWS", 2)
    async with open_logs() as logs:
        await logs.make("g", "s")
        await logs.put("g", "s", [(logs.now_ms - 10 + n, f'{{"n": {n}}}') for n in range(5)])
        found = await answer(logs, "fields n")
        query = await asked_last(logs)
    async with open_logs() as logs:
        query_id = query["queryId"]
        assert (await asked_last(logs)) == query
        again = await logs.call("GetQueryResults", queryId=query_id)
        assert again == found
        pages = await logs.pages("GetQueryResults", queryId=query_id, maxItems=3)
        assert [row for page in pages for row in page["results"]] == found["results"]
        groups = await logs.call("ListLogGroupsForQuery", queryId=query_id)
        assert groups == {"logGroupIdentifiers": ["g"]}
        with pytest.raises(AwsError, match="is not running"):
            await logs.call("StopQuery", queryId=query_id)
        logs.clock.advance(archive.KEPT_S + 1)
        await archive.QueryArchive(logs.store, logs.clock).forget()
        with pytest.raises(AwsError, match="does not exist"):
            await logs.call("GetQueryResults", queryId=query_id)


@in_a_loop
async def test_long_results_are_handed_out_page_by_page_and_never_whole(open_logs, monkeypatch):
    monkeypatch.setattr(archive, "_PAGE_ROWS", 100)
    async with open_logs() as logs:
        await logs.make("g", "s")
        texts = [f"{number:04} {'ä' * 200}" for number in range(1000)]
        await logs.put("g", "s", [(logs.now_ms - 2000 + at, text) for at, text in enumerate(texts)])
        desk = archive.QueryArchive(logs.store, logs.clock)
        query_id = await asked(logs, "fields @message | sort @message")

        async def over():
            found = await logs.call("GetQueryResults", queryId=query_id, maxItems=1)
            return found["status"] == "Complete"

        await until(over)
        reads, read = [], logs.store.read

        async def counted(work):
            reads.append(1)
            return await read(work)

        monkeypatch.setattr(logs.store, "read", counted)
        for start, end, pages in ((0, 1000, 10), (50, 950, 10), (100, 400, 3), (1000, 1000, 0)):
            reads.clear()
            results = await desk.results(query_id, start, end)
            before = len(reads)
            if isinstance(results, JsonElements):
                assert before <= 2
                text = b"[%b]" % b",".join([piece async for piece in results.pieces])
                results = orjson.loads(text)
            assert [row[0]["value"] for row in results] == texts[start:end]
            assert len(reads) == pages
        # What is forgotten while it is sent does not end as if it were all.
        results = await desk.results(query_id, 0, 1000)
        await logs.store.tx(lambda db: db.execute("DELETE FROM log_query"))
        with pytest.raises(AwsError, match="does not exist"):
            _ = [piece async for piece in results.pieces]


@in_a_loop
async def test_a_query_that_was_cut_has_failed_after_the_next_start(open_logs):
    never = asyncio.Event()
    async with open_logs() as logs:
        await logs.make("g", "s")
        faults.arm("logs.query_running", never.wait)
        try:
            query_id = await asked(logs, "fields @message")

            async def running():
                found = await logs.call("DescribeQueries", status="Running")
                return [each["queryId"] for each in found["queries"]] == [query_id]

            await until(running)
        finally:
            faults.disarm()
    async with open_logs() as logs:
        found = await logs.call("GetQueryResults", queryId=query_id)
        assert (found["status"], found["results"]) == ("Failed", [])
        assert (await asked_last(logs))["status"] == "Failed"


@in_a_loop
async def test_there_is_room_for_so_many_queries_and_the_oldest_go_first(open_logs, monkeypatch):
    async with open_logs() as logs:
        await logs.make("g", "s")
        await logs.put("g", "s", [(logs.now_ms - 10, "x" * 1000)])
        monkeypatch.setattr(archive, "KEPT_MAX", 2)
        query_ids = []
        for _ in range(3):
            logs.clock.advance(1)
            await answer(logs, "fields @message")
            query_ids.append((await asked_last(logs))["queryId"])
        listed = await logs.call("DescribeQueries")
        assert [each["queryId"] for each in listed["queries"]] == [query_ids[2], query_ids[1]]
        monkeypatch.setattr(archive, "KEPT_BYTES_MAX", 1)
        # Its own results are more than there is room for.
        gone = await asked(logs, "fields @message")

        async def forgotten():
            return (await logs.call("DescribeQueries"))["queries"] == []

        await until(forgotten)
        with pytest.raises(AwsError, match="does not exist"):
            await logs.call("GetQueryResults", queryId=gone)


@in_a_loop
async def test_the_pointer_of_a_row_leads_to_the_whole_event(open_logs):
    async with open_logs() as logs:
        await logs.make("g", "s")
        at_ms = logs.now_ms - 10
        message = '{"user": {"name": "ann"}, "items": [1, true], "none": null}'
        await logs.put("g", "s", [(at_ms - 1, "other"), (at_ms, message)])
        found = await answer(logs, "filter user.name = 'ann' | fields user.name")
        ((_, pointer),) = found["results"]
        assert pointer["field"] == "@ptr"
        record = await logs.call("GetLogRecord", logRecordPointer=pointer["value"])
        assert record["logRecord"] == {
            "@ptr": pointer["value"],
            "@log": "000000000000:g",
            "@logStream": "s",
            "@message": message,
            "@timestamp": str(at_ms),
            "@ingestionTime": str(logs.now_ms),
            "user.name": "ann",
            "items.0": "1",
            "items.1": "1",
        }
        for bad in ("", "x", pointer["value"][:-8] + "AAAAAAA=", "Zg==", "A" * 5000):
            with pytest.raises(AwsError, match="pointer is not valid"):
                await logs.call("GetLogRecord", logRecordPointer=bad)
        with pytest.raises(AwsError, match="pointer is not valid"):
            await logs.call("GetLogRecord", logRecordPointer=pointer["value"], _region="us-west-2")


@in_a_loop
async def test_definitions_are_kept_under_their_names(open_logs, monkeypatch):
    monkeypatch.setattr(definitions, "DEFINITIONS_MAX", 3)
    token = "t" * 36
    async with open_logs() as logs:

        async def put(name, **more):
            more = {"queryString": "fields @message", **more}
            made = await logs.call("PutQueryDefinition", name=name, **more)
            return made["queryDefinitionId"]

        first = await put("shop/errors", logGroupNames=["g"], clientToken=token)
        assert await put("shop/errors", logGroupNames=["g"], clientToken=token) == first
        await put("shop/slow", parameters=[{"name": "ms", "defaultValue": "1"}])
        await put("other")
        with pytest.raises(AwsError, match="Resource limit exceeded"):
            await put("more")
        assert await put("shop/failures", queryDefinitionId=first) == first
    async with open_logs() as logs:
        pages = await logs.pages("DescribeQueryDefinitions", maxResults=1)
        names = [each["name"] for page in pages for each in page["queryDefinitions"]]
        assert names == ["other", "shop/failures", "shop/slow"]
        found = await logs.call("DescribeQueryDefinitions", queryDefinitionNamePrefix="shop/f")
        assert found["queryDefinitions"] == [
            {
                "queryLanguage": "CWLI",
                "queryDefinitionId": first,
                "name": "shop/failures",
                "queryString": "fields @message",
                "lastModified": logs.now_ms,
            }
        ]
        deleted = await logs.call("DeleteQueryDefinition", queryDefinitionId=first)
        assert deleted == {"success": True}
        for operation, more in (
            ("DeleteQueryDefinition", {}),
            ("PutQueryDefinition", {"name": "n", "queryString": "q"}),
        ):
            with pytest.raises(AwsError, match="does not exist"):
                await logs.call(operation, queryDefinitionId=first, **more)
