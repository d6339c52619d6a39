"""Layers and their versions by name and ARN. Source: Lambda API, ``LayerNameOrArn``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alonzo.model.context import RequestContext
from alonzo.model.errors import not_found, validation

_LAYER_ARN = re.compile(
    r"arn:(?:aws[a-zA-Z-]*)?:lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):layer:"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<version>0|[1-9][0-9]*))?"
)

NAME_CHARS_MAX = 140
_NAME = re.compile(rf"[a-zA-Z0-9-_]{{1,{NAME_CHARS_MAX}}}")
#: The model's own pattern of ``LayerNameOrArn``, quoted in error messages.
_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})"
)

#: The highest number that the store can hold. Layers never get there.
NUMBER_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class LayerKey:
    """One layer, in one account and region."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """The layer's ARN, without a version."""
        return f"arn:aws:lambda:{self.region}:{self.account}:layer:{self.name}"

    def version_arn(self, number: int) -> str:
        """The ARN of one of its versions."""
        return f"{self.arn}:{number}"


@dataclass(frozen=True, slots=True)
class LayerVersionKey:
    """One version of a layer. ``number`` counts from 1."""

    layer: LayerKey
    number: int

    @property
    def arn(self) -> str:
        """The version's ARN."""
        return self.layer.version_arn(self.number)


#: AWS's own layers that the platform stands in for; in each region another account publishes them.
_OURS = frozenset(
    {
        "AWS-Parameters-and-Secrets-Lambda-Extension",
        "AWS-Parameters-and-Secrets-Lambda-Extension-Arm64",
    }
)


def is_provided(arn: str) -> bool:
    """Whether the platform itself does what that version of a layer of AWS's does."""
    found = _LAYER_ARN.fullmatch(arn)
    return found is not None and found["version"] is not None and found["name"] in _OURS


def parse_layer(text: str, context: RequestContext) -> LayerKey:
    """Read a ``LayerName`` parameter: a name of the caller's, or an ARN of anybody's.

    Raises:
        AwsError: ValidationException for neither, ResourceNotFoundException for an ARN of another
            region; the text of the latter is ours.
    """
    found = _LAYER_ARN.fullmatch(text)
    if found is None and _NAME.fullmatch(text):
        return LayerKey(context.account, context.region, text)
    # The edge has checked the form, but not of a very long text.
    if found is None or found["version"] is not None or len(found["name"]) > NAME_CHARS_MAX:
        raise validation(
            f"1 validation error detected: Value '{text}' at 'layerName' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: {_PATTERN}"
        )
    if found["region"] != context.region:
        raise not_found(
            f"Layers from '{found['region']}' are not reachable in this region ('{context.region}')"
        )
    return LayerKey(found["account"], found["region"], found["name"])


def parse_layer_version(arn: str) -> LayerVersionKey | None:
    """Read the ARN of a layer's version; None for one that cannot exist here (``awslayer``)."""
    found = _LAYER_ARN.fullmatch(arn)
    if found is None or found["version"] is None:
        return None
    number = int(found["version"])
    if not 0 < number <= NUMBER_MAX:
        return None
    return LayerVersionKey(LayerKey(found["account"], found["region"], found["name"]), number)
