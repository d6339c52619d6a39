"""PutLogEvents, GetLogEvents and FilterLogEvents over a real store."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from alonzo.model.errors import AwsError

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def messages(page: Any) -> list[str]:
    return [event["message"] for event in page["events"]]


def test_what_is_put_comes_back_in_the_order_of_time(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            now = logs.now_ms
            await logs.put("g", "s", [(now, "b"), (now, "c"), (now + 1, "d")])
            await logs.put("g", "s", [(now - HOUR_MS, "a"), (now + 1, "e")])
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s")
            assert messages(page) == ["a", "b", "c", "d", "e"]
            assert page["events"][0] == {
                "timestamp": now - HOUR_MS,
                "message": "a",
                "ingestionTime": now,
            }

    asyncio.run(main())


def test_pages_of_a_stream_meet_from_both_ends_and_keep_their_token_there(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            await logs.put("g", "s", [(logs.now_ms + i // 3, f"{i}") for i in range(25)])
            stream = {"logGroupName": "g", "logStreamName": "s", "limit": 10}
            last = await logs.call("GetLogEvents", **stream)
            assert messages(last) == [f"{i}" for i in range(15, 25)]
            seen = messages(last)
            page = last
            while True:
                token = page["nextBackwardToken"]
                page = await logs.call("GetLogEvents", **stream, nextToken=token)
                seen = messages(page) + seen
                if page["nextBackwardToken"] == token:
                    break
            assert seen == [f"{i}" for i in range(25)]
            assert page["events"] == []
            # Turning round at the end reads everything again.
            turned = await logs.call("GetLogEvents", **stream, nextToken=page["nextForwardToken"])
            assert messages(turned) == [f"{i}" for i in range(10)]
            seen, page = [], await logs.call("GetLogEvents", **stream, startFromHead=True)
            while True:
                seen += messages(page)
                token = page["nextForwardToken"]
                page = await logs.call(
                    "GetLogEvents", **stream, nextToken=token, startFromHead=True
                )
                if page["nextForwardToken"] == token:
                    break
            assert seen == [f"{i}" for i in range(25)]
            back = await logs.call("GetLogEvents", **stream, nextToken=page["nextBackwardToken"])
            assert messages(back) == [f"{i}" for i in range(15, 25)]

    asyncio.run(main())


def test_tokens_stay_good_while_new_events_arrive(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            now = logs.now_ms
            await logs.put("g", "s", [(now, f"{i}") for i in range(10)])
            stream = {"logGroupName": "g", "logStreamName": "s"}
            first = await logs.call("GetLogEvents", **stream, limit=6, startFromHead=True)
            empty = await logs.call("GetLogEvents", **stream, startTime=now + 1)
            found = await logs.call("FilterLogEvents", logGroupName="g", limit=6)
            await logs.put("g", "s", [(now, "late"), (now + 5, "later")])
            token = first["nextForwardToken"]
            rest = await logs.call("GetLogEvents", **stream, nextToken=token)
            assert messages(rest) == ["6", "7", "8", "9", "late", "later"]
            token = empty["nextForwardToken"]
            assert messages(await logs.call("GetLogEvents", **stream, nextToken=token)) == ["later"]
            token = found["nextToken"]
            rest = await logs.call("FilterLogEvents", logGroupName="g", nextToken=token)
            assert messages(rest) == ["6", "7", "8", "9", "late", "later"]
            again = await logs.call("FilterLogEvents", logGroupName="g", limit=6)
            assert again["events"] == found["events"]

    asyncio.run(main())


def test_the_end_is_outside_a_stream_s_range_and_inside_a_search_s(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            now = logs.now_ms
            await logs.put("g", "s", [(now + i, f"{i}") for i in range(5)])
            times = {"startTime": now + 1, "endTime": now + 3}
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s", **times)
            assert messages(page) == ["1", "2"]
            page = await logs.call("FilterLogEvents", logGroupName="g", **times)
            assert messages(page) == ["1", "2", "3"]
            times = {"startTime": now + 3, "endTime": now + 1}
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s", **times)
            assert page["events"] == []
            times = {"startTime": 2**63 - 1, "endTime": 2**63 - 1}
            page = await logs.call("FilterLogEvents", logGroupName="g", **times)
            assert page["events"] == []

    asyncio.run(main())


def test_a_page_stops_at_a_mebibyte_but_holds_one_event_at_least(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            for i in range(5):
                await logs.put("g", "s", [(logs.now_ms + i, f"{i}" * 400_000)])
            pages = await logs.pages("FilterLogEvents", logGroupName="g")
            assert [[text[0] for text in messages(page)] for page in pages] == [
                ["0", "1"],
                ["2", "3"],
                ["4"],
            ]
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s")
            assert [text[0] for text in messages(page)] == ["3", "4"]

    asyncio.run(main())


@pytest.mark.slow
def test_a_hundred_thousand_events_are_found_as_a_plain_list_finds_them(open_logs: Any) -> None:
    """Fifty streams whose batches overlap in time, against a list sorted by hand."""

    async def main() -> None:
        rng = random.Random(7)
        async with open_logs() as logs:
            now = logs.now_ms
            everything: list[tuple[int, str, str]] = []
            for batch in range(10):
                for number in range(50):
                    stream = f"{'ab'[number % 2]}/{number:02d}"
                    start = now + batch * 700
                    events = sorted(
                        (start + rng.randrange(1000), f"event {rng.randrange(10**6)}")
                        for _ in range(200)
                    )
                    logs.write("g", stream, *events)
                    everything += [(time, stream, text) for time, text in events]
                await logs.writer.flush()

            async def found(**params: Any) -> list[tuple[int, str, str]]:
                events = [
                    event
                    for page in await logs.pages("FilterLogEvents", logGroupName="g", **params)
                    for event in page["events"]
                ]
                assert len({event["eventId"] for event in events}) == len(events)
                ids = [event["eventId"] for event in events]
                assert ids == sorted(ids, reverse=params.get("startFromHead") is False)
                return [(e["timestamp"], e["logStreamName"], e["message"][:-1]) for e in events]

            assert sorted(await found()) == sorted(everything)
            assert sorted(await found(filterPattern='"7" -"9"')) == sorted(
                event for event in everything if "7" in event[2] and "9" not in event[2]
            )
            assert sorted(
                await found(
                    logStreamNamePrefix="a/",
                    startTime=now + 1000,
                    endTime=now + 2000,
                    startFromHead=False,
                    limit=777,
                )
            ) == sorted(
                event
                for event in everything
                if event[1].startswith("a/") and now + 1000 <= event[0] <= now + 2000
            )
            names = ["a/00", "b/49", "b/01"]
            assert sorted(await found(logStreamNames=names, limit=999)) == sorted(
                event for event in everything if event[1] in names
            )

    asyncio.run(main())


def test_a_long_search_answers_early_and_goes_on_with_its_token(
    open_logs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alonzo.services.logs.events.PAGE_SCANNED_EVENTS_MAX", 30)

    async def main() -> None:
        async with open_logs() as logs:
            now = logs.now_ms
            for i in range(100):
                logs.write("g", f"s{i % 4}", (now + i % 7, "needle" if i % 50 == 9 else f"{i}"))
                if i % 10 == 9:
                    await logs.writer.flush()
            for forward in (True, False):
                pages = await logs.pages(
                    "FilterLogEvents",
                    logGroupName="g",
                    filterPattern="needle",
                    startFromHead=forward,
                )
                assert len(pages) > 2
                found = [text for page in pages for text in messages(page)]
                assert found == ["needle\n"] * 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (
            [(0, "x"), (-1, "y")],
            "Log events in a single PutLogEvents request must be in chronological order.",
        ),
        (
            [(-DAY_MS - 1, "x"), (0, "y")],
            "The batch of log events in a single PutLogEvents request cannot span more than "
            "24 hours.",
        ),
        (
            [(0, "é" * 524_276)],
            "Log event too large: 1048578 bytes exceeds limit of 1048576",
        ),
        (
            [(0, "x" * 600_000), (0, "x" * 600_000)],
            "Upload too large: 1200052 bytes exceeds limit of 1048576",
        ),
    ],
)
def test_a_batch_that_breaks_a_limit_is_refused_whole(
    open_logs: Any, events: list[tuple[int, str]], message: str
) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            with pytest.raises(AwsError) as refused:
                await logs.put("g", "s", [(logs.now_ms + time, text) for time, text in events])
            assert (refused.value.code, refused.value.message) == (
                "InvalidParameterException",
                message,
            )
            page = await logs.call("FilterLogEvents", logGroupName="g")
            assert page == {"events": [], "searchedLogStreams": []}

    asyncio.run(main())


def test_events_too_old_expired_or_too_new_are_left_out_and_named(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            await logs.call("PutRetentionPolicy", logGroupName="g", retentionInDays=7)
            now = logs.now_ms
            answer = await logs.put(
                "g",
                "s",
                [
                    (now - 15 * DAY_MS, "too old"),
                    (now - 8 * DAY_MS, "expired"),
                    (now - 8 * DAY_MS, "expired"),
                    (now, "kept"),
                    (now + 3 * HOUR_MS, "too new"),
                ],
            )
            assert answer["rejectedLogEventsInfo"] == {
                "tooOldLogEventEndIndex": 1,
                "expiredLogEventEndIndex": 3,
                "tooNewLogEventStartIndex": 4,
            }
            assert len(answer["nextSequenceToken"]) == 56
            assert messages(await logs.call("FilterLogEvents", logGroupName="g")) == ["kept"]
            answer = await logs.put("g", "s", [(now + 3 * HOUR_MS, "too new")])
            assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}

    asyncio.run(main())


def test_a_day_of_events_in_one_batch_is_found_by_any_hour_of_it(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            start = logs.now_ms - DAY_MS
            await logs.put("g", "s", [(start + i * 1_800_000, f"{i}") for i in range(49)])
            for forward in (True, False):
                page = await logs.call(
                    "FilterLogEvents",
                    logGroupName="g",
                    startTime=start + 10 * 1_800_000,
                    endTime=start + 13 * 1_800_000,
                    startFromHead=forward,
                )
                expected = ["10", "11", "12", "13"]
                assert messages(page) == (expected if forward else expected[::-1])

    asyncio.run(main())


NO_GROUP = "The specified log group does not exist."
NO_STREAM = "The specified log stream does not exist."


@pytest.mark.parametrize(
    ("operation", "params", "code", "message"),
    [
        ("GetLogEvents", {"logGroupName": "no", "logStreamName": "s"}, "NotFound", NO_GROUP),
        ("GetLogEvents", {"logGroupName": "g", "logStreamName": "no"}, "NotFound", NO_STREAM),
        (
            "GetLogEvents",
            {"logGroupName": "g", "logStreamName": "s", "nextToken": "invalid-token"},
            "InvalidParameter",
            "The specified nextToken is invalid.",
        ),
        (
            "GetLogEvents",
            {"logGroupName": "g", "logGroupIdentifier": "g", "logStreamName": "s"},
            "Validation",
            "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
        ),
        ("FilterLogEvents", {"logGroupName": "no"}, "NotFound", NO_GROUP),
        ("FilterLogEvents", {"logGroupName": "g", "logStreamNames": ["no"]}, "NotFound", NO_STREAM),
        (
            "FilterLogEvents",
            {"logGroupName": "g", "nextToken": "invalid-token"},
            "InvalidParameter",
            "The specified nextToken is invalid.",
        ),
        (
            "FilterLogEvents",
            {"logGroupName": "g", "filterPattern": "{ $.a = "},
            "InvalidParameter",
            "If a filter pattern starts with '{' it must end with '}'",
        ),
        (
            "FilterLogEvents",
            {"logGroupIdentifier": "arn:aws:logs:eu-west-1:111111111111:log-group:g"},
            "NotFound",
            NO_GROUP,
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_aws_s_words(
    open_logs: Any, operation: str, params: dict[str, Any], code: str, message: str
) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            with pytest.raises(AwsError) as refused:
                await logs.call(operation, **params)
            codes = {"NotFound": "ResourceNotFoundException"}
            assert refused.value.code == codes.get(code, f"{code}Exception")
            assert refused.value.message == message

    asyncio.run(main())


@pytest.mark.parametrize("suffix", ["", ":*"])
def test_a_group_is_read_by_its_arn(open_logs: Any, suffix: str) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("/aws/lambda/f", "s")
            await logs.put("/aws/lambda/f", "s", [(logs.now_ms, "x")])
            arn = f"arn:aws:logs:eu-west-1:000000000000:log-group:/aws/lambda/f{suffix}"
            for identifier in (arn, "/aws/lambda/f"):
                by = {"logGroupIdentifier": identifier}
                page = await logs.call("GetLogEvents", **by, logStreamName="s")
                assert messages(page) == ["x"]
                assert messages(await logs.call("FilterLogEvents", **by)) == ["x"]
                listed = await logs.call("DescribeLogStreams", **by)
                assert len(listed["logStreams"]) == 1

    asyncio.run(main())


def test_regions_do_not_see_each_other(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            await logs.make("g", "s")
            await logs.call("CreateLogGroup", logGroupName="g", _region="us-east-1")
            await logs.put("g", "s", [(logs.now_ms, "x")])
            page = await logs.call("FilterLogEvents", logGroupName="g", _region="us-east-1")
            assert page["events"] == []

    asyncio.run(main())
