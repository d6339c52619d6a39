"""Layers against a small model of them: any operations in any order give the same answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control, zip_of

ZIP = zip_of({"python/a.py": "1"})
GET = "lambda:GetLayerVersion"

NAMES = st.sampled_from(["a", "b"])
NUMBERS = st.integers(1, 4)
SIDS = st.sampled_from(["s", "t"])
RUNTIMES = st.lists(st.sampled_from(["python3.12", "nodejs22.x"]), max_size=2, unique=True)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), NAMES, RUNTIMES),
        st.tuples(st.just("delete"), NAMES, NUMBERS),
        st.tuples(st.just("allow"), NAMES, NUMBERS, SIDS),
        st.tuples(st.just("disallow"), NAMES, NUMBERS, SIDS),
    ),
    max_size=16,
)


class Model:
    """What should be: name -> number -> (runtimes, statement ids); and the highest numbers."""

    def __init__(self) -> None:
        self.layers: dict[str, dict[int, tuple[list[str], list[str]]]] = {"a": {}, "b": {}}
        self.last = {"a": 0, "b": 0}

    def publish(self, name: str, runtimes: list[str]) -> Any:
        self.last[name] += 1
        self.layers[name][self.last[name]] = (runtimes, [])
        return self.last[name]

    def delete(self, name: str, number: int) -> Any:
        self.layers[name].pop(number, None)

    def allow(self, name: str, number: int, sid: str) -> Any:
        if number not in self.layers[name]:
            return "ResourceNotFoundException"
        sids = self.layers[name][number][1]
        if sid in sids:
            return "ResourceConflictException"
        sids.append(sid)
        return sid

    def disallow(self, name: str, number: int, sid: str) -> Any:
        if number not in self.layers[name] or sid not in self.layers[name][number][1]:
            return "ResourceNotFoundException"
        self.layers[name][number][1].remove(sid)
        return None

    def latest(self, runtime: str | None) -> dict[str, int]:
        found = {
            name: [n for n, (given, _) in versions.items() if runtime in (None, *given)]
            for name, versions in self.layers.items()
        }
        return {name: max(numbers) for name, numbers in found.items() if numbers}


class Real:
    """The same, asked of the control plane; an error answers its code."""

    def __init__(self, rig: ControlRig) -> None:
        self.rig = rig

    async def publish(self, name: str, runtimes: list[str]) -> Any:
        made = await self.rig.call(
            "PublishLayerVersion",
            LayerName=name,
            Content={"ZipFile": ZIP},
            CompatibleRuntimes=runtimes,
        )
        return made["Version"]

    async def delete(self, name: str, number: int) -> Any:
        await self.rig.call("DeleteLayerVersion", LayerName=name, VersionNumber=number)

    async def allow(self, name: str, number: int, sid: str) -> Any:
        added = await self.rig.call(
            "AddLayerVersionPermission",
            LayerName=name,
            VersionNumber=number,
            StatementId=sid,
            Action=GET,
            Principal="*",
        )
        return json.loads(added["Statement"])["Sid"]

    async def disallow(self, name: str, number: int, sid: str) -> Any:
        await self.rig.call(
            "RemoveLayerVersionPermission", LayerName=name, VersionNumber=number, StatementId=sid
        )


async def check(rig: ControlRig, model: Model) -> None:
    """Everything that can be read says what the model says."""
    for runtime in (None, "python3.12", "nodejs22.x"):
        params = {"CompatibleRuntime": runtime} if runtime else {}
        listed = (await rig.call("ListLayers", **params))["Layers"]
        assert model.latest(runtime) == {
            layer["LayerName"]: layer["LatestMatchingVersion"]["Version"] for layer in listed
        }
    for name, versions in model.layers.items():
        listed = (await rig.call("ListLayerVersions", LayerName=name))["LayerVersions"]
        assert [each["Version"] for each in listed] == sorted(versions, reverse=True)
        for number, (runtimes, sids) in versions.items():
            at = {"LayerName": name, "VersionNumber": number}
            shown = await rig.call("GetLayerVersion", **at)
            assert shown["CompatibleRuntimes"] == runtimes
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}:{number}"
            assert await rig.call("GetLayerVersionByArn", Arn=arn) == shown
            try:
                policy = json.loads((await rig.call("GetLayerVersionPolicy", **at))["Policy"])
            except AwsError as error:
                policy = {"Statement": []}
                if error.code != "ResourceNotFoundException":
                    raise
            assert [statement["Sid"] for statement in policy["Statement"]] == sids
    usage = (await rig.call("GetAccountSettings"))["AccountUsage"]
    assert usage["TotalCodeSize"] == sum(map(len, model.layers.values()))


@settings(max_examples=10)
@given(operations=OPERATIONS)
def test_any_operations_in_any_order_do_what_the_model_does(
    tmp_path_factory: Any, operations: list[tuple[Any, ...]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("layers")

    async def main() -> None:
        async with open_control(folder, deploying=False) as rig:
            model, real = Model(), Real(rig)
            for name, *arguments in operations:
                expected = getattr(model, name)(*arguments)
                try:
                    answer = await getattr(real, name)(*arguments)
                except AwsError as error:
                    answer = error.code
                assert answer == expected, (name, arguments)
            await check(rig, model)

    asyncio.run(main())
