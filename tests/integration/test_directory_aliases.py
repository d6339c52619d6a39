"""Whom a call reaches, by what the real control plane has stored."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import pytest

from alonzo.invoke.concurrency import Reservations
from alonzo.invoke.directory import Directory
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, open_control

KEY = FunctionKey(ACCOUNT, REGION, "f")
CALLS = 4000


@asynccontextmanager
async def opened(path):
    """A control plane with ``f`` and two versions, a directory, and what it told of changes."""
    heard = {}
    async with open_control(path) as rig, TaskScope() as scope:
        directory = Directory(rig.store, scope, heard.__setitem__, chance=Random(7).random)
        await rig.create_active("f")
        for timeout in (11, 12):
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=timeout)
            await rig.settled("f")
            await rig.call("PublishVersion", FunctionName="f")
        await scope.drain()
        yield rig, directory, scope, heard
        directory.close()


async def version_of(directory, qualifier):
    return (await directory.resolve(FunctionRef(KEY, qualifier))).version.version


def test_every_qualifier_reaches_its_version_and_follows_at_once(tmp_path):
    async def main():
        async with opened(tmp_path) as (rig, directory, _, _):
            for qualifier, version in ((None, "$LATEST"), ("$LATEST", "$LATEST"), ("1", "1")):
                assert await version_of(directory, qualifier) == version
            with pytest.raises(AwsError, match=f"Function not found: {KEY.arn}:prod"):
                await version_of(directory, "prod")
            name = {"FunctionName": "f", "Name": "prod"}
            await rig.call("CreateAlias", **name, FunctionVersion="1")
            assert await version_of(directory, "prod") == "1"
            await rig.call("UpdateAlias", **name, FunctionVersion="2")
            assert await version_of(directory, "prod") == "2"
            await rig.call("DeleteAlias", **name)
            with pytest.raises(AwsError, match="Function not found"):
                await version_of(directory, "prod")
            await rig.call("DeleteFunction", FunctionName="f:1")
            with pytest.raises(AwsError, match="Function not found"):
                await version_of(directory, "1")

    asyncio.run(main())


@pytest.mark.parametrize("weight", [0.0, 0.05, 0.5, 0.9, 1.0])
def test_an_alias_shares_its_calls_by_weight(tmp_path, weight):
    async def main():
        async with opened(tmp_path) as (rig, directory, _, _):
            await rig.call(
                "CreateAlias",
                FunctionName="f",
                Name="prod",
                FunctionVersion="1",
                RoutingConfig={"AdditionalVersionWeights": {"2": weight}},
            )
            reached = [await version_of(directory, "prod") for _ in range(CALLS)]
            share = reached.count("2") / CALLS
            assert set(reached) <= {"1", "2"}
            # Four standard deviations of a binomial share, and none where there is no chance.
            assert abs(share - weight) <= 4 * (weight * (1 - weight) / CALLS) ** 0.5

    asyncio.run(main())


def test_versions_have_environments_of_their_own_that_live_as_long_as_they(tmp_path):
    async def main():
        async with opened(tmp_path) as (rig, directory, scope, heard):
            generations = {}
            for qualifier in ("$LATEST", "1", "2"):
                target = await directory.resolve(FunctionRef(KEY, qualifier))
                generations[qualifier] = target.version.generation
            assert heard[KEY] == frozenset(generations.values())
            assert len(heard[KEY]) == 3
            await rig.call("DeleteFunction", FunctionName="f:1")
            await scope.drain()
            assert heard[KEY] == {generations["$LATEST"], generations["2"]}

    asyncio.run(main())


def test_reservations_are_known_to_the_next_call(tmp_path):
    async def main():
        async with opened(tmp_path) as (rig, directory, _, _):
            await rig.create_active("g")
            other = FunctionRef(FunctionKey(ACCOUNT, REGION, "g"), None)

            async def reservations(ref):
                return (await directory.resolve(ref)).reservations

            mine = FunctionRef(KEY, "1")
            assert await reservations(mine) == await reservations(other) == Reservations(None, 0)
            put = {"FunctionName": "f", "ReservedConcurrentExecutions": 7}
            await rig.call("PutFunctionConcurrency", **put)
            assert await reservations(mine) == Reservations(7, 7)
            assert await reservations(other) == Reservations(None, 7)
            await rig.call("DeleteFunction", FunctionName="f")
            assert await reservations(other) == Reservations(None, 0)
            assert (await directory.resolve(other)).stops_loops
            await rig.call("PutFunctionRecursionConfig", FunctionName="g", RecursiveLoop="Allow")
            assert not (await directory.resolve(other)).stops_loops

    asyncio.run(main())
