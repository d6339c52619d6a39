"""Amazon SNS as a service: its operations by name."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.ports.identity import Encryption
from alonzo.model.ports.operations import Operations
from alonzo.services.sns.at_rest import AtRest
from alonzo.services.sns.deliveries import DeliveryQueue
from alonzo.services.sns.directory import Directory
from alonzo.services.sns.keeper import Keeper
from alonzo.services.sns.posting import Poster
from alonzo.services.sns.publishing import PublishOperations
from alonzo.services.sns.signing import Signer
from alonzo.services.sns.subscriptions import SubscriptionOperations
from alonzo.services.sns.targets import Targets
from alonzo.services.sns.topics import TopicOperations
from alonzo.store.base import Store


class Topics:
    """The parts of SNS, put together."""

    def __init__(
        self,
        store: Store,
        calls: ServiceCalls,
        encryption: Encryption,
        key_file: Path,
        *,
        clock: Clock,
        ids: IdSource,
        own_url: Callable[[], str],
        poster: Poster | None = None,
    ) -> None:
        """``key_file`` holds the key that signs messages; ``own_url`` answers the platform's."""
        self.directory = Directory(store, clock=clock, ids=ids)
        self.signer = Signer(key_file, clock)
        targets = Targets(self.directory, calls, self.signer, ids, poster=poster, own_url=own_url)
        self.at_rest = AtRest(encryption)
        self.queue = DeliveryQueue(store, clock, self.directory, targets, self.at_rest)

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.directory.open()
        await self.queue.open()

    def close(self) -> None:
        """Stop listening to the store."""
        self.queue.close()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        keeper = Keeper(self.directory)
        return {
            "topic deliveries": self.queue.run(),
            "subscriptions": keeper.run(),
            "duplicates": keeper.run_forgetting(),
        }


def operations(topics_of: Topics) -> Operations:
    """The operations of SNS."""
    directory, queue = topics_of.directory, topics_of.queue
    topics = TopicOperations(directory)
    subscriptions = SubscriptionOperations(directory, queue)
    publishing = PublishOperations(directory, queue, topics_of.at_rest)
    return {
        "AddPermission": topics.add_permission,
        "ConfirmSubscription": subscriptions.confirm_subscription,
        "CreateTopic": topics.create_topic,
        "DeleteTopic": topics.delete_topic,
        "GetSubscriptionAttributes": subscriptions.get_subscription_attributes,
        "GetTopicAttributes": topics.get_topic_attributes,
        "ListSubscriptions": subscriptions.list_subscriptions,
        "ListSubscriptionsByTopic": subscriptions.list_subscriptions_by_topic,
        "ListTagsForResource": topics.list_tags_for_resource,
        "ListTopics": topics.list_topics,
        "Publish": publishing.publish,
        "PublishBatch": publishing.publish_batch,
        "RemovePermission": topics.remove_permission,
        "SetSubscriptionAttributes": subscriptions.set_subscription_attributes,
        "SetTopicAttributes": topics.set_topic_attributes,
        "Subscribe": subscriptions.subscribe,
        "TagResource": topics.tag_resource,
        "Unsubscribe": subscriptions.unsubscribe,
        "UntagResource": topics.untag_resource,
    }
