"""Layers under everything at once: only AWS's errors, and never a half state."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.sweeper import GRACE_S, Sweeper
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, REGION, ControlRig, open_control, zip_of

PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:"
#: What AWS answers in the states that these tests reach, and nothing else.
EXPECTED = {
    "InvalidParameterValueException",
    "ResourceConflictException",
    "ResourceNotFoundException",
}
DATA = [zip_of({f"python/m{number}.py": str(number)}) for number in range(3)]


async def survivors(rig: ControlRig) -> None:
    """Every package that a layer or a function still needs is there, and is noted."""
    needed = await rig.store.read(
        lambda db: db.all(
            "SELECT code_sha256 FROM layer_version UNION "
            "SELECT code_sha256 FROM function_version_layer"
        )
    )
    for row in needed:
        await rig.blobs.read(row["code_sha256"])
    versions = await rig.store.read(
        lambda db: db.all("SELECT name, version, layers, serving FROM function_version")
    )
    noted = await rig.store.read(lambda db: db.all("SELECT * FROM function_version_layer"))
    for version in versions:
        own = {
            row["code_sha256"]
            for row in noted
            if (row["name"], row["version"]) == (version["name"], version["version"])
        }
        assert all(sha in version["layers"] + (version["serving"] or "") for sha in own)
        bound = {layer["code"]["sha256"] for layer in json.loads(version["layers"])}
        assert bound <= own


@pytest.mark.parametrize("seed", range(4))
def test_everything_at_once_gives_only_aws_errors_and_no_half_state(
    tmp_path: Path, seed: int
) -> None:
    choose = random.Random(seed)

    def step(rig: ControlRig) -> Any:
        layer = choose.choice(("a", "b"))
        number = choose.randint(1, 8)
        function = choose.choice(("f", "g"))
        arns = [f"{PREFIX}{name}:{choose.randint(1, 8)}" for name in choose.sample("ab", 2)]
        arns = arns[: choose.randint(0, 2)]
        return choose.choice(
            (
                lambda: rig.call(
                    "PublishLayerVersion",
                    LayerName=layer,
                    Content={"ZipFile": choose.choice(DATA)},
                ),
                lambda: rig.call("DeleteLayerVersion", LayerName=layer, VersionNumber=number),
                lambda: rig.create(function, Layers=arns),
                lambda: rig.call("UpdateFunctionConfiguration", FunctionName=function, Layers=arns),
                lambda: rig.call("PublishVersion", FunctionName=function),
                lambda: rig.call("DeleteFunction", FunctionName=function),
                lambda: Sweeper(rig.store, rig.blobs, clock=rig.clock).sweep(),
                lambda: rig.call("ListLayers"),
            )
        )()

    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for _ in range(6):
                outcomes = await asyncio.gather(
                    *(step(rig) for _ in range(25)), return_exceptions=True
                )
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        assert isinstance(outcome, AwsError), outcome
                        assert outcome.code in EXPECTED, outcome
                rig.clock.advance(GRACE_S / 2)
                await Sweeper(rig.store, rig.blobs, clock=rig.clock).sweep()
                await survivors(rig)

    asyncio.run(main())
