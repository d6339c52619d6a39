"""SQS and SNS put together: what they share, and their own work."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from alonzo.daemon.topic_links import TopicLinks
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.access import AccessRules
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.ports.identity import Encryption, ResourcePolicies
from alonzo.model.ports.operations import Operations
from alonzo.services.sns import access as sns_access
from alonzo.services.sns import api as sns_api
from alonzo.services.sns.api import Topics
from alonzo.services.sqs import access as sqs_access
from alonzo.services.sqs import api as sqs_api
from alonzo.services.sqs.api import Queues
from alonzo.store.base import Store


class MessagingServices:
    """The parts of the services."""

    def __init__(
        self,
        store: Store,
        encryption: Encryption,
        calls: ServiceCalls,
        *,
        key_file: Path,
        own_url: Callable[[], str],
        clock: Clock,
        ids: IdSource,
    ) -> None:
        """``key_file`` is for the key that signs what topics send.

        ``own_url`` answers where the platform listens.
        """
        self.queues = Queues(store, encryption, clock=clock, ids=ids)
        self.topics = Topics(
            store, calls, encryption, key_file, clock=clock, ids=ids, own_url=own_url
        )
        self.topic_links = TopicLinks(self.topics, ids)
        #: Resource-based policies, by the name of the service in ARNs.
        self.policies: Mapping[str, ResourcePolicies] = {
            "sqs": self.queues.directory,
            "sns": self.topics.directory,
        }

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        return {"sqs": sqs_api.operations(self.queues), "sns": sns_api.operations(self.topics)}

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        return {
            "sqs": sqs_access.access_rules(self.queues.directory),
            "sns": sns_access.access_rules(),
        }

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.queues.open()
        await self.topics.open()

    def end_waits(self) -> None:
        """Answer the requests that wait for messages: the platform stops."""
        self.queues.end_waits()

    def close(self) -> None:
        """Stop listening to changes."""
        self.topics.close()
        self.queues.close()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {**self.queues.work(), **self.topics.work()}
