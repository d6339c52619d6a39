"""Layers of functions on a real store: which may be used, and what keeps them served."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from alonzo.control.sweeper import GRACE_S, Sweeper
from alonzo.model.errors import AwsError
from alonzo.model.functions import layers_tree
from alonzo.model.ports.code import CodeError
from alonzo.store.blobs import BlobMissingError
from alonzo.store.queries import load
from alonzo.testing.control import ACCOUNT, HELLO, REGION, ControlRig, open_control, zip_of

INVALID = "InvalidParameterValueException"
PREFIX = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:"
ONE, TWO = zip_of({"python/one.py": "1"}), zip_of({"python/two.py": "2"})


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        await call
    return caught.value.code, caught.value.message


async def publish(rig: ControlRig, name: str, data: bytes = ONE, **params: Any) -> dict[str, Any]:
    return await rig.call(
        "PublishLayerVersion", LayerName=name, Content={"ZipFile": data}, **params
    )


def run(main: Any) -> None:
    asyncio.run(main())


async def layers_of(rig: ControlRig, name: str, **params: Any) -> list[str]:
    document = await rig.configuration(name, **params)
    return [layer["Arn"] for layer in document.get("Layers", [])]


async def use(rig: ControlRig, name: str, *arns: str) -> dict[str, Any]:
    await rig.call("UpdateFunctionConfiguration", FunctionName=name, Layers=list(arns))
    return await rig.settled(name)


def test_layers_of_a_function_are_shown_prepared_and_served_in_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one", ONE)
            await publish(rig, "two", TWO)
            arns = [f"{PREFIX}two:1", f"{PREFIX}one:1"]
            made = await rig.create("f", Layers=arns)
            assert made["Layers"] == [
                {"Arn": arns[0], "CodeSize": len(TWO)},
                {"Arn": arns[1], "CodeSize": len(ONE)},
            ]
            await rig.wait("f", State="Active")
            assert rig.code.prepared == [sha(HELLO), sha(TWO), sha(ONE)]
            assert await layers_of(rig, "f") == arns
            listed = (await rig.call("ListFunctions"))["Functions"]
            assert listed[0]["Layers"] == made["Layers"]
            row = await rig.row("f")
            assert row is not None
            assert f'"layers":["{sha(TWO)}","{sha(ONE)}"]' in row["serving"]

    run(main)


def test_layers_left_out_stay_and_an_empty_list_takes_them_away(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one")
            arn = f"{PREFIX}one:1"
            await rig.create_active("f", Layers=[arn])
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
            await rig.settled("f")
            assert await layers_of(rig, "f") == [arn]
            document = await use(rig, "f")
            assert "Layers" not in document
            row = await rig.row("f")
            assert row is not None
            assert '"layers":[]' in row["serving"]

    run(main)


def test_a_version_keeps_its_layers_whatever_becomes_of_latest(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one", ONE)
            await publish(rig, "one", TWO)
            await rig.create_active("f", Layers=[f"{PREFIX}one:1"])
            first = await rig.call("PublishVersion", FunctionName="f")
            again = await rig.call("PublishVersion", FunctionName="f")
            assert (first["Version"], again["Version"]) == ("1", "1")
            await use(rig, "f", f"{PREFIX}one:2")
            second = await rig.call("PublishVersion", FunctionName="f")
            assert second["Version"] == "2"
            assert await layers_of(rig, "f", Qualifier="1") == [f"{PREFIX}one:1"]
            assert await layers_of(rig, "f", Qualifier="2") == [f"{PREFIX}one:2"]

    run(main)


@pytest.mark.parametrize(
    ("arns", "text"),
    [
        ([f"{PREFIX}l{n}:1" for n in range(6)], "Cannot reference more than 5 layers."),
        ([f"{PREFIX}no:1"], f"Layer version {PREFIX}no:1 does not exist."),
        ([f"{PREFIX}a:9"], f"Layer version {PREFIX}a:9 does not exist."),
        ([f"{PREFIX}a:0"], f"Layer version {PREFIX}a:0 does not exist."),
        ([f"{PREFIX}a:{'9' * 40}"], f"Layer version {PREFIX}a:{'9' * 40} does not exist."),
        (
            ["arn:aws:lambda:::awslayer:AmazonLinux1703"],
            "Layer version arn:aws:lambda:::awslayer:AmazonLinux1703 does not exist.",
        ),
        (
            [f"{PREFIX}a:1", f"{PREFIX}b:1", f"{PREFIX}a:2"],
            "Two different versions of the same layer are not allowed to be referenced in the same "
            f"function. {PREFIX}a:1 and {PREFIX}a:2 are versions of the same layer.",
        ),
        (
            [f"{PREFIX}a:1", f"{PREFIX}a:1"],
            "Two different versions of the same layer are not allowed to be referenced in the same "
            f"function. {PREFIX}a:1 and {PREFIX}a:1 are versions of the same layer.",
        ),
        (
            [f"{PREFIX.replace(REGION, 'us-east-2')}a:1"],
            "Layers are not in the same region as the function. Layers are expected to be in "
            f"region {REGION}.",
        ),
    ],
)
def test_layers_that_a_function_cannot_use_are_refused(
    tmp_path: Path, arns: list[str], text: str
) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for name in ("a", "a", "b"):
                await publish(rig, name)
            assert await refused(rig.create("f", Layers=arns)) == (INVALID, text)
            await rig.create_active("g")
            change = rig.call("UpdateFunctionConfiguration", FunctionName="g", Layers=arns)
            assert await refused(change) == (INVALID, text)
            assert (await rig.configuration("g"))["LastUpdateStatus"] == "Successful"

    run(main)


def test_five_layers_are_allowed_whatever_runtimes_they_name(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            names = [f"l{number}" for number in range(5)]
            for name in names:
                await publish(rig, name, CompatibleRuntimes=["nodejs22.x"])
            await rig.create_active("f", Layers=[f"{PREFIX}{name}:1" for name in names])

    run(main)


def test_code_and_layers_are_limited_together(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path, unzipped_bytes_max=100) as rig:
            await publish(rig, "forty", zip_of({"x": b"x" * 40}))
            await publish(rig, "sixty", zip_of({"x": b"x" * 60}))
            both = [f"{PREFIX}forty:1", f"{PREFIX}sixty:1"]

            def text(actual: int) -> tuple[str, str]:
                return (
                    INVALID,
                    "Function code combined with layers exceeds the maximum allowed size of 100 "
                    f"bytes. The actual size is {actual} bytes.",
                )

            one = zip_of({"app.py": "1"})
            assert await refused(rig.create("f", one, Layers=both)) == text(101)
            await rig.create_active("f", zip_of({"app.py": "x" * 60}), Layers=both[:1])
            more = zip_of({"app.py": "x" * 61})
            for dry_run in (True, False):
                call = rig.call(
                    "UpdateFunctionCode", FunctionName="f", ZipFile=more, DryRun=dry_run
                )
                assert await refused(call) == text(101)
            call = rig.call("UpdateFunctionConfiguration", FunctionName="f", Layers=both)
            assert await refused(call) == text(160)
            await use(rig, "f")
            await rig.call("UpdateFunctionCode", FunctionName="f", ZipFile=more)

    run(main)


def test_layers_that_cannot_be_unpacked_together_fail_the_function(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one")
            await rig.create_active("f")
            rig.code.failure = CodeError("the link 'out' leaves the package")
            document = await use(rig, "f", f"{PREFIX}one:1")
            assert document["LastUpdateStatus"] == "Failed"
            assert "leaves the package" in document["LastUpdateStatusReason"]

    run(main)


def test_a_deleted_layer_serves_on_but_cannot_be_taken_anew(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one")
            arn = f"{PREFIX}one:1"
            before = await rig.create_active("f", Layers=[arn])
            await rig.call("DeleteLayerVersion", LayerName="one", VersionNumber=1)
            assert await rig.configuration("f") == before
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
            await rig.settled("f")
            assert await layers_of(rig, "f") == [arn]
            call = rig.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[arn])
            assert await refused(call) == (INVALID, f"Layer version {arn} does not exist.")
            assert (await rig.call("PublishVersion", FunctionName="f"))["Layers"][0]["Arn"] == arn

    run(main)


async def swept(rig: ControlRig) -> None:
    rig.clock.advance(GRACE_S + 1)
    await Sweeper(rig.store, rig.blobs, clock=rig.clock).sweep()


async def kept(rig: ControlRig, data: bytes) -> bool:
    try:
        await rig.blobs.read(sha(data))
    except BlobMissingError:
        return False
    return True


def test_a_package_goes_once_no_layer_and_no_function_needs_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one")
            await rig.create_active("f", Layers=[f"{PREFIX}one:1"])
            await rig.call("PublishVersion", FunctionName="f")
            await swept(rig)
            assert await kept(rig, ONE), "a layer needs it"
            await rig.call("DeleteLayerVersion", LayerName="one", VersionNumber=1)
            await swept(rig)
            assert await kept(rig, ONE), "two versions need it"
            await use(rig, "f")
            await swept(rig)
            assert await kept(rig, ONE), "version 1 needs it"
            await rig.call("DeleteFunction", FunctionName="f", Qualifier="1")
            assert await kept(rig, ONE), "its grace has just begun"
            await swept(rig)
            assert not await kept(rig, ONE)
            assert (await publish(rig, "one"))["Version"] == 2
            assert await kept(rig, ONE)

    run(main)


def test_a_deleted_layers_package_has_its_grace(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one")
            rig.clock.advance(10 * GRACE_S)
            await rig.call("DeleteLayerVersion", LayerName="one", VersionNumber=1)
            await Sweeper(rig.store, rig.blobs, clock=rig.clock).sweep()
            assert await kept(rig, ONE)
            await swept(rig)
            assert not await kept(rig, ONE)

    run(main)


def test_what_serves_keeps_its_layers_while_others_are_on_the_way(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await publish(rig, "one", ONE)
            await publish(rig, "two", TWO)
            arns = [f"{PREFIX}one:1", f"{PREFIX}two:1"]
            await rig.create_active("f", Layers=arns)
            for name in ("one", "two"):
                await rig.call("DeleteLayerVersion", LayerName=name, VersionNumber=1)
            rig.code.gate.clear()
            await rig.call("UpdateFunctionConfiguration", FunctionName="f", Layers=[])
            await swept(rig)
            assert await kept(rig, ONE)
            live = await rig.store.read(lambda db: db.all(load("alonzo.invoke").live_code))
            assert layers_tree((sha(ONE), sha(TWO))) in {row["code_sha256"] for row in live}
            rig.code.gate.set()
            await rig.settled("f")
            live = await rig.store.read(lambda db: db.all(load("alonzo.invoke").live_code))
            assert {row["code_sha256"] for row in live} == {sha(HELLO)}
            await swept(rig)
            assert not await kept(rig, ONE)

    run(main)
