"""Light calls: what they are spared, and that they miss nothing that a task has."""

import asyncio
import logging

import pytest

from alonzo.lib.tasks import Moment, TaskScope, Turn


def run(scenario):
    """Run ``scenario(scope, turn)`` in a loop of its own."""

    async def body():
        scope = TaskScope()
        try:
            async with asyncio.timeout(10):
                await scenario(scope, Turn.of_loop())
        finally:
            await scope.close()

    asyncio.run(body())


def test_a_light_call_begins_in_the_next_turn_and_ends_without_a_task():
    async def scenario(scope, turn):
        said = []

        async def call():
            said.append(len(asyncio.all_tasks()))

        scope.run(call(), name="call", turn=turn)
        assert not said
        assert len(scope) == 1
        await asyncio.sleep(0)
        assert said == [1]
        assert len(scope) == 0

    run(scenario)


def test_a_light_call_waits_for_a_moment_without_a_task():
    async def scenario(scope, turn):
        moment = Moment()
        said = []

        async def call():
            said.append(await moment)
            said.append(len(asyncio.all_tasks()))

        scope.run(call(), name="call", turn=turn)
        await asyncio.sleep(0)
        moment.give("now", turn)
        assert not said
        await asyncio.sleep(0)
        assert said == ["now", 1]

    run(scenario)


def test_a_moment_that_has_been_is_not_waited_for():
    async def scenario(scope, turn):
        moment = Moment()
        moment.give("before", turn)
        said = []

        async def call():
            said.append(await moment)

        scope.run(call(), name="call", turn=turn)
        await asyncio.sleep(0)
        assert said == ["before"]

    run(scenario)


def test_a_task_can_wait_for_a_moment_as_well():
    async def scenario(scope, turn):
        moment = Moment()

        async def wait():
            return await moment

        task = scope.spawn(wait(), name="wait")
        await asyncio.sleep(0)
        moment.give(3, turn)
        assert await task == 3

    run(scenario)


def test_a_light_call_that_waits_for_anything_else_becomes_a_task():
    async def scenario(scope, turn):
        moment, future = Moment(), turn.loop.create_future()
        said = []

        async def call():
            await asyncio.sleep(0)
            said.append(await future)
            said.append(await moment)

        scope.run(call(), name="the call", turn=turn)
        await asyncio.sleep(0)
        assert [task.get_name() for task in asyncio.all_tasks()].count("the call") == 1
        turn.loop.call_later(0.001, future.set_result, 1)
        turn.loop.call_later(0.002, moment.give, 2, turn)
        await scope.drain()
        assert said == [1, 2]

    run(scenario)


def test_a_time_limit_that_began_in_a_light_call_ends_what_it_became():
    async def scenario(scope, turn):
        said = []

        async def call():
            try:
                async with asyncio.timeout(0.001):
                    await turn.loop.create_future()
            except TimeoutError:
                said.append("too late")

        scope.run(call(), name="call", turn=turn)
        await scope.drain()
        assert said == ["too late"]

    run(scenario)


def test_a_time_limit_ends_a_light_call_that_waits_for_a_moment():
    async def scenario(scope, turn):
        said = []

        async def call():
            try:
                async with asyncio.timeout(0.001):
                    await Moment()
            except TimeoutError:
                said.append("too late")
            said.append(await asyncio.sleep(0, "afterwards"))

        scope.run(call(), name="call", turn=turn)
        await asyncio.sleep(0.01)
        await scope.drain()
        assert said == ["too late", "afterwards"]

    run(scenario)


@pytest.mark.parametrize("turns", [0, 1])
def test_closing_a_scope_cancels_a_light_call_that_waits(turns):
    async def scenario(scope, turn):
        moment = Moment()
        said = []

        async def call():
            try:
                await moment
            except asyncio.CancelledError:
                said.append("cancelled")
                raise
            finally:
                said.append("tidied")

        scope.run(call(), name="call", turn=turn)
        for _ in range(turns):
            await asyncio.sleep(0)
        await scope.close()
        assert len(scope) == 0
        # One that had not begun has nothing to tidy, as with a task.
        assert said == (["cancelled", "tidied"] if turns else [])
        moment.give("nobody listens", turn)
        await asyncio.sleep(0)

    run(scenario)


def test_draining_waits_for_a_light_call():
    async def scenario(scope, turn):
        moment = Moment()
        said = []

        async def call():
            said.append(await moment)

        scope.run(call(), name="call", turn=turn)
        await asyncio.sleep(0)
        turn.loop.call_later(0.001, moment.give, "at last", turn)
        await scope.drain()
        assert said == ["at last"]

    run(scenario)


def test_a_light_call_that_fails_is_logged_and_the_next_one_goes_on(caplog):
    async def scenario(scope, turn):
        said = []

        async def fail():
            raise ValueError("as told")

        async def call():
            said.append("went on")

        scope.run(fail(), name="failing", turn=turn)
        scope.run(call(), name="call", turn=turn)
        await asyncio.sleep(0)
        assert said == ["went on"]

    with caplog.at_level(logging.ERROR, "alonzo.tasks"):
        run(scenario)
    (record,) = caplog.records
    assert (record.message, record.task) == ("task.failed", "failing")
    assert isinstance(record.exc_info[1], ValueError)
