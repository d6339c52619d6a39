"""The documents that the API answers, and the record that invokes run on, from what is stored."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from alonzo.control.aliases import AliasRecord
from alonzo.control.records import NO_CODE, Code, VersionRecord
from alonzo.control.targets import dead_letter_target
from alonzo.lib.clock import utc
from alonzo.model.arns import LATEST, runtime_version_arn
from alonzo.model.functions import ServingVersion


def timestamp(epoch_s: float) -> str:
    """Epoch seconds as Lambda spells them: ``2026-11-20T10:00:00.000+0000``."""
    return (
        utc(int(epoch_s)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(epoch_s * 1000) % 1000:03d}+0000"
    )


def code_sha256(code: Code) -> str:
    """``CodeSha256`` of the API: base64 of the digest."""
    return base64.b64encode(bytes.fromhex(code.sha256)).decode()


def package_sha256(record: VersionRecord) -> str:
    """``CodeSha256`` of a version: of the package as it came, whatever it is kept as."""
    sealed = record.configuration.get("SealedCode")
    return code_sha256(record.code) if sealed is None else sealed["CodeSha256"]


def listed(record: VersionRecord, *, arn: str) -> dict[str, Any]:
    """A FunctionConfiguration as the lists show it: without states and runtime version.

    ``arn`` is the function's as the caller is to see it.
    """
    shown = {name: value for name, value in record.configuration.items() if name != "SealedCode"}
    return {
        **shown,
        "FunctionArn": arn,
        "Version": record.version,
        "CodeSha256": package_sha256(record),
        "CodeSize": record.code.zipped_bytes,
        "RevisionId": record.revision_id,
    }


def described(record: VersionRecord, *, arn: str) -> dict[str, Any]:
    """A whole FunctionConfiguration."""
    status = record.status
    document = listed(record, arn=arn)
    document["RuntimeVersionConfig"] = {
        "RuntimeVersionArn": runtime_version_arn(record.key.region, document["Runtime"])
    }
    document["State"] = status.state
    if (reason := status.state_reason) is not None:
        document |= {"StateReasonCode": reason.code, "StateReason": reason.text}
    if status.last_update_status is not None:
        document["LastUpdateStatus"] = status.last_update_status
    if (reason := status.last_update_reason) is not None:
        document |= {
            "LastUpdateStatusReasonCode": reason.code,
            "LastUpdateStatusReason": reason.text,
        }
    return document


def alias(record: AliasRecord) -> dict[str, Any]:
    """An AliasConfiguration."""
    document: dict[str, Any] = {
        "AliasArn": record.arn,
        "Name": record.name,
        "FunctionVersion": record.version,
        "Description": record.description,
        "RevisionId": record.revision_id,
    }
    if (routing := record.routing) is not None:
        document["RoutingConfig"] = {
            "AdditionalVersionWeights": {routing.additional_version: routing.weight}
        }
    return document


def serving(record: VersionRecord, generation: str) -> ServingVersion:
    """What invokes run on once ``record`` has been deployed."""
    configuration = record.configuration
    environment: Mapping[str, Any] = configuration.get("Environment", {})
    logging_config = configuration["LoggingConfig"]
    return ServingVersion(
        key=record.key,
        version=record.version,
        generation=generation,
        runtime=configuration["Runtime"],
        handler=configuration["Handler"],
        role=configuration["Role"],
        code_sha256=record.code.sha256,
        layers=record.layer_digests,
        timeout_s=configuration["Timeout"],
        memory_mib=configuration["MemorySize"],
        tmp_mib=configuration["EphemeralStorage"]["Size"],
        architecture=configuration["Architectures"][0],
        environment=environment.get("Variables", {}),
        sealed_environment=environment.get("Sealed", ""),
        kms_key=configuration.get("KMSKeyArn"),
        log_group=logging_config["LogGroup"],
        log_format=logging_config["LogFormat"],
        application_log_level=logging_config.get("ApplicationLogLevel"),
        system_log_level=logging_config.get("SystemLogLevel"),
        tracing_mode=configuration["TracingConfig"]["Mode"],
        tenant_isolation="TenancyConfig" in configuration,
        dead_letter=dead_letter_target(configuration),
        parameters_extension=any(layer.code == NO_CODE for layer in record.layers),
        snap_start=record.version != LATEST and configuration["SnapStart"]["ApplyOn"] != "None",
    )
