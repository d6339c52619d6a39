"""The log sink: visible at once, durable, bounded, and gentle to whoever cancels."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.store.base import StoreError


def messages(page: Any) -> list[str]:
    """The lines of a page, each of which ends with a newline, as on AWS."""
    texts = [event["message"] for event in page["events"]]
    assert all(text.endswith("\n") for text in texts)
    return [text[:-1] for text in texts]


@pytest.fixture(autouse=True)
def _no_armed_faults() -> Any:
    yield
    faults.disarm()


def test_what_was_written_is_visible_to_the_next_call(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            logs.write("/aws/lambda/f", "2026/11/21/[$LATEST]0", (logs.now_ms, "START"))
            groups = await logs.call("DescribeLogGroups", logGroupNamePrefix="/aws/lambda/")
            assert [group["logGroupName"] for group in groups["logGroups"]] == ["/aws/lambda/f"]
            logs.write("/aws/lambda/f", "2026/11/21/[$LATEST]0", (logs.now_ms, "END"))
            page = await logs.call("FilterLogEvents", logGroupName="/aws/lambda/f")
            assert messages(page) == ["START", "END"]

    asyncio.run(main())


def test_the_flusher_writes_on_its_own_and_the_rest_survives_a_restart(
    open_logs: Any, eventually: Any, tmp_path: Path
) -> None:
    def chunks_on_disk() -> int:
        with closing(sqlite3.connect(tmp_path / "alonzo.db")) as db:
            return db.execute("SELECT count(*) FROM log_chunk").fetchone()[0]

    async def main() -> None:
        async with open_logs() as logs, TaskScope() as scope:
            scope.spawn(logs.writer.run(), name="logs.run")
            logs.write("g", "s", (logs.now_ms, "one"))
            await asyncio.to_thread(eventually, chunks_on_disk, within_s=10)
            logs.write("g", "s", (logs.now_ms, "two"))
        async with open_logs() as logs:
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s")
            assert messages(page) == ["one", "two"]

    asyncio.run(main())


def test_many_writers_lose_and_double_nothing(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs, TaskScope() as scope:
            scope.spawn(logs.writer.run(), name="logs.run")

            async def write(writer: int) -> None:
                for i in range(200):
                    logs.write("g", f"s{writer % 4}", (logs.now_ms, f"{writer}.{i}"))
                    if i % 50 == writer:
                        await logs.writer.flush()
                    if i % 20 == 0:
                        await asyncio.sleep(0)

            async with asyncio.TaskGroup() as tasks:
                for writer in range(8):
                    tasks.create_task(write(writer))
            pages = await logs.pages("FilterLogEvents", logGroupName="g", limit=700)
            found = [text for page in pages for text in messages(page)]
            assert sorted(found) == sorted(f"{w}.{i}" for w in range(8) for i in range(200))
            for number in range(4):
                page = await logs.call("GetLogEvents", logGroupName="g", logStreamName=f"s{number}")
                for writer in (number, number + 4):
                    own = [text for text in messages(page) if text.startswith(f"{writer}.")]
                    assert own == [f"{writer}.{i}" for i in range(200)]

    asyncio.run(main())


def test_past_the_bound_the_oldest_go_and_a_line_says_how_many(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs(queued_characters_max=2_000_000) as logs:
            for i in range(5):
                logs.write("g", "s", (logs.now_ms + i, f"{i}" * 499_936), (logs.now_ms + i, "+"))
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s", limit=2)
            assert [text[0] for text in messages(page)] == ["4", "+"]
            pages = await logs.pages("FilterLogEvents", logGroupName="g")
            texts = [text for page in pages for text in messages(page)]
            assert [text[0] for text in texts if "dropped" not in text] == [*"2+3+4+"]
            assert [text for text in texts if "dropped" in text] == [
                "4 log events were dropped: too many waited"
            ]

    asyncio.run(main())


def test_a_batch_that_the_store_refused_is_written_by_the_next_flush(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:

            def refuse() -> None:
                faults.disarm()
                raise StoreError("disk full")

            logs.write("g", "s", (logs.now_ms, "one"))
            faults.arm("logs.before_flush", refuse)
            with pytest.raises(StoreError):
                await logs.writer.flush()
            logs.write("g", "s", (logs.now_ms, "two"))
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s")
            assert messages(page) == ["one", "two"]

    asyncio.run(main())


def test_a_cancelled_caller_does_not_make_a_batch_be_written_twice(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs, TaskScope() as scope:
            reached, go_on = asyncio.Event(), asyncio.Event()

            async def hold() -> None:
                reached.set()
                await go_on.wait()

            faults.arm("logs.before_flush", hold)
            logs.write("g", "s", (logs.now_ms, "once"))
            caller = scope.spawn(logs.writer.flush(), name="caller")
            await reached.wait()
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            go_on.set()
            page = await logs.call("GetLogEvents", logGroupName="g", logStreamName="s")
            assert messages(page) == ["once"]

    asyncio.run(main())


def test_odd_messages_are_kept(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            logs.write("g", "s", (logs.now_ms, "\ud800 lone"), (logs.now_ms, "🙀 日本語"))
            logs.write("g", "s", (logs.now_ms, ""), (logs.now_ms, "\x00\x1b[31m"))
            logs.write("g", "s")
            page = await logs.call("FilterLogEvents", logGroupName="g")
            assert messages(page) == ["? lone", "🙀 日本語", "", "\x00\x1b[31m"]

    asyncio.run(main())


def test_an_event_longer_than_aws_takes_becomes_several(open_logs: Any) -> None:
    async def main() -> None:
        async with open_logs() as logs:
            logs.write("g", "s", (logs.now_ms, "x" * 3_000_000))
            pages = await logs.pages("FilterLogEvents", logGroupName="g")
            texts = [event["message"] for page in pages for event in page["events"]]
            assert "".join(texts) == "x" * 3_000_000 + "\n"
            assert max(map(len, texts)) <= 1_048_576

    asyncio.run(main())
