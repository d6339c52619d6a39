"""What the operations of CloudWatch Logs need to be allowed.

An operation on a group is one on ``log-group:NAME:log-stream:``, so that policies for
``log-group:NAME:*`` let it in; so AWS's refusals name it.

Source: service authorization reference, Amazon CloudWatch Logs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.context import RequestContext

_OPERATIONS = (
    "CreateLogGroup",
    "CreateLogStream",
    "DeleteLogGroup",
    "DeleteLogStream",
    "DeleteMetricFilter",
    "DeleteRetentionPolicy",
    "DeleteSubscriptionFilter",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "DescribeMetricFilters",
    "DescribeSubscriptionFilters",
    "FilterLogEvents",
    "GetLogEvents",
    "ListTagsForResource",
    "ListTagsLogGroup",
    "PutLogEvents",
    "PutLogGroupDeletionProtection",
    "PutMetricFilter",
    "PutRetentionPolicy",
    "PutSubscriptionFilter",
    "TagLogGroup",
    "TagResource",
    "UntagLogGroup",
    "UntagResource",
)
#: Operations whose actions have no resource.
_ON_ALL = (
    "DeleteQueryDefinition",
    "DeleteResourcePolicy",
    "DescribeQueries",
    "DescribeQueryDefinitions",
    "DescribeResourcePolicies",
    "GetLogRecord",
    "GetQueryResults",
    "ListLogGroups",
    "ListLogGroupsForQuery",
    "PutQueryDefinition",
    "PutResourcePolicy",
    "StopQuery",
    "TestMetricFilter",
)
#: Parameters that name a group, by name or by ARN.
_GROUP = ("logGroupName", "logGroupIdentifier", "resourceArn")


def access_rules() -> AccessRules:
    """The rules, by operation."""
    rules = {name: _rule(f"logs:{name}") for name in _OPERATIONS}
    rules |= {name: on_all(f"logs:{name}") for name in _ON_ALL}
    rules |= {name: _on_groups(f"logs:{name}") for name in ("StartLiveTail", "StartQuery")}
    return rules


def _on_groups(action: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        names = [params.get("logGroupName"), *(params.get("logGroupNames") or ())]
        names += params.get("logGroupIdentifiers") or ()
        return tuple(Access(action, _group_arn(context, str(each))) for each in names if each) or (
            Access(action, _group_arn(context, "")),
        )

    return rule


def _group_arn(context: RequestContext, group: str) -> str:
    if not group.startswith("arn:"):
        group = f"arn:aws:logs:{context.region}:{context.account}:log-group:{group}"
    return f"{group.removesuffix(':*')}:log-stream:"


def _rule(action: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        group = next((str(params[name]) for name in _GROUP if params.get(name)), "")
        if not group.startswith("arn:"):
            group = f"arn:aws:logs:{context.region}:{context.account}:log-group:{group}"
        stream = params.get("logStreamName") or ""
        return (Access(action, f"{group.removesuffix(':*')}:log-stream:{stream}"),)

    return rule
