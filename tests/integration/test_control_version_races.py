"""Many callers at once on the versions and aliases of one function: AWS's errors, no half state."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from alonzo.control.records import list_deploying
from alonzo.invoke.directory import Directory
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, HELLO, OTHER, REGION, ControlRig, open_control

CALLERS = 50
KEY = FunctionKey(ACCOUNT, REGION, "f")
EXPECTED = {
    "ok",
    "InvalidParameterValueException",
    "PreconditionFailedException",
    "ResourceConflictException",
    "ResourceNotFoundException",
}


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


async def deployed(rig: ControlRig) -> None:
    """Wait until the deployer has nothing to do."""
    async with asyncio.timeout(10):
        while True:
            if not await rig.store.read(lambda db: list_deploying(db, rows_max=1)):
                return
            await asyncio.sleep(0.002)


async def check_whole(rig: ControlRig) -> None:
    """What there is of the function fits together."""
    listed = await rig.call("ListVersionsByFunction", FunctionName="f")
    versions = [each["Version"] for each in listed["Versions"]]
    assert versions == ["$LATEST", *sorted(set(versions[1:]), key=int)]
    for version in versions[1:]:
        document = await rig.configuration("f", Qualifier=version)
        assert (document["State"], document["LastUpdateStatus"]) == ("Active", "Successful")
    for alias in (await rig.call("ListAliases", FunctionName="f"))["Aliases"]:
        assert alias["FunctionVersion"] in versions
        routing = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        assert set(routing) <= set(versions)


def test_many_publications_of_the_same_content_make_one_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            answers = await asyncio.gather(
                *(rig.call("PublishVersion", FunctionName="f") for _ in range(CALLERS))
            )
            assert all(answer == answers[0] for answer in answers)
            await check_whole(rig)

    asyncio.run(main())


def test_one_of_many_creations_and_updates_of_an_alias_wins(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            alias = {"FunctionName": "f", "Name": "a"}
            found = await outcomes(
                *(
                    rig.call("CreateAlias", **alias, FunctionVersion="$LATEST")
                    for _ in range(CALLERS)
                )
            )
            assert found == {"ok": 1, "ResourceConflictException": CALLERS - 1}
            revision = (await rig.call("GetAlias", **alias))["RevisionId"]
            found = await outcomes(
                *(
                    rig.call("UpdateAlias", **alias, RevisionId=revision, Description=str(number))
                    for number in range(CALLERS)
                )
            )
            assert found == {"ok": 1, "PreconditionFailedException": CALLERS - 1}

    asyncio.run(main())


def test_reservations_side_by_side_never_exceed_the_account(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for number in range(10):
                await rig.create_active(f"f{number}")
            found = await outcomes(
                *(
                    rig.call(
                        "PutFunctionConcurrency",
                        FunctionName=f"f{number % 10}",
                        ReservedConcurrentExecutions=300,
                    )
                    for number in range(CALLERS)
                )
            )
            assert set(found) == {"ok", "InvalidParameterValueException"}
            limits = (await rig.call("GetAccountSettings"))["AccountLimit"]
            assert limits["UnreservedConcurrentExecutions"] == 100

    asyncio.run(main())


def test_everything_at_once_leaves_a_function_that_fits_together(tmp_path: Path) -> None:
    async def main() -> None:
        random = Random(11)
        async with open_control(tmp_path) as rig, TaskScope() as scope:
            directory = Directory(rig.store, scope, lambda _, __: None, chance=random.random)
            await rig.create_active("f", Publish=True)

            def version() -> str:
                return str(random.randint(1, 6))

            async def resolve() -> None:
                qualifier = random.choice([None, "a", "b", version()])
                target = await directory.resolve(FunctionRef(KEY, qualifier))
                assert target.version.key == KEY

            def alias() -> dict[str, Any]:
                return {
                    "FunctionName": "f",
                    "Name": random.choice("ab"),
                    "FunctionVersion": version(),
                    "RoutingConfig": {"AdditionalVersionWeights": {version(): 0.5}},
                }

            name = {"FunctionName": "f"}
            calls = [
                lambda: rig.call("PublishVersion", **name),
                lambda: rig.call("PublishVersion", **name),
                lambda: rig.call(
                    "UpdateFunctionCode",
                    **name,
                    ZipFile=random.choice([HELLO, OTHER]),
                    Publish=random.random() < 0.5,
                ),
                lambda: rig.call(
                    "UpdateFunctionConfiguration", **name, Timeout=random.randint(1, 99)
                ),
                lambda: rig.call("DeleteFunction", **name, Qualifier=version()),
                lambda: rig.call("CreateAlias", **alias()),
                lambda: rig.call("UpdateAlias", **alias()),
                lambda: rig.call("DeleteAlias", **name, Name=random.choice("ab")),
                resolve,
                resolve,
            ]
            total: Counter[str] = Counter()
            for _ in range(12):
                total += await outcomes(*(random.choice(calls)() for _ in range(CALLERS)))
                await rig.settled("f")
            assert set(total) <= EXPECTED
            assert total["ok"] > CALLERS
            await deployed(rig)
            await check_whole(rig)
            found = await outcomes(
                *(rig.call("DeleteFunction", **name) for _ in range(10)),
                *(random.choice(calls)() for _ in range(CALLERS)),
            )
            assert set(found) <= EXPECTED
            assert (await rig.call("ListFunctions", FunctionVersion="ALL"))["Functions"] == []
            for table in ("function_version", "function_alias"):
                statement = f"SELECT * FROM {table}"
                assert await rig.store.read(lambda db, sql=statement: db.all(sql)) == []
            directory.close()

    asyncio.run(main())
