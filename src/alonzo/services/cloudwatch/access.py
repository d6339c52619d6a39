"""What the operations of CloudWatch need to be allowed. Of its resources there are alarms alone.

Source: service authorization reference, Amazon CloudWatch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.model.access import Access, AccessRule, AccessRules, on_all
from alonzo.model.context import RequestContext

_OPERATIONS = (
    "DescribeAlarmsForMetric",
    "GetMetricData",
    "GetMetricStatistics",
    "ListMetrics",
)
#: Operations on alarms, and the parameter that names them, by name, names or ARN.
_ON_ALARMS = {
    "DeleteAlarms": "AlarmNames",
    "DescribeAlarmHistory": "AlarmName",
    "DescribeAlarms": "AlarmNames",
    "DisableAlarmActions": "AlarmNames",
    "EnableAlarmActions": "AlarmNames",
    "ListTagsForResource": "ResourceARN",
    "PutMetricAlarm": "AlarmName",
    "SetAlarmState": "AlarmName",
    "TagResource": "ResourceARN",
    "UntagResource": "ResourceARN",
}
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def access_rules() -> AccessRules:
    """The rules, by operation."""
    return {
        **{name: on_all(f"cloudwatch:{name}") for name in _OPERATIONS},
        **{name: _on_alarms(name, member) for name, member in _ON_ALARMS.items()},
        "PutCompositeAlarm": _put_composite_alarm,
        "PutMetricData": _put_metric_data,
    }


def _on_alarms(name: str, member: str) -> AccessRule:
    action = f"cloudwatch:{name}"

    def rule(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
        start = f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:"
        given = params.get(member)
        if not given:
            return (Access(action, f"{start}*"),)
        keys: dict[str, str | tuple[str, ...]] = {}
        if name == "PutMetricAlarm":
            actions = tuple(arn for each in _ACTIONS for arn in params.get(each) or ())
            keys["cloudwatch:alarmactions"] = actions
        if member == "ResourceARN":
            return (Access(action, str(given), keys),)
        names = [given] if isinstance(given, str) else given
        return tuple(Access(action, f"{start}{each}", keys) for each in names)

    return rule


def _put_composite_alarm(context: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    """On all alarms: it says something of others. Source: API reference, PutCompositeAlarm."""
    start = f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:"
    actions = tuple(arn for each in _ACTIONS for arn in params.get(each) or ())
    keys: dict[str, str | tuple[str, ...]] = {"cloudwatch:alarmactions": actions}
    return (Access("cloudwatch:PutCompositeAlarm", f"{start}*", keys),)


def _put_metric_data(_: RequestContext, params: Mapping[str, Any]) -> Sequence[Access]:
    keys = {"cloudwatch:namespace": str(params.get("Namespace", ""))}
    return (Access("cloudwatch:PutMetricData", "*", keys),)
