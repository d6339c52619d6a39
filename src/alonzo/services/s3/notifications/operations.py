"""The operations on notification configurations."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.errors import AwsError
from alonzo.services.s3.buckets.asking import Params, bucket_of, document_of, part
from alonzo.services.s3.buckets.configuring import store_document
from alonzo.services.s3.buckets.settings import NOTIFICATIONS
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.notifications.events import test_event
from alonzo.services.s3.notifications.notifier import Notifier, about_of
from alonzo.services.s3.notifications.rules import (
    Subscription,
    checked,
    unreachable,
    wishes_of,
)
from alonzo.services.s3.records import Bucket


class NotificationOperations:
    """Put- and GetBucketNotificationConfiguration."""

    def __init__(
        self,
        directory: Directory,
        notifier: Notifier,
        calls: ServiceCalls,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._directory = directory
        self._notifier = notifier
        self._calls = calls
        self._clock = clock
        self._ids = ids

    async def put(self, context: RequestContext, params: Params) -> None:
        """Replace the configuration, once every destination lets S3 in."""
        bucket = bucket_of(self._directory, params)
        given = part(params, "NotificationConfiguration")
        kept = checked(given, self._ids.uuid, bucket.region)
        if not params.get("SkipDestinationValidation"):
            subscriptions = wishes_of(kept).subscriptions
            by_arn = {each.arn: each for each in subscriptions}.values()
            async with asyncio.TaskGroup() as group:
                tries = [group.create_task(self._reaches(context, bucket, e)) for e in by_arn]
            if not all(each.result() for each in tries):
                raise unreachable()
        text = json.dumps(kept) if kept else None
        await store_document(self._directory, bucket, NOTIFICATIONS, text)

    async def get(self, context: RequestContext, params: Params) -> dict[str, Any]:
        """The configuration; nothing where there is none."""
        bucket = bucket_of(self._directory, params)
        return document_of(bucket, NOTIFICATIONS) or {}

    async def _reaches(
        self, context: RequestContext, bucket: Bucket, subscription: Subscription
    ) -> bool:
        """Whether a destination lets S3 in: queues and topics get a test event to find out."""
        use = self._notifier.use(
            about_of(subscription.kind, subscription.arn, bucket), self._ids.uuid()
        )
        try:
            if subscription.kind == "lambda":
                await self._calls.check_invoke(subscription.arn, use)
                return True
            document = test_event(bucket, context.request_id, self._clock.now_s())
            await self._notifier.deliver(subscription.kind, subscription.arn, document, use)
        except AwsError:
            return False
        return True
