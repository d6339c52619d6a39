"""Every topic and subscription: in memory, with the store as the truth.

So a message finds its subscriptions, and a policy is asked, without a query. Whoever changes
something does it through ``change``: when that returns, every later request sees it. Implements
``ports.ResourcePolicies`` for topics.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.policies.compiled import Policy, PolicyError, compile_policy
from alonzo.model.errors import AwsError
from alonzo.services.sns import records
from alonzo.services.sns.arns import region_of
from alonzo.services.sns.errors import no_subscription, no_topic
from alonzo.services.sns.filter_policies import Filter, read_filter
from alonzo.services.sns.records import Q, State, Subscription, Topic
from alonzo.store.base import Connection, Store

T = TypeVar("T")

#: What counts where a policy cannot be evaluated: it might deny.
_DENY_ALL = compile_policy(
    {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}, "unreadable policy"
)


class Unit:
    """A unit of work that changes topics or subscriptions; what it touches is read again."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.topics: set[str] = set()
        self.subscriptions: set[str] = set()

    def topic(self, arn: str) -> Topic:
        """The topic as it is now, which will be changed.

        Raises:
            AwsError: NotFound.
        """
        self.topics.add(arn)
        found = records.try_topic(self.conn, arn)
        if found is None:
            raise no_topic()
        return found

    def subscription(self, arn: str) -> Subscription:
        """The subscription as it is now, which will be changed.

        Raises:
            AwsError: NotFound.
        """
        self.subscriptions.add(arn)
        found = records.try_subscription(self.conn, arn)
        if found is None:
            raise no_subscription()
        return found

    def save_topic(self, topic: Topic) -> None:
        """Write a topic, new or changed."""
        self.topics.add(topic.arn)
        records.save_topic(self.conn, topic)

    def save_subscription(self, subscription: Subscription) -> None:
        """Write a subscription, new or changed."""
        self.subscriptions.add(subscription.arn)
        records.save_subscription(self.conn, subscription)


class Directory:
    """The topics and subscriptions of all accounts and regions."""

    def __init__(self, store: Store, *, clock: Clock, ids: IdSource) -> None:
        self.store = store
        self.clock = clock
        self.ids = ids
        self._topics: dict[str, Topic] = {}
        self._counts: Counter[tuple[str, str, bool]] = Counter()
        self._policies: dict[str, Policy] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._of_topic: dict[str, dict[str, Subscription]] = {}
        self._filters: dict[str, Filter] = {}
        self._tokens: dict[str, str] = {}
        #: Grows with every change.
        self.generation = 0

    async def open(self) -> None:
        """Read everything once, before the first request."""
        topics, subscriptions = await self.store.read(
            lambda conn: (conn.all(Q.all_topics), conn.all(Q.all_subscriptions))
        )
        for topic in map(records.topic_from, topics):
            self._apply_topic(topic.arn, topic)
        for subscription in map(records.subscription_from, subscriptions):
            self._apply_subscription(subscription.arn, subscription)

    async def change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit of work; all is in force when this returns."""

        def whole(
            conn: Connection,
        ) -> tuple[T, dict[str, Topic | None], dict[str, Subscription | None]]:
            unit = Unit(conn)
            result = work(unit)
            return (
                result,
                {arn: records.try_topic(conn, arn) for arn in unit.topics},
                {arn: records.try_subscription(conn, arn) for arn in unit.subscriptions},
            )

        result, topics, subscriptions = await self.store.tx(whole)
        for arn, topic in topics.items():
            self._apply_topic(arn, topic)
        for arn, subscription in subscriptions.items():
            self._apply_subscription(arn, subscription)
        return result

    def try_topic(self, arn: str) -> Topic | None:
        """The topic of that ARN, or None."""
        return self._topics.get(arn)

    def need_topic(self, arn: str) -> Topic:
        """The topic of that ARN.

        Raises:
            AwsError: NotFound.
        """
        found = self._topics.get(arn)
        if found is None:
            raise no_topic()
        return found

    def try_subscription(self, arn: str) -> Subscription | None:
        """The subscription of that ARN, whatever its state, or None."""
        return self._subscriptions.get(arn)

    def need_subscription(self, arn: str) -> Subscription:
        """The subscription of that ARN.

        Raises:
            AwsError: NotFound.
        """
        found = self._subscriptions.get(arn)
        if found is None or found.state is State.ENDED:
            raise no_subscription()
        return found

    def try_token(self, token: str) -> Subscription | None:
        """The subscription that a token confirms, whether it is still good or not."""
        return self._subscriptions.get(self._tokens.get(token, ""))

    def topics_of(self, account: str, region: str) -> list[Topic]:
        """All topics of an account in a region, by ARN."""
        start = f"arn:aws:sns:{region}:{account}:"
        return [self._topics[arn] for arn in sorted(self._topics) if arn.startswith(start)]

    def count_topics(self, account: str, region: str, *, fifo: bool) -> int:
        """How many topics of a kind an account has in a region."""
        return self._counts[account, region, fifo]

    def subscriptions_of(self, topic_arn: str) -> list[Subscription]:
        """What anybody may see of a topic's subscriptions, by ARN."""
        found = self._of_topic.get(topic_arn, {})
        return [found[arn] for arn in sorted(found) if found[arn].state is not State.ENDED]

    def subscriptions_by(self, owner: str, region: str) -> list[Subscription]:
        """All that an account has subscribed in a region, by ARN."""
        found = (
            each
            for each in self._subscriptions.values()
            if each.owner == owner
            and each.state is not State.ENDED
            and region_of(each.arn) == region
        )
        return sorted(found, key=lambda each: each.arn)

    def every_subscription(self) -> Iterable[Subscription]:
        """All subscriptions there are, as of now."""
        return list(self._subscriptions.values())

    def receivers(self, topic_arn: str) -> Iterable[tuple[Subscription, Filter | None]]:
        """The subscriptions that a message may be for, with their filters."""
        return [
            (each, self._filters.get(each.arn))
            for each in self._of_topic.get(topic_arn, {}).values()
            if each.state is State.CONFIRMED
        ]

    async def find(self, arn: str) -> Policy | None:
        """The policy of a topic, or None: there is no such topic."""
        return self._policies.get(arn)

    def _apply_topic(self, arn: str, topic: Topic | None) -> None:
        self.generation += 1
        old = self._topics.get(arn)
        if (old is None) != (topic is None):
            one = topic or old
            assert one is not None
            kind = one.account, one.region, one.is_fifo
            self._counts[kind] += -1 if topic is None else 1
        if topic is None:
            self._topics.pop(arn, None)
            self._policies.pop(arn, None)
            for subscription in list(self._of_topic.get(arn, {})):
                self._apply_subscription(subscription, None)
            return
        self._topics[arn] = topic
        self._policies[arn] = _compiled(topic.attributes["Policy"], arn)

    def _apply_subscription(self, arn: str, subscription: Subscription | None) -> None:
        old = self._subscriptions.pop(arn, None)
        self._filters.pop(arn, None)
        if old is not None:
            self._tokens.pop(old.token, None)
            siblings = self._of_topic[old.topic_arn]
            siblings.pop(arn, None)
            if not siblings:
                del self._of_topic[old.topic_arn]
        if subscription is None:
            return
        self._subscriptions[arn] = subscription
        self._of_topic.setdefault(subscription.topic_arn, {})[arn] = subscription
        if subscription.token:
            self._tokens[subscription.token] = arn
        found = _filter_of(subscription)
        if found is not None:
            self._filters[arn] = found


def _filter_of(subscription: Subscription) -> Filter | None:
    text = subscription.attributes.get("FilterPolicy")
    if text is None:
        return None
    try:
        return read_filter(text, subscription.scope)
    except AwsError:  # Checked when it was set; a later version may know better.
        return None


def _compiled(text: str, name: str) -> Policy:
    try:
        return compile_policy(json.loads(text), name)
    except (PolicyError, ValueError):
        return _DENY_ALL
