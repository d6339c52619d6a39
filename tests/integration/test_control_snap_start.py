"""A version with SnapStart serves once its snapshot is taken, and fails with its init."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alonzo.model.functions import ServingVersion
from alonzo.model.ports.code import SnapshotFailure
from alonzo.testing.control import ControlRig, open_control

SNAPSHOTS = {"ApplyOn": "PublishedVersions"}


async def published(rig: ControlRig) -> dict[str, object]:
    """Publish a version with SnapStart, and wait until it is decided what becomes of it."""
    await rig.create_active("f", SnapStart=SNAPSHOTS)
    version = await rig.call("PublishVersion", FunctionName="f")
    assert version["State"] == "Pending"
    async with asyncio.timeout(10):
        while True:
            found = await rig.configuration("f", Qualifier="1")
            if found["State"] != "Pending":
                return found
            await asyncio.sleep(0.002)


def test_the_snapshot_is_of_the_record_that_will_serve(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            assert (await published(rig))["State"] == "Active"
            (prepared,) = rig.snapshots.prepared
            row = await rig.row("f", "1")
            assert ServingVersion.from_json(row["serving"]) == prepared
            assert prepared.snap_start

    asyncio.run(main())


@pytest.mark.parametrize(
    ("error_type", "code"),
    [
        ("Sandbox.Timedout", "FunctionError.InitTimeout"),
        ("Runtime.ImportModuleError", "FunctionError.RuntimeInitError"),
        ("Runtime.OutOfMemory", "FunctionError.InitResourceExhausted"),
        ("Runtime.InvalidEntrypoint", "FunctionError.InvalidEntryPoint"),
        ("Function.Unknown", "FunctionError"),
    ],
)
def test_a_version_whose_init_fails_has_failed(tmp_path: Path, error_type: str, code: str) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.snapshots.failure = SnapshotFailure(error_type, "why it failed")
            failed = await published(rig)
            assert failed["State"] == "Failed"
            assert (failed["StateReasonCode"], failed["StateReason"]) == (code, "why it failed")

    asyncio.run(main())


def test_trouble_of_the_platform_costs_the_snapshot_and_not_the_version(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            rig.snapshots.failure = OSError("no room")
            assert (await published(rig))["State"] == "Active"

    asyncio.run(main())
