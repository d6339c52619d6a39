"""What the operations of CloudWatch Logs need to be allowed.

An operation on a group is one on ``log-group:NAME:log-stream:``, so that policies for
``log-group:NAME:*`` let it in; so AWS's refusals name it.

Source: service authorization reference, Amazon CloudWatch Logs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules
from alonzo.model.context import RequestContext

_OPERATIONS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DeleteLogGroup",
    "DeleteLogStream",
    "DeleteRetentionPolicy",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "FilterLogEvents",
    "GetLogEvents",
    "ListTagsForResource",
    "ListTagsLogGroup",
    "PutLogEvents",
    "PutLogGroupDeletionProtection",
    "PutRetentionPolicy",
    "TagLogGroup",
    "TagResource",
    "UntagLogGroup",
    "UntagResource",
)
#: Parameters that name a group, by name or by ARN.
_GROUP = ("logGroupName", "logGroupIdentifier", "resourceArn")


def access_rules() -> AccessRules:
    """The rules, by operation."""
    return {name: _rule(f"logs:{name}") for name in _OPERATIONS}


def _rule(action: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        group = next((str(params[name]) for name in _GROUP if params.get(name)), "")
        if not group.startswith("arn:"):
            group = f"arn:aws:logs:{context.region}:{context.account}:log-group:{group}"
        stream = params.get("logStreamName") or ""
        return (Access(action, f"{group.removesuffix(':*')}:log-stream:{stream}"),)

    return rule
