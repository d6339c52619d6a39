"""SnapStart: which functions may have their published versions started from a snapshot. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.model.errors import invalid_parameter

#: Source: Lambda developer guide, SnapStart: Java from 11, Python from 3.12, .NET from 8; the
#: managed runtimes only.
RUNTIMES = frozenset(
    {
        *("java11", "java11.al2023", "java17", "java17.al2023", "java21", "java25"),
        *("python3.12", "python3.13", "python3.14", "python3.15"),
        *("dotnet8", "dotnet10"),
    }
)
#: The same guide: a snapshot holds no larger ``/tmp``.
TMP_MIB_MAX = 512


def check_snap_start(configuration: Mapping[str, Any]) -> None:
    """Refuse snapshots of what cannot have any.

    Raises:
        AwsError: InvalidParameterValueException. The first text is recorded, the others are ours.
    """
    if configuration["SnapStart"]["ApplyOn"] == "None":
        return
    runtime = configuration["Runtime"]
    if runtime not in RUNTIMES:
        raise invalid_parameter(f"{runtime} is not supported for SnapStart enabled functions.")
    if configuration["EphemeralStorage"]["Size"] > TMP_MIB_MAX:
        raise invalid_parameter(
            f"EphemeralStorage: SnapStart enabled functions have {TMP_MIB_MAX} MB at most."
        )
    if configuration.get("FileSystemConfigs"):
        raise invalid_parameter(
            "FileSystemConfigs: file systems are not supported for SnapStart enabled functions."
        )
    if "TenancyConfig" in configuration:
        raise invalid_parameter(
            "TenancyConfig: tenant isolation is not supported for SnapStart enabled functions."
        )


#: What the state reason code of a version says for an error of its init, by the first that fits.
#: Source: service model, StateReasonCode; which goes with which is ours.
_REASON_CODES = (
    ("Sandbox.Timedout", "FunctionError.InitTimeout"),
    ("Runtime.OutOfMemory", "FunctionError.InitResourceExhausted"),
    ("Runtime.InvalidEntrypoint", "FunctionError.InvalidEntryPoint"),
    ("Extension.", "FunctionError.ExtensionInitError"),
    ("Runtime.", "FunctionError.RuntimeInitError"),
)


def reason_code(error_type: str) -> str:
    """The ``StateReasonCode`` of a version whose init failed with that error."""
    codes = (code for start, code in _REASON_CODES if error_type.startswith(start))
    return next(codes, "FunctionError")
