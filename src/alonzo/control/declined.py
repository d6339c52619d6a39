"""Settings of a function that this release cannot honour, with the reason for each.

They are refused rather than stored and ignored: what we answer can be trusted. A value that only
says "none of it" (an empty string, an empty list, ``PassThrough``) is accepted everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.model.errors import invalid_parameter


@dataclass(frozen=True, slots=True)
class Declined:
    """One member of a request. ``asks`` tells a value that wants something from an empty one."""

    member: str
    asks: Callable[[Any], bool]
    reason: str


def _any_member(value: Mapping[str, Any]) -> bool:
    return any(value.values())


def _given(value: Any) -> bool:
    return value is not None


def _image(value: Any) -> bool:
    return value == "Image"


#: What PublishVersion, CreateFunction and UpdateFunctionCode share.
DECLINED_PUBLISHING: tuple[Declined, ...] = (
    Declined(
        "PublishTo", _given, "There are no capacity providers, which $LATEST.PUBLISHED is for."
    ),
)

#: Every member of CreateFunction, UpdateFunctionCode and UpdateFunctionConfiguration that is not
#: honoured yet. A test checks that each member of those requests is either here or in use.
DECLINED: tuple[Declined, ...] = (
    Declined("AcceleratorConfig", _given, "No accelerators can be attached to functions."),
    Declined("CapacityProviderConfig", _given, "Capacity providers are not supported."),
    Declined("DurableConfig", _given, "Durable functions are not supported yet."),
    Declined("ImageConfig", _any_member, "Container images are not supported yet."),
    Declined("PackageType", _image, "Container images are not supported yet. Deploy a .zip file."),
    *DECLINED_PUBLISHING,
    Declined("RuntimeConfig", _given, "Customer-managed runtimes are not supported."),
)

#: Where a package is, of a function or a layer.
STORAGE_MODE = Declined(
    "S3ObjectStorageMode",
    lambda mode: mode != "COPY",
    "Packages are always copied. Use the mode COPY.",
)

#: The same for the members of ``Code`` and their twins in UpdateFunctionCode.
DECLINED_CODE: tuple[Declined, ...] = (
    Declined("ImageUri", bool, "Container images are not supported yet. Deploy a .zip file."),
    STORAGE_MODE,
)


def check_declined(params: Mapping[str, Any], table: tuple[Declined, ...]) -> None:
    """Refuse a request that asks for something in ``table``.

    Raises:
        AwsError: InvalidParameterValueException; it names the member.
    """
    for entry in table:
        value = params.get(entry.member)
        if value is not None and entry.asks(value):
            raise invalid_parameter(f"{entry.member}: {entry.reason}")
