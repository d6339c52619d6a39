"""Where an alias may point. Pure.

An alias has one version, and at most one more that gets a share of the calls. Source: Lambda API,
CreateAlias, with recorded texts; the rules about roles and dead-letter queues are the developer
guide's, their texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.control.records import VersionRecord
from alonzo.model.arns import LATEST
from alonzo.model.errors import invalid_parameter


@dataclass(frozen=True, slots=True)
class Routing:
    """``additional_version`` gets ``weight`` of the calls, 0..1; the alias' version the rest."""

    additional_version: str
    weight: float


def plan_routing(version: str, config: Mapping[str, Any] | None) -> Routing | None:
    """The routing that a ``RoutingConfig`` asks for beside ``version``; an empty one is none.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    weights: Mapping[str, float] = (config or {}).get("AdditionalVersionWeights") or {}
    if not weights:
        return None
    if len(weights) > 1:
        raise invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    ((additional, weight),) = weights.items()
    routing = Routing(additional, float(weight))
    check_routing(version, routing)
    return routing


def check_routing(version: str, routing: Routing | None) -> None:
    """Refuse a version that cannot stand beside the additional one.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if routing is None:
        return
    if routing.additional_version == version:
        raise invalid_parameter(
            f"Invalid function version {version}. Function version {version} is already included "
            "in routing configuration."
        )
    if version == LATEST:
        raise invalid_parameter(
            "$LATEST is not supported for an alias pointing to more than 1 version"
        )


def check_alike(version: VersionRecord, additional: VersionRecord) -> None:
    """Refuse to share calls between versions of different roles: callers could not tell which.

    The same holds for dead-letter queues.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if version.configuration["Role"] != additional.configuration["Role"]:
        raise invalid_parameter(
            f"RoutingConfig: the versions {version.version} and {additional.version} have "
            "different execution roles."
        )
    letters = [each.configuration.get("DeadLetterConfig") for each in (version, additional)]
    if letters[0] != letters[1]:
        raise invalid_parameter(
            f"RoutingConfig: the versions {version.version} and {additional.version} have "
            "different dead-letter queues."
        )
