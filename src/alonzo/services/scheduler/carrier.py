"""The way from a tick to its target, with the role of the schedule.

* A tick is handed over at least once. A failure that may pass is tried again with growing pauses,
  as often and as long as the schedule's retry policy says; one that cannot is over at once.
* What is over goes to the dead-letter queue of the schedule, if it has one, with AWS's attributes.
* The role must let Scheduler in each time, and allow the call.

Source: EventBridge Scheduler user guide, configuring a dead-letter queue; ``RetryPolicy``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.arns import account_of_function
from alonzo.model.context import Principal
from alonzo.model.deliveries import ApiCalls, RoleCalls, RoleUse, ServiceCall, ServiceSender
from alonzo.model.errors import AwsError, access_denied
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports.identity import RoleTrust
from alonzo.model.ports.invoking import Invoker
from alonzo.services.scheduler.inputs import Occasion, filled_in, notification
from alonzo.services.scheduler.limits import EVENT_AGE_S_MAX
from alonzo.services.scheduler.names import group_arn
from alonzo.services.scheduler.records import ScheduleRecord
from alonzo.services.scheduler.schedules import SERVICE
from alonzo.services.scheduler.targets import Invocation, check_answer, planned, queue_url
from alonzo.store.outbox import Again, GivenUp, NewParcel, Parcel

#: Refusals that another try may not get; all others are for good.
_PASSING = frozenset(
    {
        "InternalError",
        "InternalException",
        "InternalFailure",
        "InternalServerException",
        "KMSInternalException",
        "RequestThrottled",
        "ServiceException",
        "ServiceUnavailable",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
#: The pauses double up to this: 185 of them take about a day, as AWS's defaults have it.
_PAUSE_S_MAX = 480.0
_ATTRIBUTE_CHARS_MAX = 1024
#: What no attribute of a message may hold, and errors may quote.
_UNFIT = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd]")


class RefusedError(AwsError):
    """A refusal, by the target or on the way to it. Logs show its code and not what it quotes."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.code, error.message, status=error.status)

    def __repr__(self) -> str:
        return f"RefusedError({self.code})"


class ExpiredError(Exception):
    """The tick is older than its retry policy allows."""


def parcel_of(record: ScheduleRecord, tick_at_s: float, due_at_s: float) -> NewParcel:
    """A tick of a schedule, on its way to the target. Times are epoch seconds."""
    target = {name: value for name, value in record.target.items() if name != "Input"}
    text: str | None = record.target.get("Input")
    return NewParcel(
        f"{record.place.account} {record.place.region} {target['Arn']}",
        {
            "arn": record.arn,
            "target": target,
            "has_input": text is not None,
            "tick_at_s": tick_at_s,
            "due_at_s": due_at_s,
        },
        (text or "").encode("utf-8", "surrogatepass"),
        due_at_s,
    )


class ScheduleCarrier:
    """Hands over ticks and dead letters. Implements ``Carrier`` of the outbox."""

    def __init__(
        self,
        invoker: Invoker,
        calls: RoleCalls,
        api: ApiCalls,
        trust: RoleTrust,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._invoker = invoker
        self._calls = calls
        self._api = api
        self._trust = trust
        self._clock = clock
        self._ids = ids

    async def carry(self, parcel: Parcel) -> None:
        """Hand one over; the target has it durably when this returns, perhaps twice.

        Raises:
            RefusedError: the role may not, or the target does not take it.
            ExpiredError: it is too old.
        """
        try:
            await self._carry(parcel)
        except AwsError as error:
            raise RefusedError(error) from error

    async def _carry(self, parcel: Parcel) -> None:
        about = parcel.about
        use = await self._use(about["arn"], about["target"]["RoleArn"])
        if "attributes" in about:
            await self._calls.call(_dead_letter(parcel), use)
            return
        if self._clock.now_s() - about["due_at_s"] > _age_max(about):
            raise ExpiredError
        occasion = _occasion(parcel)
        await self._hand_over(
            planned(about["target"], _text(parcel, occasion), self._api.read), use
        )

    async def _hand_over(self, plan: ServiceCall | Invocation, use: RoleUse) -> None:
        if isinstance(plan, ServiceCall):
            check_answer(plan, await self._calls.call(plan, use))
            return
        request = InvokeRequest(
            request_id=use.request_id,
            account=account_of_function(plan.function, use.sender.account),
            region=use.region,
            function_name=plan.function,
            qualifier=plan.qualifier,
            invocation_type=InvocationType.EVENT,
            payload=plan.payload,
            # Whose it is, is for ``authorize_invoke`` to say.
            principal=Principal(use.sender.account, use.role_arn, use.role_arn, ""),
        )
        await self._invoker.invoke(await self._calls.authorize_invoke(request, use))

    async def _use(self, arn: str, role_arn: str) -> RoleUse:
        _, _, _, region, account, rest = arn.split(":")
        _, group, name = rest.split("/")
        source = group_arn(account, region, group)
        if not await self._trust.lets_in(role_arn, SERVICE, account=account, source_arn=source):
            raise access_denied(f"{role_arn} does not let {SERVICE} assume it.")
        sender = ServiceSender(account, name, SERVICE)
        return RoleUse(sender, role_arn, region, self._ids.uuid())

    def after_failure(self, parcel: Parcel, error: Exception, now_s: float) -> Again | GivenUp:
        """What becomes of a tick, or of a dead letter, that could not be handed over. Pure."""
        again_at_s = now_s + min(2.0**parcel.attempts, _PAUSE_S_MAX)
        if "attributes" in parcel.about:
            too_old = again_at_s - parcel.accepted_at_s > EVENT_AGE_S_MAX
            return GivenUp() if too_old or not _may_pass(error) else Again(again_at_s)
        exhausted = _exhausted(parcel, error, again_at_s)
        if exhausted is None and _may_pass(error):
            return Again(again_at_s)
        return GivenUp(_instead(parcel, error, exhausted))


def _exhausted(parcel: Parcel, error: Exception, again_at_s: float) -> str | None:
    """The condition of the retry policy that is used up, or None."""
    if isinstance(error, ExpiredError):
        return "MaximumEventAgeInSeconds"
    if parcel.attempts >= parcel.about["target"]["RetryPolicy"]["MaximumRetryAttempts"]:
        return "MaximumRetryAttempts"
    if again_at_s - parcel.about["due_at_s"] > _age_max(parcel.about):
        return "MaximumEventAgeInSeconds"
    return None


def _may_pass(error: Exception) -> bool:
    # Whatever failed on the way was not the target's doing.
    return not isinstance(error, AwsError) or error.code in _PASSING


def _age_max(about: Mapping[str, Any]) -> int:
    return about["target"]["RetryPolicy"]["MaximumEventAgeInSeconds"]


def _occasion(parcel: Parcel) -> Occasion:
    return Occasion(parcel.about["arn"], parcel.about["tick_at_s"], parcel.attempts + 1)


def _text(parcel: Parcel, occasion: Occasion) -> str:
    if not parcel.about["has_input"]:
        return notification(occasion)
    return filled_in(parcel.document.decode("utf-8", "surrogatepass"), occasion)


def _instead(parcel: Parcel, error: Exception, exhausted: str | None) -> list[NewParcel]:
    """The dead letter, if the schedule has a queue for them."""
    about = parcel.about
    queue_arn: str | None = about["target"].get("DeadLetterConfig", {}).get("Arn")
    if queue_arn is None:
        return []
    code, message = _told(error)
    occasion = _occasion(parcel)
    attributes = {
        "ERROR_CODE": code,
        "ERROR_MESSAGE": _UNFIT.sub("?", message[:_ATTRIBUTE_CHARS_MAX]),
        "EXECUTION_ID": occasion.execution_id,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": str(parcel.attempts),
        "SCHEDULED_TIME": occasion.time,
        "SCHEDULE_ARN": about["arn"],
        "TARGET_ARN": about["target"]["Arn"],
        **({} if exhausted is None else {"EXHAUSTED_RETRY_CONDITION": exhausted}),
    }
    told = {
        "arn": about["arn"],
        "target": {"RoleArn": about["target"]["RoleArn"]},
        "queue": queue_arn,
        "attributes": attributes,
    }
    body = _text(parcel, occasion).encode("utf-8", "surrogatepass")
    return [NewParcel(f"dead letters {queue_arn}", told, body)]


def _told(error: Exception) -> tuple[str, str]:
    """Code and message of a failure, for the owner of the schedule."""
    if isinstance(error, AwsError):
        return error.code, error.message or error.code
    if isinstance(error, ExpiredError):
        return "EventAgeExceeded", "The invocation is older than MaximumEventAgeInSeconds."
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "Timeout", "The target did not answer in time."
    return "InternalFailure", "The target could not be called."


def _dead_letter(parcel: Parcel) -> ServiceCall:
    _, _, _, region, account, name = parcel.about["queue"].split(":")
    return ServiceCall(
        "sqs",
        "SendMessage",
        {
            "QueueUrl": queue_url(region, account, name),
            "MessageBody": parcel.document.decode("utf-8", "surrogatepass"),
            "MessageAttributes": {
                key: {"DataType": "String", "StringValue": value}
                for key, value in parcel.about["attributes"].items()
            },
        },
    )
