"""The limits that the service itself keeps, within those of its model: the last value that is good,
and the first that is not.

Lengths and ranges of the model are in ``tests/conformance/test_boundaries.py``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from alonzo.model import limits
from alonzo.model.errors import AwsError
from alonzo.testing.control import ACCOUNT, HELLO, REGION, ControlRig, open_control, zip_of

INVALID = "InvalidParameterValueException"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"
LAYERS = [f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:l{number}:1" for number in range(6)]

Call = Callable[[ControlRig, Any], Awaitable[Any]]


def update(member: str) -> Call:
    return lambda rig, value: rig.call(
        "UpdateFunctionConfiguration", FunctionName="f", **{member: value}
    )


def mapping(source: str, **settings: Any) -> Call:
    async def call(rig: ControlRig, change: dict[str, Any]) -> Any:
        first = {"StartingPosition": "LATEST"} if source == STREAM else {}
        return await rig.call(
            "CreateEventSourceMapping",
            FunctionName="f",
            EventSourceArn=source,
            **first,
            **settings,
            **change,
        )

    return call


async def create_named(rig: ControlRig, name: str) -> Any:
    return await rig.create(name)


async def tag(rig: ControlRig, count: int) -> Any:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    return await rig.call("TagResource", Resource=arn, Tags={str(n): "" for n in range(count)})


async def reserve(rig: ControlRig, count: int) -> Any:
    return await rig.call(
        "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=count
    )


async def permit(rig: ControlRig, n_bytes: int) -> Any:
    """A policy document of so many bytes, as it is kept."""
    statement = {
        "Sid": "",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "lambda:InvokeFunction",
        "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
        "Condition": {"StringEquals": {"aws:userid": ""}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    empty = len(json.dumps(document, separators=(",", ":")))
    statement["Condition"] = {"StringEquals": {"aws:userid": "x" * (n_bytes - empty)}}
    return await rig.call(
        "PutResourcePolicy",
        ResourceArn=statement["Resource"],
        Policy=json.dumps(document, separators=(",", ":")),
    )


async def weights(rig: ControlRig, versions: list[str]) -> Any:
    return await rig.call(
        "CreateAlias",
        FunctionName="f",
        Name="a",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": dict.fromkeys(versions, 0.1)},
    )


def variables(n_bytes: int) -> dict[str, Any]:
    """An Environment whose JSON has so many bytes, more than half of them not ASCII."""
    frame = len(json.dumps({"NAME": ""}, separators=(",", ":")))
    text = "\u00e4" * ((n_bytes - frame) // 2)
    return {"Variables": {"NAME": text + "x" * (n_bytes - frame - 2 * len(text))}}


def value(path: str, given: int, phrase: str) -> str:
    return (
        f"1 validation error detected: Value '{given}' at '{path}' failed to satisfy constraint: "
        f"Member must have value {phrase}"
    )


#: What is limited: the call, the last good value, the first bad one, the code, and the text, or
#: what it begins with where that ends with an ellipsis.
LIMITS: dict[str, tuple[Call, Any, Any, str, str]] = {
    "name": (
        create_named,
        "n" * 64,
        "n" * 65,
        INVALID,
        f"1 validation error detected: Value '{'n' * 65}' at 'functionName' failed to satisfy "
        "constraint: Member must have length less than or equal to 64",
    ),
    "timeout": (
        update("Timeout"),
        900,
        901,
        INVALID,
        value("timeout", 901, "less than or equal to 900"),
    ),
    "memory": (
        update("MemorySize"),
        10_240,
        10_241,
        INVALID,
        value("memorySize", 10_241, "less than or equal to 10240"),
    ),
    "tmp": (
        update("EphemeralStorage"),
        {"Size": 10_240},
        {"Size": 10_241},
        INVALID,
        value("ephemeralStorage.size", 10_241, "less than or equal to 10240"),
    ),
    "variables": (
        update("Environment"),
        variables(4096),
        variables(4097),
        INVALID,
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit. String measured: …",
    ),
    "layers": (
        update("Layers"),
        LAYERS[:5],
        LAYERS,
        INVALID,
        "Cannot reference more than 5 layers.",
    ),
    "tags": (tag, 50, 51, INVALID, "Number of tags exceeds resource tag limit."),
    "reserved": (
        reserve,
        900,
        901,
        INVALID,
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
    ),
    "policy": (
        permit,
        20_480,
        20_481,
        "PolicyLengthExceededException",
        "The final policy size (20481) is bigger than the limit (20480).",
    ),
    "weights": (
        weights,
        ["2"],
        ["2", "3"],
        INVALID,
        "Number of items in AdditionalVersionWeights cannot be greater than 1",
    ),
    "filters": (
        mapping(QUEUE),
        {"FilterCriteria": {"Filters": [{"Pattern": '{"a":[1]}'}] * 5}},
        {"FilterCriteria": {"Filters": [{"Pattern": '{"a":[1]}'}] * 6}},
        INVALID,
        "FilterCriteria: there are more than 5 filters.",
    ),
    "batch without window": (
        mapping(QUEUE),
        {"BatchSize": 10},
        {"BatchSize": 11},
        INVALID,
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater "
        "than 10",
    ),
    "batch of a fifo queue": (
        mapping(f"{QUEUE}.fifo"),
        {"BatchSize": 10},
        {"BatchSize": 11},
        INVALID,
        value("batchSize", 11, "less than or equal to 10"),
    ),
    "record age": (
        mapping(STREAM),
        {"MaximumRecordAgeInSeconds": 60},
        {"MaximumRecordAgeInSeconds": 59},
        INVALID,
        value("maximumRecordAgeInSeconds", 59, "greater than or equal to 60"),
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_is_met_and_not_passed(name: str, tmp_path: Path) -> None:
    call, good, bad, code, text = LIMITS[name]

    async def main() -> None:
        async with open_control(tmp_path) as rig:
            await rig.create_active("f")
            for layer in range(6):
                await rig.call(
                    "PublishLayerVersion",
                    LayerName=f"l{layer}",
                    Content={"ZipFile": zip_of({f"{layer}": ""})},
                )
            for _ in range(3):
                await rig.call("PublishVersion", FunctionName="f")
                await rig.call(
                    "UpdateFunctionConfiguration", FunctionName="f", Description=rig.ids.uuid()
                )
                await rig.settled("f")
            with pytest.raises(AwsError) as caught:
                await call(rig, bad)
            assert caught.value.code == code
            if text.endswith("…"):
                assert caught.value.message.startswith(text[:-1])
            else:
                assert caught.value.message == text
            await call(rig, good)

    asyncio.run(main())


def test_a_package_is_as_large_as_it_may_be_and_no_larger(tmp_path: Path) -> None:
    async def main() -> None:
        zipped, unzipped = len(HELLO), 48
        for folder in "abcd":
            (tmp_path / folder).mkdir()
        async with open_control(tmp_path / "a", zip_bytes_max=zipped) as rig:
            await rig.create("f", HELLO)
        async with open_control(tmp_path / "b", zip_bytes_max=zipped - 1) as rig:
            with pytest.raises(AwsError) as caught:
                await rig.create("f", HELLO)
            assert (caught.value.code, caught.value.status) == (
                "RequestEntityTooLargeException",
                413,
            )
        package = zip_of({"a": "x" * unzipped})
        async with open_control(tmp_path / "c", unzipped_bytes_max=unzipped) as rig:
            await rig.create("f", package)
        async with open_control(tmp_path / "d", unzipped_bytes_max=unzipped - 1) as rig:
            with pytest.raises(AwsError, match="Unzipped size must be smaller than 47 bytes"):
                await rig.create("f", package)

    asyncio.run(main())
    assert (limits.ZIP_BYTES_MAX, limits.UNZIPPED_BYTES_MAX) == (52_428_800, 262_144_000)
