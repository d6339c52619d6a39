"""What a version is, and when there is a new one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alonzo.control import documents, machine
from alonzo.control.machine import Phase, Status
from alonzo.control.publishing import (
    check_code,
    check_deletable,
    check_unreferenced,
    content_digest,
    plan_version,
)
from alonzo.control.records import Code, VersionRecord
from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError

CONFIGURATION: dict[str, Any] = {
    "FunctionName": "f",
    "Runtime": "python3.12",
    "Role": "role",
    "Handler": "a.b",
    "Description": "latest",
    "Timeout": 3,
    "MemorySize": 128,
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    "TracingConfig": {"Mode": "PassThrough"},
    "LoggingConfig": {"LogFormat": "Text", "LogGroup": "g"},
    "LastModified": "then",
}


def latest(phase: Phase = Phase.READY, **configuration: Any) -> VersionRecord:
    record = VersionRecord(
        FunctionKey("123456789012", "eu-west-1", "f"),
        "$LATEST",
        CONFIGURATION | configuration,
        "r1",
        Status(phase),
        deploying=False,
        code=Code("ab" * 32, 10, 20),
    )
    return replace(record, serving=documents.serving(record, generation="g1"))


def planned(record: VersionRecord, description: str | None = None) -> VersionRecord:
    return plan_version(record, 7, description=description, revision_id="r2", now_s=0.0)


def test_what_serves_is_published_to_serve_at_once_in_environments_of_its_own() -> None:
    version = planned(latest())
    assert (version.version, version.number, version.revision_id) == ("7", 7, "r2")
    assert (version.status, version.deploying) == (machine.PUBLISHED, False)
    assert version.serving is not None
    assert (version.serving.version, version.serving.generation) == ("7", "r2")
    assert version.serving.arn == "arn:aws:lambda:eu-west-1:123456789012:function:f:7"


def test_what_is_still_deployed_is_published_to_be_deployed() -> None:
    for phase in (Phase.UPDATING, Phase.CREATING, Phase.UPDATE_FAILED):
        version = planned(latest(phase))
        assert (version.status, version.deploying) == (machine.CREATED, True)
        assert version.serving is None


def test_a_snapshot_is_waited_for_and_shown_on_versions_only() -> None:
    snap_start = {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    record = latest(SnapStart=snap_start)
    assert record.serving is not None
    assert not record.serving.snap_start
    version = planned(record)
    assert (version.status, version.deploying) == (machine.CREATED, True)
    assert version.configuration["SnapStart"] == snap_start | {"OptimizationStatus": "On"}
    assert documents.serving(version, generation="g").snap_start


def test_a_description_of_its_own_replaces_that_of_latest() -> None:
    assert planned(latest()).configuration["Description"] == "latest"
    assert planned(latest(), "").configuration["Description"] == ""
    assert planned(latest(), "mine").configuration["Description"] == "mine"


def test_only_code_and_configuration_make_content() -> None:
    digest = content_digest(latest())
    assert content_digest(latest(LastModified="now")) == digest
    assert content_digest(replace(latest(), revision_id="other")) == digest
    assert content_digest(latest(Description="new")) != digest
    assert content_digest(replace(latest(), code=Code("cd" * 32, 10, 20))) != digest


def test_the_code_must_be_the_one_the_caller_means() -> None:
    current = documents.code_sha256(latest().code)
    for given in (None, "", current):
        check_code(given, latest())
    with pytest.raises(AwsError) as caught:
        check_code("other", latest())
    assert caught.value.message == (
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({current}). "
        "Please try again with the CodeSHA256 in $LATEST."
    )


@pytest.mark.parametrize(
    ("qualifier", "text"),
    [
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
        ("prod", "Deletion of aliases is not currently supported."),
        ("1a", "Deletion of aliases is not currently supported."),
    ],
)
def test_latest_and_aliases_cannot_be_deleted_as_versions(qualifier: str, text: str) -> None:
    check_deletable("12")
    with pytest.raises(AwsError) as caught:
        check_deletable(qualifier)
    assert (caught.value.code, caught.value.message) == ("InvalidParameterValueException", text)


def test_a_version_that_aliases_need_stays() -> None:
    check_unreferenced([])
    with pytest.raises(AwsError) as caught:
        check_unreferenced(["a", "b"])
    assert (caught.value.code, caught.value.message) == (
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [a, b]",
    )
