"""What a function may ask for that lies outside of it: a VPC, file systems in one, a KMS key. Pure.

All of it is checked, kept and shown as AWS does. VPCs and file systems do not exist here, so a
version that asks for any is not deployed: it fails with the reason code that AWS has for what
cannot be found, and an update of that kind leaves serving what serves. Nothing runs outside of the
network that it asked for. What a key is for, ``environment.py`` says.

Source: Lambda API, VpcConfig, FileSystemConfig, KMSKeyArn; recorded responses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control.machine import Reason
from alonzo.model.errors import invalid_parameter

#: The members of a configuration that this is about.
ATTACHMENTS = ("VpcConfig", "FileSystemConfigs", "KMSKeyArn")

_VPC: Mapping[str, Any] = {
    "SubnetIds": [],
    "SecurityGroupIds": [],
    "VpcId": "",
    "Ipv6AllowedForDualStack": False,
}


def plan_attachments(current: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The attachments in a configuration after a request: what it leaves out stays.

    A VPC that was ever named is shown from then on, empty once it is taken away; file systems and
    keys are shown only where there are any. So AWS was recorded.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    planned: dict[str, Any] = {}
    vpc: Mapping[str, Any] | None = params.get("VpcConfig")
    if vpc is not None:
        given = {member: value for member, value in vpc.items() if value is not None}
        planned["VpcConfig"] = {**_VPC, **(current.get("VpcConfig") or {}), **given}
    elif "VpcConfig" in current:
        planned["VpcConfig"] = current["VpcConfig"]
    for member in ("FileSystemConfigs", "KMSKeyArn"):
        value = params.get(member)
        if value is None:
            value = current.get(member)
        if value:
            planned[member] = value
    _check(planned)
    return planned


def _check(planned: Mapping[str, Any]) -> None:
    vpc = planned.get("VpcConfig") or _VPC
    if bool(vpc["SubnetIds"]) != bool(vpc["SecurityGroupIds"]):
        # Source: public error reports of Lambda.
        raise invalid_parameter("SubnetIds and SecurityIds must coexist or be both empty list.")
    if planned.get("FileSystemConfigs") and not vpc["SubnetIds"]:
        # AWS documents the rule; this text is ours.
        raise invalid_parameter("FileSystemConfigs: the function must be connected to a VPC.")


def unmet(configuration: Mapping[str, Any]) -> Reason | None:
    """Why a version with this configuration cannot run here, or None. File systems need a VPC."""
    subnets: list[str] = (configuration.get("VpcConfig") or _VPC)["SubnetIds"]
    if subnets:
        return Reason(
            "InvalidSubnet",
            f"The subnet {subnets[0]} does not exist: there are no VPCs here. Take VpcConfig and "
            "FileSystemConfigs away.",
        )
    return None
