"""Amazon S3 as a service: its parts put together, and its operations."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.ports.identity import Encryption
from alonzo.model.ports.operations import Operations
from alonzo.services.s3.buckets.configuring import Configuring
from alonzo.services.s3.buckets.expiry import Expiry
from alonzo.services.s3.buckets.lists import ListOperations
from alonzo.services.s3.buckets.operations import BucketOperations
from alonzo.services.s3.buckets.policy_operations import PolicyOperations
from alonzo.services.s3.buckets.standing import BucketPolicies
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.notifications.notifier import Notifier
from alonzo.services.s3.notifications.operations import NotificationOperations
from alonzo.services.s3.objects import api as objects_api
from alonzo.services.s3.objects.api import Objects
from alonzo.services.s3.permits import Permits
from alonzo.store.base import Store
from alonzo.store.blobs import BlobStore


class Buckets:
    """The parts of S3: buckets, what is in them, and the work on both."""

    def __init__(
        self,
        store: Store,
        blobs: BlobStore,
        calls: ServiceCalls,
        *,
        encryption: Encryption,
        key: bytes,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        """``blobs`` are for S3 alone; ``key``, 32 secret bytes, seals small objects."""
        self.calls = calls
        self.clock = clock
        self.ids = ids
        self.store = store
        self.directory = Directory(store)
        self.policies = BucketPolicies(self.directory)
        self.notifier = Notifier(store, calls, clock=clock, ids=ids)
        self.permits = Permits()
        self.objects = Objects(
            store,
            blobs,
            self.directory,
            self.notifier,
            encryption=encryption,
            key=key,
            clock=clock,
            ids=ids,
            permits=self.permits,
        )
        self.expiry = Expiry(self.objects.core)

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.directory.open()
        await self.objects.open()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return {
            **self.objects.work(),
            "bucket notifications": self.notifier.run(),
            "expired objects": self.expiry.run(),
        }


def operations(buckets: Buckets) -> Operations:
    """The operations of S3."""
    directory = buckets.directory
    on_buckets = BucketOperations(
        directory, clock=buckets.clock, released=buckets.objects.vault.nudge
    )
    lists = ListOperations(directory, buckets.store)
    policies = PolicyOperations(directory)
    notifications = NotificationOperations(
        directory, buckets.notifier, buckets.calls, clock=buckets.clock, ids=buckets.ids
    )
    return {
        **objects_api.operations(buckets.objects),
        **Configuring(directory, buckets.expiry.nudge).operations(),
        "CreateBucket": on_buckets.create_bucket,
        "DeleteBucket": on_buckets.delete_bucket,
        "DeleteBucketPolicy": policies.delete_bucket_policy,
        "GetBucketLocation": on_buckets.get_bucket_location,
        "GetBucketNotificationConfiguration": notifications.get,
        "GetBucketPolicy": policies.get_bucket_policy,
        "GetBucketPolicyStatus": policies.get_bucket_policy_status,
        "GetBucketVersioning": on_buckets.get_bucket_versioning,
        "HeadBucket": on_buckets.head_bucket,
        "ListBuckets": on_buckets.list_buckets,
        "ListObjectVersions": lists.list_object_versions,
        "ListObjects": lists.list_objects,
        "ListObjectsV2": lists.list_objects_v2,
        "PutBucketNotificationConfiguration": notifications.put,
        "PutBucketPolicy": policies.put_bucket_policy,
        "PutBucketVersioning": on_buckets.put_bucket_versioning,
    }
