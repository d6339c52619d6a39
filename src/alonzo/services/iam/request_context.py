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
        "aws:securetransport": "false" if _is_plain(context) else "true",
        "aws:viaawsservice": "false",
        **_headers(context),
        **_source_context(context),
    }


def _is_plain(context: RequestContext) -> bool:
    # Calls of services come over no wire at all, and those of functions leave no sandbox.
    return context.endpoint.startswith("http:") and not context.from_sandbox


def _headers(context: RequestContext) -> dict[str, str]:
    headers = {"aws:useragent": context.user_agent, "aws:referer": context.referer}
    return {key: value for key, value in headers.items() if value is not None}


def _source_context(context: RequestContext) -> dict[str, str]:
    """On whose behalf a service calls. The ARN of a bucket does not name its account."""
    source_arn = context.source_arn
    if source_arn is None:
        return {}
    account = source_arn.split(":", 5)[4] or context.account
    return {"aws:sourcearn": source_arn, "aws:sourceaccount": account}


def tag_context(tags: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """The keys that tags of a request become."""
    if not tags:
        return {}
    found: dict[str, str | tuple[str, ...]] = {"aws:tagkeys": tuple(tags)}
    return found | {f"aws:requesttag/{key.lower()}": value for key, value in tags.items()}
