"""What a mapping's document says, as values. Pure.

Source: Lambda API, EventSourceMappingConfiguration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alonzo.eventsources.filtering import Filters, read_filters

_FOREVER = -1


@dataclass(frozen=True, slots=True)
class Settings:
    """One mapping's settings. None stands for "no limit"; times are in seconds.

    ``concurrency_max`` is that of SQS's ScalingConfig, ``pollers`` the provisioned ones: the least
    and the most.
    """

    batch_size: int
    window_s: float = 0.0
    filters: Filters | None = None
    partial: bool = False
    concurrency_max: int | None = None
    pollers: tuple[int, int] | None = None
    bisect: bool = False
    retries_max: int | None = None
    record_age_s_max: float | None = None
    parallelization: int = 1
    on_failure: str | None = None


def read_settings(document: Mapping[str, Any]) -> Settings:
    """The settings that a mapping's document holds."""
    scaling: Mapping[str, Any] = document.get("ScalingConfig") or {}
    provisioned: Mapping[str, Any] = document.get("ProvisionedPollerConfig") or {}
    destination: Mapping[str, Any] = document.get("DestinationConfig") or {}
    on_failure: Mapping[str, Any] = destination.get("OnFailure") or {}
    responses: list[str] = document.get("FunctionResponseTypes") or []
    return Settings(
        batch_size=document["BatchSize"],
        window_s=document.get("MaximumBatchingWindowInSeconds") or 0,
        filters=read_filters(document.get("FilterCriteria")),
        partial="ReportBatchItemFailures" in responses,
        concurrency_max=scaling.get("MaximumConcurrency"),
        pollers=_pollers(provisioned) if provisioned else None,
        bisect=bool(document.get("BisectBatchOnFunctionError")),
        retries_max=_limit(document.get("MaximumRetryAttempts")),
        record_age_s_max=_limit(document.get("MaximumRecordAgeInSeconds")),
        parallelization=document.get("ParallelizationFactor") or 1,
        on_failure=on_failure.get("Destination") or None,
    )


def _pollers(config: Mapping[str, Any]) -> tuple[int, int]:
    """The defaults are those of SQS, the only queue that has them."""
    least = config.get("MinimumPollers") or 2
    return least, max(least, config.get("MaximumPollers") or 200)


def _limit(value: int | None) -> int | None:
    return None if value in (None, _FOREVER) else value
