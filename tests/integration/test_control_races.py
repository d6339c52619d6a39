"""Many callers at once, crashes at each step, and the sweep: no half state, nothing lost."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.sweeper import GRACE_S, Sweeper
from alonzo.lib import faults
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.ports.code import CodeError
from alonzo.testing.control import HELLO, OTHER, ControlRig, open_control, zip_of

CALLERS = 50


@pytest.fixture(autouse=True)
def _no_armed_faults() -> Iterator[None]:
    yield
    faults.disarm()


class Crash(Exception):
    """Stands for the daemon's death at a fault point."""


def crash() -> None:
    raise Crash


async def outcomes(*calls: Any) -> Counter[str]:
    results = await asyncio.gather(*calls, return_exceptions=True)
    found: Counter[str] = Counter()
    for result in results:
        if isinstance(result, AwsError):
            found[result.code] += 1
        else:
            assert not isinstance(result, BaseException), result
            found["ok"] += 1
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sweeper(rig: ControlRig) -> Sweeper:
    return Sweeper(rig.store, rig.blobs, clock=rig.clock)


def test_one_of_many_creations_wins(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            found = await outcomes(*(rig.create("f") for _ in range(CALLERS)))
            assert found == {"ok": 1, "ResourceConflictException": CALLERS - 1}
            await rig.wait("f", State="Active")

    asyncio.run(main())


def test_one_of_many_deletions_wins(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            found = await outcomes(
                *(rig.call("DeleteFunction", FunctionName="f") for _ in range(CALLERS))
            )
            assert found == {"ok": 1, "ResourceNotFoundException": CALLERS - 1}

    asyncio.run(main())


def test_one_of_many_updates_wins_while_none_finishes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            rig.code.gate.clear()
            updates = [
                rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=number + 1)
                if number % 2
                else rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
                for number in range(CALLERS)
            ]
            found = await outcomes(*updates)
            assert found == {"ok": 1, "ResourceConflictException": CALLERS - 1}
            rig.code.gate.set()
            await rig.wait("f", LastUpdateStatus="Successful")

    asyncio.run(main())


def test_one_revision_is_updated_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            revision = (await rig.create_active("f"))["RevisionId"]
            found = await outcomes(
                *(
                    rig.call(
                        "UpdateFunctionConfiguration",
                        FunctionName="f",
                        RevisionId=revision,
                        Timeout=number + 1,
                    )
                    for number in range(CALLERS)
                )
            )
            assert found["ok"] == 1

    asyncio.run(main())


def test_everything_at_once_gives_errors_of_aws_only_and_a_whole_function(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:

            def call(number: int) -> Any:
                match number % 6:
                    case 0:
                        return rig.create("f", zip_of({"a": str(number % 5)}))
                    case 1:
                        return rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
                    case 2:
                        return rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
                    case 3:
                        return rig.call("GetFunction", FunctionName="f")
                    case 4:
                        return rig.call("ListFunctions")
                    case _:
                        return rig.call("DeleteFunction", FunctionName="f")

            found = await outcomes(*(call(number) for number in range(120)))
            assert set(found) <= {"ok", "ResourceConflictException", "ResourceNotFoundException"}
            if await rig.row("f") is None:
                await rig.create("f")
            document = await rig.settled("f")
            assert document["LastUpdateStatus"] == "Successful"
            row = await rig.row("f")
            assert row is not None
            assert row["serving_code_sha256"] == row["code_sha256"]
            assert await rig.blobs.exists(row["code_sha256"])

    asyncio.run(main())


def test_a_sweep_takes_what_nothing_needs_and_only_after_its_grace(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("kept")
            await rig.create_active("gone", OTHER)
            await rig.call("DeleteFunction", FunctionName="gone")
            await sweeper(rig).sweep()
            assert set(await rig.blobs.list_digests()) == {digest(HELLO), digest(OTHER)}
            rig.clock.advance(GRACE_S + 1)
            await sweeper(rig).sweep()
            assert await rig.blobs.list_digests() == [digest(HELLO)]
            await rig.create_active("again", OTHER)
            assert await rig.blobs.read(digest(OTHER)) == OTHER

    asyncio.run(main())


def test_the_grace_of_replaced_code_begins_when_it_is_replaced(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            rig.clock.advance(GRACE_S * 10)
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
            await rig.settled("f")
            await sweeper(rig).sweep()
            assert await rig.blobs.exists(digest(HELLO))
            rig.clock.advance(GRACE_S + 1)
            await sweeper(rig).sweep()
            assert await rig.blobs.list_digests() == [digest(OTHER)]

    asyncio.run(main())


def test_code_that_serves_after_a_failed_update_is_never_swept(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            rig.code.failure = CodeError("broken")
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=OTHER)
            await rig.wait("f", LastUpdateStatus="Failed")
            rig.clock.advance(GRACE_S + 1)
            await sweeper(rig).sweep()
            assert set(await rig.blobs.list_digests()) == {digest(HELLO), digest(OTHER)}

    asyncio.run(main())


@pytest.mark.parametrize("point", ["control.before_blob", "control.after_blob"])
def test_a_crash_while_a_package_comes_in_leaves_nothing_for_good(
    point: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            faults.arm(point, crash)
            with pytest.raises(Crash):
                await rig.create("f")
            faults.disarm()
            assert await rig.row("f") is None
            rig.clock.advance(GRACE_S + 1)
            await sweeper(rig).sweep()
            assert await rig.blobs.list_digests() == []
            await rig.create_active("f")

    asyncio.run(main())


@pytest.mark.parametrize("point", ["control.before_blob_delete", "control.after_blob_delete"])
def test_a_crash_while_sweeping_is_made_good_by_the_next_sweep(point: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            await rig.call("DeleteFunction", FunctionName="f")
            rig.clock.advance(GRACE_S + 1)
            faults.arm(point, crash)
            with pytest.raises(Crash):
                await sweeper(rig).sweep()
            faults.disarm()
            # The same package comes back while its deletion is decided and not yet done.
            creation = asyncio.ensure_future(rig.create("f"))
            await asyncio.sleep(0)
            await sweeper(rig).sweep()
            await creation
            await rig.wait("f", State="Active")
            assert await rig.blobs.read(digest(HELLO)) == HELLO

    asyncio.run(main())


@pytest.mark.parametrize("point", ["control.after_prepare", "control.after_deploy"])
def test_a_crash_of_the_deployer_is_made_good_by_the_next_one(point: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path, deploying=False) as rig:
            await rig.create("f")
            crashed = asyncio.Event()

            def crash_once() -> None:
                faults.disarm()
                crashed.set()
                raise Crash

            faults.arm(point, crash_once)
            async with TaskScope() as scope:
                await rig.new_deployer().reconcile(scope)
                await asyncio.wait_for(crashed.wait(), 5)
            async with TaskScope() as scope:
                scope.spawn(rig.new_deployer().run(), name="deployer")
                document = await rig.wait("f", State="Active")
            assert document["LastUpdateStatus"] == "Successful"

    asyncio.run(main())
