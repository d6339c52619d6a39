"""What an alarm does when its state changes: messages for topics, events for functions.

The messages and events are made when the state changes, and go out from the outbox.

Source: CloudWatch user guide, notifications of alarms and Lambda actions; messages as recorded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCall, ServiceCalls, ServiceUse
from alonzo.model.errors import AwsError
from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.reasons import moment
from alonzo.services.cloudwatch.alarms.records import Alarm, AlarmKey, StateFacts, state_of_event
from alonzo.services.cloudwatch.alarms.regions import region_name
from alonzo.store.base import Store
from alonzo.store.outbox import Again, GivenUp, NewParcel, Parcel

_TOPIC_PRINCIPAL = "cloudwatch.amazonaws.com"
_FUNCTION_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"

_TARGET = re.compile(
    r"arn:aws[a-zA-Z-]*:(?P<service>sns|lambda):(?P<region>[a-z0-9-]+):(?P<account>\d{12}):\S+"
)
#: Characters of a subject. Source: SNS API, Publish.
_SUBJECT_MAX = 100

#: How long an action is tried, and how far apart at most, in seconds.
_RETRY_S_MAX = 24 * 3600
_RETRY_MAX_S = 300.0
#: Refusals that may pass.
_PASSING = frozenset(
    {"TooManyRequestsException", "ServiceException", "ResourceConflictException", "Throttled"}
)


def is_target(arn: str) -> bool:
    """Whether an action can be that: a topic or a function."""
    found = _TARGET.fullmatch(arn)
    if found is None:
        return False
    return found["service"] == "sns" or ":function:" in arn


def parcel_of(alarm: Alarm, before: StateFacts, after: StateFacts, target_arn: str) -> NewParcel:
    """One action on its way."""
    about = {**alarm.key._asdict(), "to": after.state}
    if ":sns:" in target_arn[:24]:
        subject = f'{after.state}: "{alarm.key.name}" in {region_name(alarm.key.region)}'
        about["subject"] = _printable(subject)[:_SUBJECT_MAX]
        document: Mapping[str, Any] = notification_of(alarm, before, after)
    else:
        document = event_of(alarm, before, after)
    return NewParcel(target_arn, about, json.dumps(document, separators=(",", ":")).encode())


def notification_of(alarm: Alarm, before: StateFacts, after: StateFacts) -> dict[str, Any]:
    """The message to a topic."""
    given = alarm.members
    return {
        "AlarmName": alarm.key.name,
        "AlarmDescription": given.get("AlarmDescription"),
        "AWSAccountId": alarm.key.account,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.updated_at_s),
        "NewStateValue": after.state,
        "NewStateReason": after.reason,
        "StateChangeTime": moment(after.updated_at_s),
        "Region": region_name(alarm.key.region),
        "AlarmArn": alarm.key.arn,
        "OldStateValue": before.state,
        "OKActions": given.get("OKActions") or [],
        "AlarmActions": given.get("AlarmActions") or [],
        "InsufficientDataActions": given.get("InsufficientDataActions") or [],
        "Trigger": _trigger(alarm),
    }


_STATISTICS = {
    "SampleCount": "SAMPLE_COUNT",
    "Average": "AVERAGE",
    "Sum": "SUM",
    "Minimum": "MINIMUM",
    "Maximum": "MAXIMUM",
}


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


def event_of(alarm: Alarm, before: StateFacts, after: StateFacts) -> dict[str, Any]:
    """The event to a function."""
    configuration: dict[str, Any] = {}
    if alarm.members.get("AlarmDescription"):
        configuration["description"] = alarm.members["AlarmDescription"]
    configuration["metrics"] = [_metric_of_event(alarm, each) for each in alarm.metrics]
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.key.arn,
        "accountId": alarm.key.account,
        "time": moment(after.updated_at_s),
        "region": alarm.key.region,
        "alarmData": {
            "alarmName": alarm.key.name,
            "state": state_of_event(after),
            "previousState": state_of_event(before),
            "configuration": configuration,
        },
    }


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


def _printable(text: str) -> str:
    return "".join(each if " " <= each <= "~" else "?" for each in text)


class ActionCarrier:
    """Brings actions to topics and functions. Implements ``store.outbox.Carrier``."""

    def __init__(self, store: Store, calls: ServiceCalls, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._calls = calls
        self._clock = clock
        self._ids = ids

    async def carry(self, parcel: Parcel) -> None:
        """Publish a message, or put an event into Lambda's queue; then note it."""
        about = parcel.about
        key = AlarmKey(about["account"], about["region"], about["name"])
        arn = parcel.lane
        is_topic = "subject" in about
        use = ServiceUse(
            service=_TOPIC_PRINCIPAL if is_topic else _FUNCTION_PRINCIPAL,
            source_arn=key.arn,
            account=key.account,
            region=arn.split(":")[3],
            request_id=self._ids.uuid(),
        )
        if is_topic:
            message = {
                "TopicArn": arn,
                "Subject": about["subject"],
                "Message": parcel.document.decode(),
            }
            await self._calls.call(ServiceCall("sns", "Publish", message), use)
        else:
            await self._calls.invoke(arn, parcel.document, use)
        await self._note(parcel, f"Successfully executed action {arn}", "Succeeded")

    async def _note(self, parcel: Parcel, summary: str, outcome: str) -> None:
        about = parcel.about
        key = AlarmKey(about["account"], about["region"], about["name"])
        data = {"actionState": outcome, "notificationResource": parcel.lane}
        now_s = self._clock.now_s()
        await self._store.tx(lambda db: records.note(db, key, now_s, "Action", summary, data))

    def after_failure(self, parcel: Parcel, error: Exception, now_s: float) -> Again | GivenUp:
        """Again for a day, longer and longer apart; a refusal that stands is the end."""
        lasts = isinstance(error, AwsError) and error.code not in _PASSING
        if lasts or now_s - parcel.accepted_at_s > _RETRY_S_MAX:
            return GivenUp()
        return Again(now_s + min(2.0 ** min(parcel.attempts, 10), _RETRY_MAX_S))
