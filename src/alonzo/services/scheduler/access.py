"""What the operations of EventBridge Scheduler need to be allowed.

Source: service authorization reference, Amazon EventBridge Scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.context import RequestContext
from alonzo.services.scheduler.names import DEFAULT_GROUP, group_arn, schedule_arn
from alonzo.services.scheduler.schedules import SERVICE

_ON_SCHEDULES = ("CreateSchedule", "DeleteSchedule", "GetSchedule", "UpdateSchedule")
_ON_GROUPS = ("CreateScheduleGroup", "DeleteScheduleGroup", "GetScheduleGroup")
_ON_TAGS = ("ListTagsForResource", "TagResource", "UntagResource")
_ON_ALL = ("ListScheduleGroups", "ListSchedules")


def access_rules() -> AccessRules:
    """The rules, by operation."""
    return {
        **{name: _on_schedule(name) for name in _ON_SCHEDULES},
        **{name: _on_group(name) for name in _ON_GROUPS},
        **{name: _on_tags(name) for name in _ON_TAGS},
        **{name: on_all(f"scheduler:{name}") for name in _ON_ALL},
    }


def _on_schedule(name: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        group = params.get("GroupName") or DEFAULT_GROUP
        arn = schedule_arn(context.account, context.region, group, params["Name"])
        wanted = [Access(f"scheduler:{name}", arn)]
        if "Target" in params:
            passed = {"iam:passedtoservice": SERVICE, "iam:associatedresourcearn": arn}
            wanted.append(Access("iam:PassRole", params["Target"]["RoleArn"], passed))
        return wanted

    return rule


def _on_group(name: str) -> AccessRule:
    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        arn = group_arn(context.account, context.region, params["Name"])
        wanted = [Access(f"scheduler:{name}", arn)]
        if params.get("Tags"):
            wanted.append(Access("scheduler:TagResource", arn))
        return wanted

    return rule


def _on_tags(name: str) -> AccessRule:
    return lambda _, params: (Access(f"scheduler:{name}", params["ResourceArn"]),)
