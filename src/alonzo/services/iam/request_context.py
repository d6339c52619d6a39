"""The keys of a request's context that are the same for all services.

Source: IAM user guide, AWS global condition context keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from alonzo.model.callers import principal_context
from alonzo.model.context import RequestContext


def global_context(
    context: RequestContext, now_s: float, tags: Mapping[str, str] | None = None
) -> dict[str, str | tuple[str, ...]]:
    """Who calls from where and when. ``tags`` are those of the calling user or role."""
    return {
        **principal_context(context.principal, tags),
        "aws:sourceip": context.source_ip,
        "aws:requestedregion": context.region,
        "aws:currenttime": datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now_s)),
        "aws:securetransport": "true" if context.endpoint.startswith("https:") else "false",
        "aws:viaawsservice": "false",
        **_source_context(context.source_arn),
    }


def _source_context(source_arn: str | None) -> dict[str, str]:
    """On whose behalf a service calls."""
    if source_arn is None:
        return {}
    return {"aws:sourcearn": source_arn, "aws:sourceaccount": source_arn.split(":", 5)[4]}


def tag_context(tags: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """The keys that tags of a request become."""
    if not tags:
        return {}
    found: dict[str, str | tuple[str, ...]] = {"aws:tagkeys": tuple(tags)}
    return found | {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}
