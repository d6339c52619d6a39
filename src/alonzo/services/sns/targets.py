"""One try to hand a message to its subscription, or to the subscription's dead-letter queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCall, ServiceCalls, ServiceUse
from alonzo.model.errors import AwsError
from alonzo.services.sns import envelopes
from alonzo.services.sns.arns import FIFO, account_of, region_of
from alonzo.services.sns.delivery_policies import MANAGED, DeliveryPolicy, http_policy
from alonzo.services.sns.directory import Directory
from alonzo.services.sns.envelopes import Seal
from alonzo.services.sns.limits import CALL_S_MAX
from alonzo.services.sns.posting import Poster, PostError
from alonzo.services.sns.records import Message, Subscription
from alonzo.services.sns.signing import Signer
from alonzo.services.sns.subscription_attributes import HTTP, dead_letter_queue

#: The principal that policies of queues and functions let in.
SERVICE = "sns.amazonaws.com"

#: Refusals that another try may not get; all others are for good.
#: Source: developer guide, message delivery retries: server-side errors are retried.
_PASSING = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "RequestThrottled",
        "ServiceException",
        "ServiceUnavailable",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


class DeliveryError(Exception):
    """The message was not taken. ``is_final``: another try can do no better."""

    def __init__(self, reason: str, *, is_final: bool) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Targets:
    """Knows how each protocol is delivered to."""

    def __init__(
        self,
        directory: Directory,
        calls: ServiceCalls,
        signer: Signer,
        ids: IdSource,
        *,
        poster: Poster | None = None,
        own_url: Callable[[], str] = lambda: "",
    ) -> None:
        """``own_url`` answers the platform's address for subscriptions that know no other."""
        self._directory = directory
        self._calls = calls
        self._signer = signer
        self._ids = ids
        self._poster = poster or Poster()
        self._own_url = own_url

    def policy_of(self, subscription: Subscription) -> DeliveryPolicy:
        """How often a delivery to the subscription is tried."""
        if subscription.protocol not in HTTP:
            return MANAGED
        topic = self._directory.try_topic(subscription.topic_arn)
        of_topic = None if topic is None else topic.attributes.get("DeliveryPolicy")
        return http_policy(subscription.attributes.get("DeliveryPolicy"), of_topic)

    async def deliver(self, message: Message, subscription: Subscription) -> None:
        """Try once; the endpoint has the message when this returns, perhaps twice.

        Raises:
            DeliveryError: it has not.
        """
        try:
            async with asyncio.timeout(CALL_S_MAX):
                await self._deliver(message, subscription)
        except AwsError as error:
            raise DeliveryError(error.code, is_final=error.code not in _PASSING) from error
        except PostError as error:
            raise DeliveryError(str(error), is_final=error.is_final) from error
        except DeliveryError:
            raise
        except Exception as error:
            # Whatever failed on the way was not the endpoint's doing, so it may pass.
            raise DeliveryError(type(error).__name__, is_final=False) from error

    async def bury(self, message: Message, subscription: Subscription) -> bool:
        """Hand the message to the dead-letter queue; False: there is none.

        Raises:
            DeliveryError: the queue does not take it.
        """
        queue_arn = dead_letter_queue(subscription)
        if queue_arn is None:
            return False
        subscription = self._addressed(subscription)
        try:
            async with asyncio.timeout(CALL_S_MAX):
                seal = await self._seal(message, subscription)
                text = envelopes.body(message, subscription, seal)
                await self._send(queue_arn, text, message, subscription)
        except AwsError as error:
            raise DeliveryError(error.code, is_final=error.code not in _PASSING) from error
        except DeliveryError:
            raise
        except Exception as error:
            raise DeliveryError(type(error).__name__, is_final=False) from error
        return True

    async def _deliver(self, message: Message, subscription: Subscription) -> None:
        subscription = self._addressed(subscription)
        seal = await self._seal(message, subscription)
        if subscription.protocol == "lambda":
            use = self._use(message, subscription.endpoint)
            payload = envelopes.event(message, subscription, seal)
            await self._calls.invoke(subscription.endpoint, payload, use)
            return
        text = envelopes.body(message, subscription, seal)
        if subscription.protocol == "sqs":
            await self._send(subscription.endpoint, text, message, subscription)
            return
        policy = self.policy_of(subscription)
        headers = envelopes.headers(message, subscription, policy.content_type)
        await self._poster.post(
            subscription.endpoint, headers, text.encode("utf-8", "surrogatepass")
        )

    async def _send(
        self, queue_arn: str, text: str, message: Message, subscription: Subscription
    ) -> None:
        if not self._calls.offers("sqs"):
            raise DeliveryError("there is no SQS", is_final=True)
        _, _, _, region, account, name = queue_arn.split(":")
        params: dict[str, Any] = {
            "QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}",
            "MessageBody": text,
        }
        if envelopes.is_raw(message, subscription) and message.attributes:
            params["MessageAttributes"] = {
                name: dict(value) for name, value in message.attributes.items()
            }
        if message.trace_header is not None:
            trace = {"DataType": "String", "StringValue": message.trace_header}
            params["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
        if queue_arn.endswith(FIFO):
            params["MessageGroupId"] = message.group_id
            params["MessageDeduplicationId"] = message.deduplication_id
        elif message.group_id is not None and not message.topic_arn.endswith(FIFO):
            params["MessageGroupId"] = message.group_id
        call = ServiceCall("sqs", "SendMessage", params)
        await self._calls.call(call, self._use(message, queue_arn))

    async def _seal(self, message: Message, subscription: Subscription) -> Seal | None:
        """The signature of what the subscription gets; FIFO topics and raw delivery have none."""
        if message.topic_arn.endswith(FIFO) or envelopes.is_raw(message, subscription):
            return None
        base_url = subscription.base_url
        text = message.text_for(subscription.protocol)
        signed = envelopes.canonical(message, text, base_url)
        signature = await self._signer.sign(signed, message.signature_version)
        path, _ = await self._signer.certificate()
        return Seal(signature, f"{base_url}{path}")

    def _addressed(self, subscription: Subscription) -> Subscription:
        if subscription.base_url:
            return subscription
        return subscription.at(self._own_url())

    def _use(self, message: Message, target_arn: str) -> ServiceUse:
        return ServiceUse(
            SERVICE,
            message.topic_arn,
            account_of(message.topic_arn),
            region_of(target_arn),
            self._ids.uuid(),
            message.trace_header,
        )
