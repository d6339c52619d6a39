"""Whatever is asked for in whatever order, nobody is promised what somebody else was promised."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alonzo.model.errors import AwsError
from alonzo.testing.control import HELLO, OTHER, ControlRig, open_control

ACCOUNT_MAX = 130
LEAST = 100

#: Mostly of one function: what one of its operations does meets the others sooner.
NAMES = st.sampled_from(["f", "f", "f", "g"])
VERSIONS = st.sampled_from(["1", "2"])
QUALIFIERS = st.sampled_from(["1", "2", "a", "b"])
AMOUNTS = st.sampled_from([1, 2, 7, 15])
WEIGHTS = st.sampled_from([{}, {"1": 0.5}, {"2": 0.25}])


def operation(name: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(name), st.fixed_dictionaries({"FunctionName": NAMES, **members}))


ALIASES = st.sampled_from(["a", "b"])
PUT = operation(
    "PutProvisionedConcurrencyConfig",
    Qualifier=QUALIFIERS,
    ProvisionedConcurrentExecutions=AMOUNTS,
)
MOVE = operation(
    "UpdateAlias",
    Name=ALIASES,
    FunctionVersion=VERSIONS,
    RoutingConfig=st.fixed_dictionaries({"AdditionalVersionWeights": WEIGHTS}),
)
OPERATIONS = st.one_of(
    PUT,
    PUT,
    PUT,
    MOVE,
    MOVE,
    operation("DeleteProvisionedConcurrencyConfig", Qualifier=QUALIFIERS),
    operation("PutFunctionConcurrency", ReservedConcurrentExecutions=AMOUNTS),
    operation("DeleteFunctionConcurrency"),
    operation("DeleteAlias", Name=st.just("b")),
    operation("CreateAlias", Name=st.just("b"), FunctionVersion=VERSIONS),
)
#: What each may be refused with.
REFUSALS = {
    "InvalidParameterValueException",
    "ResourceConflictException",
    "ResourceNotFoundException",
}


async def check(rig: ControlRig) -> None:
    promised = 0
    for name in ("f", "g"):
        listed = await rig.call("ListProvisionedConcurrencyConfigs", FunctionName=name)
        configs = {
            each["FunctionArn"].rpartition(":")[2]: each["RequestedProvisionedConcurrentExecutions"]
            for each in listed["ProvisionedConcurrencyConfigs"]
        }
        reserved = (await rig.call("GetFunctionConcurrency", FunctionName=name)).get(
            "ReservedConcurrentExecutions"
        )
        provisioned = sum(configs.values())
        if reserved is not None:
            assert provisioned <= reserved
        promised += provisioned if reserved is None else reserved
        found = (await rig.call("ListAliases", FunctionName=name))["Aliases"]
        versions = {alias["Name"]: versions_of(alias) for alias in found}
        served = [
            version for qualifier in configs for version in versions.get(qualifier, {qualifier})
        ]
        assert len(served) == len(set(served)), "each version has one configuration"
    limits = (await rig.call("GetAccountSettings"))["AccountLimit"]
    assert limits["UnreservedConcurrentExecutions"] == ACCOUNT_MAX - promised >= LEAST


def versions_of(alias: dict[str, Any]) -> set[str]:
    weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    return {alias["FunctionVersion"], *weights}


async def play(rig: ControlRig, calls: list[tuple[str, dict[str, Any]]]) -> None:
    for name in ("f", "g"):
        await rig.create_active(name, HELLO)
        await rig.call("PublishVersion", FunctionName=name)
        await rig.call("UpdateFunctionCode", FunctionName=name, ZipFile=OTHER)
        await rig.wait(name, LastUpdateStatus="Successful")
        await rig.call("PublishVersion", FunctionName=name)
        for alias in ("a", "b"):
            await rig.call("CreateAlias", FunctionName=name, Name=alias, FunctionVersion="1")
    for operation_name, params in calls:
        try:
            await rig.call(operation_name, **params)
        except AwsError as error:
            if error.code not in REFUSALS:
                raise
        await check(rig)


@settings(max_examples=10)
@given(calls=st.lists(OPERATIONS, min_size=15, max_size=30))
def test_what_is_promised_is_there(calls: list[tuple[str, dict[str, Any]]]) -> None:
    async def main(folder: Path) -> None:
        async with open_control(folder, concurrency=ACCOUNT_MAX) as rig:
            await play(rig, calls)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
