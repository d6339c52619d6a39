"""What a published version is, and when there is something new to publish. Pure.

A version is a copy of ``$LATEST`` that never changes. Publishing what was published last gives that
version again, not a new one. Source: Lambda API, PublishVersion; recorded texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from alonzo.control import documents, machine
from alonzo.control.machine import Phase
from alonzo.control.records import VersionRecord
from alonzo.model.arns import LATEST
from alonzo.model.errors import AwsError, invalid_parameter

#: Members that say nothing about what a version does.
_NOT_CONTENT = frozenset({"LastModified"})


def content_digest(latest: VersionRecord) -> str:
    """Names what would be published: equal for equal code and configuration."""
    content = {
        member: value
        for member, value in latest.configuration.items()
        if member not in _NOT_CONTENT
    }
    if "Digest" in (environment := content.get("Environment", {})):
        # Sealed once more, the same variables look different.
        content["Environment"] = environment["Digest"]
    package = latest.code.sha256
    if (sealed := content.get("SealedCode")) is not None:
        content["SealedCode"], package = sealed["KeyArn"], sealed["CodeSha256"]
    text = json.dumps([package, content], separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_code(given: str | None, latest: VersionRecord) -> None:
    """Refuse to publish other code than the caller means. ``given`` is a ``CodeSha256``.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    current = documents.package_sha256(latest)
    if given and given != current:
        raise invalid_parameter(
            f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )


def plan_version(
    latest: VersionRecord, number: int, *, description: str | None, revision_id: str, now_s: float
) -> VersionRecord:
    """The version ``number``, from ``$LATEST`` as it is.

    What serves already serves as a version at once. A version of code that is still being deployed
    waits for the deployer, and so does one with SnapStart, whose snapshot takes a while.
    """
    snap_start = latest.configuration["SnapStart"]
    snapshots = snap_start["ApplyOn"] != "None"
    version = replace(
        latest,
        version=str(number),
        configuration={
            **latest.configuration,
            **({} if description is None else {"Description": description}),
            "SnapStart": {**snap_start, "OptimizationStatus": "On" if snapshots else "Off"},
            "LastModified": documents.timestamp(now_s),
        },
        revision_id=revision_id,
        status=machine.CREATED,
        deploying=True,
        serving=None,
    )
    if latest.status.phase is Phase.READY and not snapshots:
        assert latest.serving is not None
        serving = replace(latest.serving, version=version.version, generation=revision_id)
        return replace(version, status=machine.PUBLISHED, deploying=False, serving=serving)
    return version


def check_deletable(qualifier: str) -> None:
    """Refuse to delete what DeleteFunction cannot: ``$LATEST`` alone, and aliases.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if qualifier == LATEST:
        raise invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
    if not qualifier.isdecimal() and not qualifier.startswith("$"):
        raise invalid_parameter("Deletion of aliases is not currently supported.")


def check_unreferenced(aliases: Sequence[str]) -> None:
    """Refuse to delete a version that aliases point to. Source: public error reports of Lambda.

    Raises:
        AwsError: ResourceConflictException; it names the aliases.
    """
    if aliases:
        raise AwsError(
            "ResourceConflictException",
            "Unable to delete version because the following aliases reference it: "
            f"[{', '.join(aliases)}]",
            members={"Type": "User"},
        )
