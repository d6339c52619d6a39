"""One try to hand a parcel to its target, and what becomes of one that was not taken.

A target is called with the service's own principal, on behalf of the rule, so its policy must let
EventBridge in; with a role on the target, the role's permissions count in place of that.

| Failure | Then |
|---|---|
| refused for good: no permission, no such target | the dead-letter queue, at once |
| anything else | again, after growing waits, until retries or age are used up |

Source: EventBridge user guide, retry policies, dead-letter queues.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from alonzo.lib.clock import Clock
from alonzo.lib.event_patterns import read_document
from alonzo.lib.ids import IdSource
from alonzo.model.arns import account_of_function
from alonzo.model.context import Principal
from alonzo.model.deliveries import (
    RoleCalls,
    RoleUse,
    ServiceCall,
    ServiceCalls,
    ServiceSender,
    ServiceUse,
)
from alonzo.model.errors import AwsError, access_denied
from alonzo.model.invocations import InvocationType, InvokeRequest
from alonzo.model.ports.identity import RoleTrust
from alonzo.model.ports.invoking import Invoker
from alonzo.services.events.arns import account_of, region_of
from alonzo.services.events.documents import render, time_of
from alonzo.services.events.intake import Intake
from alonzo.services.events.limits import EVENT_AGE_S_DEFAULT, RETRIES_DEFAULT, RETRY_S_MAX
from alonzo.services.events.routing import Arrival
from alonzo.services.events.sized import run_sized
from alonzo.services.events.target_checks import SERVICE
from alonzo.store.outbox import Again, GivenUp, NewParcel, Parcel

#: Refusals that another try may not get; all others are for good.
#: Source: user guide, retry policies: errors of permissions and of missing targets are not retried.
_PASSING = frozenset(
    {
        "InternalError",
        "InternalException",
        "InternalFailure",
        "LimitExceededException",
        "RequestThrottled",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
#: What a dead letter says of a refusal, by the code. Source: user guide, dead-letter queues.
_REASONS: Mapping[str, str] = {
    "AccessDenied": "NO_PERMISSIONS",
    "AccessDeniedException": "NO_PERMISSIONS",
    "AuthorizationError": "NO_PERMISSIONS",
    "AWS.SimpleQueueService.NonExistentQueue": "NO_RESOURCE",
    "NotFound": "NO_RESOURCE",
    "QueueDoesNotExist": "NO_RESOURCE",
    "ResourceNotFoundException": "NO_RESOURCE",
    "ThrottlingException": "THROTTLING",
    "TooManyRequestsException": "THROTTLING",
}
_SESSION_MAX = 64


class EventCarrier:
    """Brings parcels to their targets. Implements ``store.outbox.Carrier``."""

    def __init__(
        self,
        intake: Intake,
        calls: ServiceCalls,
        roles: RoleCalls,
        trust: RoleTrust,
        invoker: Invoker,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._intake = intake
        self._calls = calls
        self._roles = roles
        self._trust = trust
        self._invoker = invoker
        self._clock = clock
        self._ids = ids
        self._ways: Mapping[str, Callable[[Parcel], Awaitable[None]]] = {
            "lambda": self._invoke,
            "sqs": self._send,
            "sns": self._publish,
            "logs": self._log,
            "events": self._forward,
        }

    async def carry(self, parcel: Parcel) -> None:
        """Hand one over; the target has it durably when this returns, perhaps twice.

        Raises:
            AwsError: the target does not take it.
        """
        await self._ways[parcel.about["target"].split(":", 3)[2]](parcel)

    def after_failure(self, parcel: Parcel, error: Exception, now_s: float) -> Again | GivenUp:
        """What becomes of a parcel that could not be handed over. Pure."""
        about = parcel.about
        wait_s = min(2.0 ** min(parcel.attempts, 16), RETRY_S_MAX)
        passing = not isinstance(error, AwsError) or error.code in _PASSING
        exhausted = ""
        if passing:
            if parcel.attempts >= about["retries"]:
                exhausted = "MaximumRetryAttempts"
            elif now_s + wait_s > parcel.accepted_at_s + about["age_s"]:
                exhausted = "MaximumEventAgeInSeconds"
            else:
                return Again(now_s + wait_s)
        if "failed" in about or "dead_letters" not in about:
            return GivenUp()
        return GivenUp([_dead_letter(parcel, error, exhausted)])

    async def _invoke(self, parcel: Parcel) -> None:
        arn = parcel.about["target"]
        if "role" not in parcel.about:
            await self._calls.invoke(arn, parcel.document, self._use(parcel))
            return
        use = await self._role_use(parcel)
        request = InvokeRequest(
            request_id=use.request_id,
            account=account_of_function(arn, use.sender.account),
            region=use.region,
            function_name=arn,
            qualifier=None,
            invocation_type=InvocationType.EVENT,
            payload=parcel.document,
            # Whose it is, is for ``authorize_invoke`` to say.
            principal=Principal(use.sender.account, use.role_arn, use.role_arn, ""),
            trace_header=parcel.about.get("trace"),
        )
        await self._invoker.invoke(await self._roles.authorize_invoke(request, use))

    async def _send(self, parcel: Parcel) -> None:
        _, _, _, region, account, name = parcel.about["target"].split(":", 5)
        params: dict[str, Any] = {
            "QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}",
            "MessageBody": _text(parcel),
        }
        if "trace" in parcel.about:
            trace = {"DataType": "String", "StringValue": parcel.about["trace"]}
            params["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
        if "group" in parcel.about:
            params["MessageGroupId"] = parcel.about["group"]
        if "failed" in parcel.about:
            params["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value}
                for name, value in parcel.about["failed"].items()
            }
        await self._call(parcel, ServiceCall("sqs", "SendMessage", params))

    async def _publish(self, parcel: Parcel) -> None:
        params = {"TopicArn": parcel.about["target"], "Message": _text(parcel)}
        await self._call(parcel, ServiceCall("sns", "Publish", params))

    async def _log(self, parcel: Parcel) -> None:
        """Write to a log group, to a stream with the rule's name."""
        group = parcel.about["target"].split(":", 6)[6].removesuffix(":*")
        at_ms, message = _log_event(_text(parcel), parcel.accepted_at_s)
        where = {
            "logGroupName": group,
            "logStreamName": parcel.about["rule"].rpartition("/")[2],
        }
        events = {"logEvents": [{"timestamp": at_ms, "message": message}]}
        try:
            await self._call(parcel, ServiceCall("logs", "PutLogEvents", {**where, **events}))
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            try:
                await self._call(parcel, ServiceCall("logs", "CreateLogStream", where))
            except AwsError as late:
                # Another event at the same time has made it.
                if late.code != "ResourceAlreadyExistsException":
                    raise
            await self._call(parcel, ServiceCall("logs", "PutLogEvents", {**where, **events}))

    async def _forward(self, parcel: Parcel) -> None:
        """Put the event on another bus, as it is."""
        about = parcel.about
        event, text = await run_sized(len(parcel.document), lambda: _read(parcel.document))
        if "role" in about:
            entry = {
                "EventBusName": about["target"],
                "Source": event["source"],
                "DetailType": event["detail-type"],
            }
            call = ServiceCall("events", "PutEvents", {"Entries": [entry]})
            await self._roles.authorize(call, await self._role_use(parcel))
        arrival = Arrival(
            about["target"],
            event,
            text,
            self._clock.now_s(),
            time_of(event["time"]),
            about.get("trace"),
            about["hops"] + 1,
        )
        await self._intake.take([arrival])

    async def _call(self, parcel: Parcel, call: ServiceCall) -> None:
        caller = self._roles if "role" in parcel.about else self._calls
        if not caller.offers(call.service):
            raise AwsError("ResourceNotFoundException", f"There is no {call.service} here.")
        if "role" in parcel.about:
            await self._roles.call(call, await self._role_use(parcel))
        else:
            await self._calls.call(call, self._use(parcel))

    def _use(self, parcel: Parcel) -> ServiceUse:
        rule = parcel.about["rule"]
        return ServiceUse(
            SERVICE,
            rule,
            account_of(rule),
            region_of(parcel.about["target"]),
            self._ids.uuid(),
            parcel.about.get("trace"),
        )

    async def _role_use(self, parcel: Parcel) -> RoleUse:
        rule, role = parcel.about["rule"], parcel.about["role"]
        account = account_of(rule)
        if not await self._trust.lets_in(role, SERVICE, account=account, source_arn=rule):
            raise access_denied(f"{role} does not let {SERVICE} assume it.")
        session = rule.rpartition("/")[2][:_SESSION_MAX]
        return RoleUse(
            ServiceSender(account, session, SERVICE),
            role,
            region_of(parcel.about["target"]),
            self._ids.uuid(),
        )


def _dead_letter(parcel: Parcel, error: Exception, exhausted: str) -> NewParcel:
    """What goes to the dead-letter queue: what the target did not get, and why."""
    about = parcel.about
    code = error.code if isinstance(error, AwsError) else ""
    timeout = "TIMEOUT" if isinstance(error, TimeoutError) else "INTERNAL_ERROR"
    failed = {
        "RULE_ARN": about["rule"],
        "TARGET_ARN": about["target"],
        "ERROR_CODE": _REASONS.get(code, "SDK_CLIENT_ERROR" if code else timeout),
        "ERROR_MESSAGE": error.message if isinstance(error, AwsError) else "The target failed.",
        "RETRY_ATTEMPTS": str(parcel.attempts),
    }
    if exhausted:
        failed["EXHAUSTED_RETRY_CONDITION"] = exhausted
    queue = about["dead_letters"]
    return NewParcel(
        queue,
        {
            "rule": about["rule"],
            "target": queue,
            "retries": RETRIES_DEFAULT,
            "age_s": EVENT_AGE_S_DEFAULT,
            "hops": about["hops"],
            "failed": failed,
        },
        parcel.document,
    )


def _read(document: bytes) -> tuple[Any, str]:
    event = read_document(document)
    return event, render(event)


def _text(parcel: Parcel) -> str:
    return parcel.document.decode("utf-8", "replace")


def _log_event(text: str, at_s: float) -> tuple[int, str]:
    """Time in milliseconds and text of a log event; a transformer may have made both."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and found.keys() == {"timestamp", "message"}:
        made = cast("dict[str, Any]", found)
        if isinstance(made["timestamp"], int) and isinstance(made["message"], str):
            return made["timestamp"], made["message"]
    return int(at_s * 1000), text
