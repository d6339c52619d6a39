"""The suite that every poller passes: one coroutine for each promise, given a ``World``.

Whoever writes a poller adds a world for it (``worlds.py``) to those of the test.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import FunctionFacts
from alonzo.testing.poller_rig import (
    THROTTLED,
    WAIT_S,
    World,
    at_work,
    bodies_of,
    fill,
    group_of,
    in_order,
)


async def check_everything_is_handled_once_and_done(world: World) -> None:
    """No trouble: each item goes to the function once, in batches of the size asked for."""
    bodies = bodies_of(5, 20)
    async with at_work(world, BatchSize=4) as rig:
        await fill(world, bodies)
        await rig.until_done()
        assert sorted(rig.handled) == sorted(bodies)
        assert max(len(call) for call in rig.calls) <= 4
        if world.keeps_order:
            assert in_order(rig.handled)


async def check_groups_run_side_by_side(world: World) -> None:
    """No group waits for another one."""
    together = asyncio.Barrier(2)

    async def meet(records: list[dict[str, Any]]) -> Any:
        async with asyncio.timeout(WAIT_S):
            await together.wait()

    bodies = ["g0/000", "g1/000"]
    await fill(world, bodies)
    async with at_work(world, meet, BatchSize=1) as rig:
        await rig.until_done()
        assert rig.at_once_max == 2


async def check_what_does_not_match_is_done_without_a_call(world: World) -> None:
    """Filters: the others never reach the function and never come back."""
    pattern = json.dumps({"body": {"kind": ["a"]}})
    async with at_work(world, FilterCriteria={"Filters": [{"Pattern": pattern}]}) as rig:
        for kind in ("a", "b", "a", "c"):
            await world.put(json.dumps({"kind": kind}), "g")
        await world.put("no object", "g")
        await rig.until_done()
        assert [json.loads(body)["kind"] for body in rig.handled] == ["a", "a"]


async def check_what_fails_is_handled_again(world: World) -> None:
    """Function errors: nothing is lost, and nothing else is held up for ever."""
    failures = Counter[str]()

    async def fail_twice(records: list[dict[str, Any]]) -> Any:
        for record in records:
            body = world.body(record)
            if body.endswith("003") and failures[body] < 2:
                failures[body] += 1
                raise ValueError(body)

    bodies = bodies_of(3, 6)
    async with at_work(world, fail_twice, BatchSize=2) as rig:
        await fill(world, bodies)
        await rig.until_done(again=True)
        assert set(rig.handled) == set(bodies)
        assert failures == {"g0/003": 2, "g1/003": 2, "g2/003": 2}
        if world.keeps_order:
            assert in_order(rig.handled)


async def check_partial_responses(world: World) -> None:
    """Only what is reported is handled again, or, in a shard, all from there on."""
    failed = set[str]()

    async def report(records: list[dict[str, Any]]) -> Any:
        left: list[dict[str, Any]] = []
        stopped = set[str]()
        for record in records:
            body = world.body(record)
            if body.endswith("002") and body not in failed:
                failed.add(body)
                left.append(record)
                stopped.add(group_of(body))
            elif world.keeps_order and group_of(body) in stopped:
                left.append(record)  # As handlers of ordered sources should do it.
        return {"batchItemFailures": [{"itemIdentifier": world.id(each)} for each in left]}

    bodies = bodies_of(2, 5)
    await fill(world, bodies)
    reporting = ["ReportBatchItemFailures"]
    async with at_work(world, report, FunctionResponseTypes=reporting, BatchSize=10) as rig:
        await rig.until_done(again=True)
        assert set(rig.handled) == set(bodies)
        times = Counter(rig.handled)
        assert failed == {"g0/002", "g1/002"}
        assert times["g0/002"] > 1
        assert times["g0/000"] == times["g1/000"] == 1


async def check_throttled_calls_are_made_again(world: World) -> None:
    """For want of concurrency: each item is handled, and only once."""
    bodies = bodies_of(2, 4)
    async with at_work(world, BatchSize=10) as rig:
        rig.refusals += [THROTTLED] * 4
        await fill(world, bodies)
        await rig.until(lambda: rig.tries >= 4)
        await rig.until_done()
        assert sorted(rig.handled) == sorted(bodies)


async def check_a_function_may_go_and_come_back(world: World) -> None:
    """It stays mapped, nothing is lost, and a new function is noticed at once."""
    async with at_work(world) as rig:
        await world.put("g0/000", "g0")
        await rig.until_done()
        await rig.stop()
        rig.facts_now = None
        await rig.start()
        await world.put("g0/001", "g0")
        rig.facts_now = FunctionFacts("arn:aws:iam::123456789012:role/r", 1)
        rig.function_changed()
        await rig.until_done()
        assert rig.handled == ["g0/000", "g0/001"]


async def check_a_source_in_trouble_is_read_again(world: World) -> None:
    """It goes away and comes back."""
    async with at_work(world) as rig:
        world.fail(AwsError("AccessDenied", "no"))
        await world.put("g0/000", "g0")
        await asyncio.sleep(0.05)
        world.fail(None)
        rig.function_changed()
        await rig.until_done()
        assert rig.handled == ["g0/000"]


async def check_a_stop_waits_for_what_is_under_way(world: World) -> None:
    """It is done when ``stop`` returns, and nothing is read any more until the next start."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(records: list[dict[str, Any]]) -> Any:
        begun.set()
        await go_on.wait()

    async with at_work(world, wait, BatchSize=1) as rig, TaskScope() as scope:
        await world.put("g0/000", "g0")
        await asyncio.wait_for(begun.wait(), WAIT_S)
        stopping = scope.spawn(rig.stop(), name="stop")
        await asyncio.sleep(0.02)
        assert not stopping.done()
        go_on.set()
        await asyncio.wait_for(stopping, WAIT_S)
        await world.put("g0/001", "g0")
        await asyncio.sleep(0.02)
        assert await world.left() == ["g0/001"]
        assert rig.handled == ["g0/000"]
        assert len(rig.engine) == 0
        await rig.start()
        await rig.until_done()
        assert rig.handled == ["g0/000", "g0/001"]


async def check_a_change_counts_from_the_next_batch_on(world: World) -> None:
    """Without a stop; what is under way ends as it began."""
    closed, gate = False, asyncio.Event()

    async def wait(records: list[dict[str, Any]]) -> Any:
        if closed:
            await gate.wait()

    async with at_work(world, wait, BatchSize=1) as rig:
        # One batch at a time, so that the next one waits for it.
        rig.facts_now = FunctionFacts("arn:aws:iam::123456789012:role/r", 1, reserved=1)
        await fill(world, bodies_of(1, 3))
        await rig.until_done()
        await rig.engine.apply(rig.mapping(BatchSize=10))
        closed = True
        await world.put("g0/003", "g0")
        await rig.until(lambda: rig.running)
        await fill(world, [f"g0/{n:03d}" for n in range(4, 9)])
        gate.set()
        await rig.until_done()
        assert [len(call) for call in rig.calls] == [1, 1, 1, 1, 5]


async def check_a_payload_has_its_limit(world: World) -> None:
    """A batch is closed before it is too long."""
    bodies = [f"g0/{n:03d}{'x' * 300}" for n in range(6)]
    await fill(world, bodies)
    async with at_work(world, BatchSize=10, payload_bytes_max=2048) as rig:
        await rig.until_done()
        assert rig.handled == bodies
        assert len(rig.calls) > 1
        assert max(rig.payloads) <= 2048


async def check_a_death_loses_nothing(world: World) -> None:
    """Whenever it comes: each item is handled at least once, and in its order."""

    async def dawdle(records: list[dict[str, Any]]) -> Any:
        await asyncio.sleep(0.004)

    bodies = bodies_of(4, 15)
    await fill(world, bodies)
    async with at_work(world, dawdle, BatchSize=3) as rig:
        for so_many in range(3, 40, 9):
            await rig.until(lambda so_many=so_many: len(rig.handled) >= so_many)
            await rig.kill()
            await world.show_again()
            await rig.start()
        await rig.until_done(again=True)
        assert set(rig.handled) == set(bodies)
        if world.keeps_order:
            assert in_order(rig.handled)


CONTRACT: tuple[Callable[[World], Awaitable[None]], ...] = (
    check_everything_is_handled_once_and_done,
    check_groups_run_side_by_side,
    check_what_does_not_match_is_done_without_a_call,
    check_what_fails_is_handled_again,
    check_partial_responses,
    check_throttled_calls_are_made_again,
    check_a_function_may_go_and_come_back,
    check_a_source_in_trouble_is_read_again,
    check_a_stop_waits_for_what_is_under_way,
    check_a_change_counts_from_the_next_batch_on,
    check_a_payload_has_its_limit,
    check_a_death_loses_nothing,
)
