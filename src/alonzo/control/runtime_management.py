"""RuntimeManagementConfig of a version. Pure.

A host has one build of each runtime, and who keeps the host updates it; so every mode holds, and
``Manual`` can name that build and no other. Source: Lambda API, PutRuntimeManagementConfig; the
texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.errors import invalid_parameter

DEFAULT: Mapping[str, str] = {"UpdateRuntimeOn": "Auto"}


def shown(config: Mapping[str, str], own_arn: str) -> dict[str, str]:
    """The configuration as the API shows it: the build is named where the mode is ``Manual``."""
    if config["UpdateRuntimeOn"] != "Manual":
        return dict(config)
    return {**config, "RuntimeVersionArn": own_arn}


def plan_runtime_management(params: Mapping[str, Any], own_arn: str) -> dict[str, str]:
    """What to keep of a request. ``own_arn`` is the build that the version runs on.

    The build itself is not kept: it follows the version's runtime.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    mode, arn = params["UpdateRuntimeOn"], params.get("RuntimeVersionArn")
    if mode != "Manual":
        if arn:
            raise invalid_parameter(
                "RuntimeVersionArn: it can be given for the mode Manual only. Leave it out."
            )
    elif not arn:
        raise invalid_parameter("RuntimeVersionArn: the mode Manual needs it.")
    elif arn != own_arn:
        raise invalid_parameter(
            f"RuntimeVersionArn: this host has {own_arn} only. Name that one, or use the mode Auto."
        )
    return {"UpdateRuntimeOn": mode}
