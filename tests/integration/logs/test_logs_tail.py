"""The calls that ``aws logs tail`` makes (AWS CLI v2), with and without ``--follow``.

Read from the CLI's own source: it pages FilterLogEvents with ``interleaved`` and ``startTime``;
when following, a page without nextToken makes it start again at the newest timestamp it has seen,
and it drops the events of that timestamp whose id it knows.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from alonzo.lib.tasks import TaskScope


async def tail(logs: Any, group: str, *, since_ms: int, **filters: Any) -> list[Any]:
    request = {"logGroupName": group, "interleaved": True, "startTime": since_ms, **filters}
    pages = await logs.pages("FilterLogEvents", **request)
    return [event for page in pages for event in page["events"]]


async def follow(logs: Any, group: str, *, since_ms: int) -> AsyncIterator[Any]:
    request: dict[str, Any] = {
        "logGroupName": group,
        "interleaved": True,
        "startTime": since_ms,
    }
    newest_ms, seen = since_ms, set[str]()
    while True:
        answer = await logs.call("FilterLogEvents", **request)
        for event in answer["events"]:
            if event["timestamp"] > newest_ms:
                newest_ms, seen = event["timestamp"], set()
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                yield event
        request.pop("nextToken", None)
        if "nextToken" in answer:
            request["nextToken"] = answer["nextToken"]
        else:
            request["startTime"] = newest_ms
            await asyncio.sleep(0)


def test_tail_since_shows_everything_from_then_on(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            since = logs.now_ms - 600_000
            for stream in ("2026/11/21/[$LATEST]aa", "2026/11/21/[$LATEST]bb"):
                for i in range(-2, 8000):
                    logs.write("/aws/lambda/f", stream, (since + i, f"{i} of {stream}"))
            group = "/aws/lambda/f"
            events = await tail(logs, group, since_ms=since)
            assert len(events) == 16_000
            assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)
            assert {e["logStreamName"] for e in events[:2]} == {
                "2026/11/21/[$LATEST]aa",
                "2026/11/21/[$LATEST]bb",
            }
            filters = {"filterPattern": '"777 of"', "logStreamNamePrefix": "2026/11/21/[$LATEST]b"}
            found = await tail(logs, group, since_ms=since, **filters)
            assert [e["message"] for e in found] == [
                f"{i} of 2026/11/21/[$LATEST]bb\n" for i in range(777, 8000, 1000)
            ]

    asyncio.run(main())


def test_tail_follow_shows_each_event_once_while_functions_write(open_logs: Any) -> None:
    async def main() -> None:
        rng = random.Random(3)
        async with open_logs() as logs, TaskScope() as scope:
            scope.spawn(logs.writer.run(), name="logs.run")
            logs.write("g", "s0", (logs.now_ms, "0"))
            written = 1

            async def write() -> None:
                nonlocal written
                while written < 3000:
                    for _ in range(rng.randrange(40)):
                        logs.write("g", f"s{written % 5}", (logs.now_ms, f"{written}"))
                        written += 1
                    logs.clock.advance(rng.choice([0, 0, 0.001]))
                    await asyncio.sleep(0)

            writing = scope.spawn(write(), name="writer")
            shown: list[int] = []
            async with asyncio.timeout(20):
                async for event in follow(logs, "g", since_ms=logs.now_ms - 1000):
                    shown.append(int(event["message"]))
                    if writing.done() and len(shown) >= written:
                        break
            assert sorted(shown) == list(range(written))

    asyncio.run(main())
