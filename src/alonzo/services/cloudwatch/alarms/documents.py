"""What an alarm says when it changes: messages to topics, and events. Pure.

Source: CloudWatch user guide, notifications of alarms, Lambda actions, alarm events and
EventBridge; messages as recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from alonzo.services.cloudwatch.alarms.composite.reasons import children_of
from alonzo.services.cloudwatch.alarms.reasons import moment
from alonzo.services.cloudwatch.alarms.records import COMPOSITE, Alarm, AlarmKey, StateFacts
from alonzo.services.cloudwatch.alarms.regions import region_name

_SOURCE = "aws.cloudwatch"

_STATISTICS = {
    "SampleCount": "SAMPLE_COUNT",
    "Average": "AVERAGE",
    "Sum": "SUM",
    "Minimum": "MINIMUM",
    "Maximum": "MAXIMUM",
}
#: Members of a metric alarm's configuration in events.
_CRITERIA = {
    "EvaluationPeriods": "evaluationPeriods",
    "DatapointsToAlarm": "datapointsToAlarm",
    "Threshold": "threshold",
    "ComparisonOperator": "comparisonOperator",
    "TreatMissingData": "treatMissingData",
}
_COMPOSITE = {
    "AlarmRule": "alarmRule",
    "ActionsSuppressor": "actionsSuppressor",
    "ActionsSuppressorWaitPeriod": "actionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod": "actionsSuppressorExtensionPeriod",
}


def notification_of(alarm: Alarm, before: StateFacts, after: StateFacts) -> dict[str, Any]:
    """The message to a topic."""
    given = alarm.members
    message: dict[str, Any] = {
        "AlarmName": alarm.key.name,
        "AlarmDescription": given.get("AlarmDescription"),
        "AWSAccountId": alarm.key.account,
    }
    if alarm.kind != COMPOSITE:
        message["AlarmConfigurationUpdatedTimestamp"] = moment(alarm.updated_at_s)
    message |= {
        "NewStateValue": after.state,
        "NewStateReason": after.reason,
        "StateChangeTime": moment(after.updated_at_s),
        "Region": region_name(alarm.key.region),
        "AlarmArn": alarm.key.arn,
        "OldStateValue": _left(before, after),
        "OKActions": given.get("OKActions") or [],
        "AlarmActions": given.get("AlarmActions") or [],
        "InsufficientDataActions": given.get("InsufficientDataActions") or [],
    }
    if alarm.kind == COMPOSITE:
        children = children_of(after.data)
        return message | {"AlarmRule": given["AlarmRule"], "TriggeringChildren": children}
    return message | {"Trigger": _trigger(alarm)}


def _left(before: StateFacts, after: StateFacts) -> str:
    """The state that was left: with actions that were kept back, long before."""
    if before.state is after.state and before.hold is not None and before.hold.left is not None:
        return before.hold.left
    return before.state


def _trigger(alarm: Alarm) -> dict[str, Any]:
    given = alarm.members
    trigger: dict[str, Any] = {}
    if given.get("Metrics"):
        trigger["Metrics"] = [_metric_of_trigger(each) for each in given["Metrics"]]
    else:
        trigger |= {"MetricName": given["MetricName"], "Namespace": given["Namespace"]}
        if given.get("Statistic"):
            trigger |= {
                "StatisticType": "Statistic",
                "Statistic": _STATISTICS[given["Statistic"]],
            }
        else:
            trigger |= {
                "StatisticType": "ExtendedStatistic",
                "ExtendedStatistic": given["ExtendedStatistic"],
            }
        trigger["Unit"] = given.get("Unit")
        trigger["Dimensions"] = _dimensions(given)
    trigger |= {"Period": alarm.period_s, "EvaluationPeriods": given["EvaluationPeriods"]}
    if given.get("DatapointsToAlarm"):
        trigger["DatapointsToAlarm"] = given["DatapointsToAlarm"]
    return trigger | {
        "ComparisonOperator": given["ComparisonOperator"],
        "Threshold": float(given["Threshold"]),
        "TreatMissingData": given.get("TreatMissingData") or "",
        "EvaluateLowSampleCountPercentile": given.get("EvaluateLowSampleCountPercentile") or "",
    }


def _dimensions(metric: Mapping[str, Any]) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = metric.get("Dimensions") or []
    return [{"value": each["Value"], "name": each["Name"]} for each in listed]


def _metric_of_trigger(query: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: query[name] for name in ("Id", "Expression", "Label") if query.get(name)}
    shown["ReturnData"] = query.get("ReturnData") is not False
    stat = query.get("MetricStat")
    if stat:
        metric = stat["Metric"]
        shown["MetricStat"] = {
            "Metric": {
                "Dimensions": _dimensions(metric),
                "MetricName": metric["MetricName"],
                "Namespace": metric["Namespace"],
            },
            "Period": stat["Period"],
            "Stat": stat["Stat"],
        }
    return shown


def invocation_of(alarm: Alarm, before: StateFacts, after: StateFacts) -> dict[str, Any]:
    """The event to a function."""
    return {
        "source": _SOURCE,
        "alarmArn": alarm.key.arn,
        "accountId": alarm.key.account,
        "time": moment(after.updated_at_s),
        "region": alarm.key.region,
        "alarmData": state_change_of(alarm, before, after),
    }


def state_change_of(alarm: Alarm, before: StateFacts, after: StateFacts) -> dict[str, Any]:
    """What EventBridge is told of a change of state."""
    configuration: dict[str, Any] = {}
    if alarm.members.get("AlarmDescription"):
        configuration["description"] = alarm.members["AlarmDescription"]
    return {
        "alarmName": alarm.key.name,
        "state": _state(after),
        "previousState": _state(before),
        "configuration": configuration | _watched(alarm),
    }


def configuration_change_of(
    alarm: Alarm, operation: str, previous: Alarm | None = None
) -> dict[str, Any]:
    """What EventBridge is told of a put or a deletion. ``previous`` is the alarm that was."""
    state: dict[str, Any] = {}
    if alarm.facts.hold is not None:
        state["actionsSuppressedBy"] = alarm.facts.hold.by
    state |= {"value": alarm.facts.state, "timestamp": moment(alarm.facts.updated_at_s)}
    detail = {
        "alarmName": alarm.key.name,
        "operation": operation,
        "state": state,
        "configuration": _configuration(alarm),
    }
    if previous is not None:
        detail["previousConfiguration"] = _configuration(previous)
    return detail


def _configuration(alarm: Alarm) -> dict[str, Any]:
    given = alarm.members
    shown: dict[str, Any] = {
        name: given[member] for member, name in _CRITERIA.items() if given.get(member) is not None
    }
    shown |= _watched(alarm) | {"alarmName": alarm.key.name}
    if given.get("AlarmDescription"):
        shown["description"] = given["AlarmDescription"]
    return shown | {
        "actionsEnabled": given.get("ActionsEnabled") is not False,
        "timestamp": moment(alarm.updated_at_s),
        "okActions": given.get("OKActions") or [],
        "alarmActions": given.get("AlarmActions") or [],
        "insufficientDataActions": given.get("InsufficientDataActions") or [],
    }


def _watched(alarm: Alarm) -> dict[str, Any]:
    """What it looks at: metrics, or other alarms."""
    given = alarm.members
    if alarm.kind == COMPOSITE:
        return {name: given[each] for each, name in _COMPOSITE.items() if given.get(each)}
    return {"metrics": [_metric_of_event(alarm, each) for each in alarm.metrics]}


def _state(facts: StateFacts) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "value": facts.state,
        "reason": facts.reason,
        "timestamp": moment(facts.updated_at_s),
    }
    if facts.data is not None:
        shown["reasonData"] = facts.data
    if facts.hold is not None:
        shown["actionsSuppressedBy"] = facts.hold.by
        shown["actionsSuppressedReason"] = facts.hold.reason
    return shown


def _metric_of_event(alarm: Alarm, query: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": query["Id"]}
    if not alarm.members.get("Metrics"):
        shown["id"] = _id_of(alarm.key)
    shown |= {name.lower(): query[name] for name in ("Expression", "Label") if query.get(name)}
    stat = query.get("MetricStat")
    if stat:
        metric = stat["Metric"]
        pairs = {each["name"]: each["value"] for each in _dimensions(metric)}
        shown["metricStat"] = {
            "metric": {
                "namespace": metric["Namespace"],
                "name": metric["MetricName"],
                "dimensions": pairs,
            },
            "period": stat["Period"],
            "stat": stat["Stat"],
            **({"unit": stat["Unit"]} if stat.get("Unit") else {}),
        }
    shown["returnData"] = query.get("ReturnData") is not False
    return shown


def _id_of(key: AlarmKey) -> str:
    """An id of the single metric, which has none: the same each time, in the form of AWS's."""
    text = sha256(key.arn.encode()).hexdigest()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))
