"""The operations on subscriptions: made, confirmed, listed, changed and ended.

A subscription of an HTTP endpoint waits until somebody sends back the token that the endpoint got;
nobody needs a signature for that. Nobody needs one to end a subscription either, unless whoever
confirmed it signed and said so; then the endpoint is told, and gets a token that undoes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.model.context import Principal, RequestContext
from alonzo.services.sns import records
from alonzo.services.sns import subscription_attributes as attributes
from alonzo.services.sns.arns import account_of, check_arn, one_page, region_of
from alonzo.services.sns.deliveries import DeliveryQueue
from alonzo.services.sns.directory import Directory, Unit
from alonzo.services.sns.errors import invalid, limit_exceeded, not_the_owner, signature_needed
from alonzo.services.sns.limits import (
    FIFO_SUBSCRIPTIONS_MAX,
    FILTER_POLICIES_OF_TOPIC_MAX,
    SUBSCRIPTIONS_MAX,
    TOKEN_BYTES,
    TOKEN_S,
)
from alonzo.services.sns.messages import message_bytes_max
from alonzo.services.sns.posting import read_endpoint
from alonzo.services.sns.records import Kind, Message, Q, State, Subscription, Topic
from alonzo.services.sns.topic_attributes import check_large
from alonzo.store.base import StoreError

Answer = Mapping[str, Any]

_PENDING = "pending confirmation"
#: The principal of a request that is not signed.
ANONYMOUS = Principal("", "anonymous", "anonymous", "")


class SubscriptionOperations:
    """Operations by their names in the service model."""

    def __init__(self, directory: Directory, queue: DeliveryQueue) -> None:
        self._directory = directory
        self._queue = queue
        self._subscribing = asyncio.Lock()

    async def subscribe(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """Subscribe: makes a subscription, or finds the endpoint's if it is the same."""
        topic = self._directory.need_topic(check_arn(params["TopicArn"], context.region))
        protocol = params["Protocol"].lower()
        attributes.check_protocol(protocol, fifo=topic.is_fifo)
        endpoint = attributes.check_endpoint(protocol, params.get("Endpoint"), fifo=topic.is_fifo)
        if protocol in attributes.HTTP and read_endpoint(endpoint) is None:
            raise invalid("Endpoint Reason: this is no URL that can be posted to")
        asked: Mapping[str, str] = params.get("Attributes") or {}
        given = {name: value for name, value in asked.items() if value}
        made = attributes.with_attributes(
            self._new(context, topic, protocol, endpoint), given, attributes.ON_SUBSCRIBE
        )
        message = self._confirmation(topic, made) if made.state is State.PENDING else None
        # Of two requests for one endpoint, the second must see what the first one made.
        async with self._subscribing:
            every = self._directory.subscriptions_of(topic.arn)
            try:
                found = await self._directory.change(
                    lambda unit: self._subscribe(unit, topic, made, given, message, every)
                )
            except StoreError:
                self._queue.forget([message.message_id] if message is not None else [])
                raise
        waits = found.state is State.PENDING and not params.get("ReturnSubscriptionArn")
        return {"SubscriptionArn": _PENDING if waits else found.arn}

    def _new(
        self, context: RequestContext, topic: Topic, protocol: str, endpoint: str
    ) -> Subscription:
        now_s, ids = self._directory.clock.now_s(), self._directory.ids
        waits = protocol in attributes.HTTP
        return Subscription(
            arn=f"{topic.arn}:{ids.uuid()}",
            topic_arn=topic.arn,
            created_at_s=now_s,
            protocol=protocol,
            endpoint=endpoint,
            owner=context.account,
            principal_arn=context.principal.arn,
            base_url=context.endpoint,
            state=State.PENDING if waits else State.CONFIRMED,
            attributes={},
            token=ids.hex(TOKEN_BYTES) if waits else "",
            token_until_s=now_s + TOKEN_S if waits else 0.0,
            was_authenticated=not waits,
        )

    def _subscribe(
        self,
        unit: Unit,
        topic: Topic,
        made: Subscription,
        given: Mapping[str, str],
        message: Message | None,
        every: list[Subscription],
    ) -> Subscription:
        unit.topic(topic.arn)
        same = (each for each in every if _place_of(each) == _place_of(made))
        old = next(same, None)
        if old is not None and unit.conn.one(Q.live_subscription, {"arn": old.arn}) is not None:
            old = unit.subscription(old.arn)
            wanted = attributes.normal(given).items()
            if any(old.attributes.get(name) != text for name, text in wanted):
                raise invalid(
                    "Attributes Reason: Subscription already exists with different attributes"
                )
            if old.state is State.CONFIRMED or message is None:
                return old
            # The endpoint is asked once more, with a new token.
            made = replace(old, token=made.token, token_until_s=made.token_until_s)
        else:
            _check_room(topic, every, made)
        unit.save_subscription(made)
        if message is not None:
            self._queue.put(unit.conn, message, [made])
        return made

    async def confirm_subscription(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ConfirmSubscription. Whoever has the token may, signed or not."""
        arn, token = check_arn(params["TopicArn"], None), params["Token"]
        signed_only = params.get("AuthenticateOnUnsubscribe", "").lower() == "true"
        is_signed = context.principal is not ANONYMOUS
        if signed_only and not is_signed:
            raise signature_needed()
        found = self._directory.try_token(token)
        if found is None or found.topic_arn != arn:
            raise invalid("Token")
        if found.state is State.CONFIRMED:
            return {"SubscriptionArn": found.arn}

        def work(unit: Unit) -> None:
            live = unit.subscription(found.arn)
            if live.token != token or live.token_until_s <= self._directory.clock.now_s():
                raise invalid("Token")
            unit.save_subscription(
                replace(
                    live,
                    state=State.CONFIRMED,
                    was_authenticated=is_signed,
                    signed_only=signed_only,
                )
            )

        await self._directory.change(work)
        return {"SubscriptionArn": found.arn}

    async def unsubscribe(self, context: RequestContext, params: dict[str, Any]) -> None:
        """Unsubscribe. There may be no such subscription."""
        arn = check_arn(params["SubscriptionArn"], None, "SubscriptionArn")
        if len(arn.split(":")) == 6:
            raise invalid("SubscriptionId")
        if context.principal is not ANONYMOUS and region_of(arn) != context.region:
            raise invalid("SubscriptionArn")
        found = self._directory.try_subscription(arn)
        if found is None or found.state is State.ENDED:
            return
        is_owner = _is_owner(context, found)
        if not is_owner and found.state is State.PENDING:
            raise invalid("SubscriptionArn Reason: the subscription is not confirmed")
        if not is_owner and found.signed_only:
            raise signature_needed()
        if is_owner or found.protocol not in attributes.HTTP:
            while not await self._directory.change(lambda unit: _delete(unit, found)):
                pass  # Between two units others get their turn.
            return
        token = self._directory.ids.hex(TOKEN_BYTES)
        until_s = self._directory.clock.now_s() + TOKEN_S
        ended = replace(found, state=State.ENDED, token=token, token_until_s=until_s)
        topic = self._directory.need_topic(found.topic_arn)
        message = self._farewell(topic, ended)

        def work(unit: Unit) -> None:
            live = unit.subscription(arn)
            unit.save_subscription(
                replace(live, state=State.ENDED, token=token, token_until_s=until_s)
            )
            _count_deleted(unit, found.topic_arn)
            self._queue.put(unit.conn, message, [live])

        try:
            await self._directory.change(work)
        except StoreError:
            self._queue.forget([message.message_id])
            raise

    async def list_subscriptions(self, context: RequestContext, params: dict[str, Any]) -> Answer:
        """ListSubscriptions."""
        return _page(self._directory.subscriptions_by(context.account, context.region), params)

    async def list_subscriptions_by_topic(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """ListSubscriptionsByTopic."""
        topic = self._directory.need_topic(check_arn(params["TopicArn"], context.region))
        return _page(self._directory.subscriptions_of(topic.arn), params)

    async def get_subscription_attributes(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Answer:
        """GetSubscriptionAttributes."""
        found = self._need(context, params)
        topic = self._directory.try_topic(found.topic_arn)
        return {"Attributes": attributes.shown(found, topic)}

    async def set_subscription_attributes(
        self, context: RequestContext, params: dict[str, Any]
    ) -> None:
        """SetSubscriptionAttributes."""
        found = self._need(context, params)
        given = {params["AttributeName"]: params.get("AttributeValue") or ""}
        every = self._directory.subscriptions_of(found.topic_arn)

        def work(unit: Unit) -> None:
            live = unit.subscription(found.arn)
            changed = attributes.with_attributes(live, given)
            if "FilterPolicy" in changed.attributes and "FilterPolicy" not in live.attributes:
                _check_filters(every)
            unit.save_subscription(changed)

        await self._directory.change(work)

    def _need(self, context: RequestContext, params: Mapping[str, Any]) -> Subscription:
        arn = check_arn(params["SubscriptionArn"], context.region, "SubscriptionArn")
        found = self._directory.need_subscription(arn)
        if not _is_owner(context, found):
            raise not_the_owner(context.principal.arn)
        return found

    def _confirmation(self, topic: Topic, subscription: Subscription) -> Message:
        text = (
            f"You have chosen to subscribe to the topic {topic.arn}.\n"
            "To confirm the subscription, visit the SubscribeURL included in this message."
        )
        return self._message(topic, Kind.CONFIRMATION, text, subscription.token)

    def _farewell(self, topic: Topic, subscription: Subscription) -> Message:
        text = (
            f"You have chosen to deactivate subscription {subscription.arn}.\n"
            "To cancel this operation and restore the subscription, visit the SubscribeURL "
            "included in this message."
        )
        return self._message(topic, Kind.ENDING, text, subscription.token)

    def _message(self, topic: Topic, kind: Kind, text: str, token: str) -> Message:
        return Message(
            message_id=self._directory.ids.uuid(),
            topic_arn=topic.arn,
            kind=kind,
            published_at_s=self._directory.clock.now_s(),
            texts={"default": text},
            attributes={},
            signature_version=topic.attributes.get("SignatureVersion", "1"),
            token=token,
        )


def _place_of(subscription: Subscription) -> tuple[str, str]:
    return subscription.protocol, subscription.endpoint


def _is_owner(context: RequestContext, subscription: Subscription) -> bool:
    """Whether the caller's account has the subscription, or its topic."""
    owners = (subscription.owner, account_of(subscription.topic_arn))
    return context.principal is not ANONYMOUS and context.principal.account in owners


def _check_room(topic: Topic, every: list[Subscription], made: Subscription) -> None:
    if len(every) >= (FIFO_SUBSCRIPTIONS_MAX if topic.is_fifo else SUBSCRIPTIONS_MAX):
        raise limit_exceeded("Subscription", "Subscription limit exceeded")
    if "FilterPolicy" in made.attributes:
        _check_filters(every)
    check_large(message_bytes_max(topic), [_place_of(each) for each in [*every, made]])


def _check_filters(every: list[Subscription]) -> None:
    if sum("FilterPolicy" in each.attributes for each in every) >= FILTER_POLICIES_OF_TOPIC_MAX:
        raise limit_exceeded("FilterPolicy", "Filter policy limit exceeded")


def _delete(unit: Unit, subscription: Subscription) -> bool:
    unit.subscriptions.add(subscription.arn)
    if records.try_subscription(unit.conn, subscription.arn) is None:
        return True
    is_gone = records.delete_subscription(unit.conn, subscription.arn)
    if is_gone:
        _count_deleted(unit, subscription.topic_arn)
    return is_gone


def _count_deleted(unit: Unit, arn: str) -> None:
    topic = unit.topic(arn)
    unit.save_topic(replace(topic, deleted_subscriptions=topic.deleted_subscriptions + 1))


def _page(every: list[Subscription], params: Mapping[str, Any]) -> Answer:
    page, token = one_page(every, params.get("NextToken"), lambda each: each.arn)
    found: dict[str, Any] = {"Subscriptions": list(map(attributes.listed, page))}
    return found | ({"NextToken": token} if token else {})
