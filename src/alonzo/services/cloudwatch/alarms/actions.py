"""What an alarm does when it changes: messages to topics, events to functions and to EventBridge.

Messages and events are made when the alarm changes, and go out from the outbox.

Source: CloudWatch user guide, notifications of alarms, Lambda actions, alarm events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from alonzo.lib.clock import Clock, utc
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCall, ServiceCalls, ServiceUse
from alonzo.model.errors import AwsError
from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.documents import (
    configuration_change_of,
    invocation_of,
    notification_of,
    state_change_of,
)
from alonzo.services.cloudwatch.alarms.records import METRIC, Alarm, AlarmKey, StateFacts
from alonzo.services.cloudwatch.alarms.regions import region_name
from alonzo.store.base import Store
from alonzo.store.outbox import Again, GivenUp, NewParcel, Parcel

_TOPIC_PRINCIPAL = "cloudwatch.amazonaws.com"
_FUNCTION_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
#: The lane of events.
_EVENTS = "events"

_TARGET = re.compile(
    r"arn:aws[a-zA-Z-]*:(?P<service>sns|lambda):(?P<region>[a-z0-9-]+):(?P<account>\d{12}):\S+"
)
#: Characters of a subject. Source: SNS API, Publish.
_SUBJECT_MAX = 100

#: Characters of an error in the history.
_ERROR_MAX = 1024

#: How long an action is tried, and how far apart at most, in seconds.
_RETRY_S_MAX = 24 * 3600
_RETRY_MAX_S = 300.0
#: Refusals that may pass.
_PASSING = frozenset(
    {
        "TooManyRequestsException",
        "ServiceException",
        "ResourceConflictException",
        "Throttled",
        "ThrottlingException",
    }
)


def is_target(arn: str) -> bool:
    """Whether an action can be that: a topic or a function."""
    found = _TARGET.fullmatch(arn)
    if found is None:
        return False
    return found["service"] == "sns" or ":function:" in arn


def parcel_of(alarm: Alarm, before: StateFacts, after: StateFacts, target_arn: str) -> NewParcel:
    """One action on its way."""
    about = {**alarm.key._asdict(), "to": after.state, "type": alarm.kind}
    if ":sns:" in target_arn[:24]:
        subject = f'{after.state}: "{alarm.key.name}" in {region_name(alarm.key.region)}'
        about["subject"] = _printable(subject)[:_SUBJECT_MAX]
        return _parcel(target_arn, about, notification_of(alarm, before, after))
    return _parcel(target_arn, about, invocation_of(alarm, before, after))


def state_event(alarm: Alarm, before: StateFacts, after: StateFacts) -> NewParcel:
    """What EventBridge is told of a change of state, on its way."""
    detail = state_change_of(alarm, before, after)
    return _event(alarm.key, "CloudWatch Alarm State Change", after.updated_at_s, detail)


def configuration_event(
    alarm: Alarm, operation: str, at_s: float, previous: Alarm | None = None
) -> NewParcel:
    """What EventBridge is told of a put or a deletion, on its way."""
    detail = configuration_change_of(alarm, operation, previous)
    return _event(alarm.key, "CloudWatch Alarm Configuration Change", at_s, detail)


def _event(key: AlarmKey, detail_type: str, at_s: float, detail: Mapping[str, Any]) -> NewParcel:
    return _parcel(_EVENTS, {**key._asdict(), "event": detail_type, "at_s": at_s}, detail)


def _parcel(lane: str, about: Mapping[str, Any], document: Mapping[str, Any]) -> NewParcel:
    return NewParcel(lane, about, json.dumps(document, separators=(",", ":")).encode())


def _printable(text: str) -> str:
    return "".join(each if " " <= each <= "~" else "?" for each in text)


class ActionCarrier:
    """Brings actions and events to where they belong. Implements ``store.outbox.Carrier``."""

    def __init__(self, store: Store, calls: ServiceCalls, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._calls = calls
        self._clock = clock
        self._ids = ids

    async def carry(self, parcel: Parcel) -> None:
        """Publish a message, put an event into Lambda's queue or on the bus; then note it."""
        about = parcel.about
        key = AlarmKey(about["account"], about["region"], about["name"])
        if parcel.lane == _EVENTS:
            await self._put_event(parcel, key)
            return
        try:
            await self._act(parcel, key)
        except AwsError as error:
            if error.code not in _PASSING:
                await self._note(parcel, key, error.message)
            raise
        await self._note(parcel, key)

    async def _act(self, parcel: Parcel, key: AlarmKey) -> None:
        arn = parcel.lane
        region = arn.split(":")[3]
        if "subject" not in parcel.about:
            use = self._use(_FUNCTION_PRINCIPAL, key, region)
            await self._calls.invoke(arn, parcel.document, use)
            return
        message = {
            "TopicArn": arn,
            "Subject": parcel.about["subject"],
            "Message": parcel.document.decode(),
        }
        use = self._use(_TOPIC_PRINCIPAL, key, region)
        await self._calls.call(ServiceCall("sns", "Publish", message), use)

    async def _put_event(self, parcel: Parcel, key: AlarmKey) -> None:
        """Tell EventBridge, where there is one."""
        if not self._calls.offers("events"):
            return
        entry = {
            "Source": "aws.cloudwatch",
            "DetailType": parcel.about["event"],
            "Time": utc(parcel.about["at_s"]),
            "Resources": [key.arn],
            "Detail": parcel.document.decode(),
        }
        call = ServiceCall("events", "PutEvents", {"Entries": [entry]})
        answer = await self._calls.call(call, self._use(_TOPIC_PRINCIPAL, key, key.region))
        for each in (answer or {}).get("Entries") or ():
            if each.get("ErrorCode"):
                raise AwsError(each["ErrorCode"], each.get("ErrorMessage") or "")

    def _use(self, service: str, key: AlarmKey, region: str) -> ServiceUse:
        return ServiceUse(service, key.arn, key.account, region, self._ids.uuid())

    async def _note(self, parcel: Parcel, key: AlarmKey, error: str | None = None) -> None:
        """Tell the history what came of an action; ``error`` is why it was refused for good."""
        data = {"actionState": "Succeeded", "notificationResource": parcel.lane}
        summary = f"Successfully executed action {parcel.lane}"
        if error is not None:
            data |= {"actionState": "Failed", "error": error[:_ERROR_MAX]}
            summary = f'Failed to execute action {parcel.lane}. Received error: "{error}"'
        kind, now_s = parcel.about.get("type", METRIC), self._clock.now_s()
        await self._store.tx(
            lambda db: records.note(db, key, kind, now_s, kind="Action", summary=summary, data=data)
        )

    def after_failure(self, parcel: Parcel, error: Exception, now_s: float) -> Again | GivenUp:
        """Again for a day, longer and longer apart; a refusal that stands is the end."""
        lasts = isinstance(error, AwsError) and error.code not in _PASSING
        if lasts or now_s - parcel.accepted_at_s > _RETRY_S_MAX:
            return GivenUp()
        return Again(now_s + min(2.0 ** min(parcel.attempts, 10), _RETRY_MAX_S))
