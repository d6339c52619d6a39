"""S3 put together, its own work, and how Lambda reads packages from it."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.errors import AwsError
from alonzo.model.ports.code import ObjectError
from alonzo.model.ports.identity import Authorizer, Encryption, Judge, ResourcePolicies
from alonzo.services.s3.api import Buckets
from alonzo.services.s3.front import Front
from alonzo.store.base import Store
from alonzo.store.blobs import BlobMissingError, BlobStore


class _Guard(Authorizer, Judge, Protocol):
    """Decides calls as a whole, and single accesses."""


class StorageServices:
    """The parts of the service."""

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
        """``blobs`` are for objects alone; ``key``, 32 secret bytes, seals the small ones."""
        self._blobs = blobs
        self.buckets = Buckets(
            store, blobs, calls, encryption=encryption, key=key, clock=clock, ids=ids
        )
        self.packages = Packages(self.buckets)
        #: What the edge asks before it knows who calls.
        self.front = Front(self.buckets.directory)
        #: Resource-based policies, by the name of the service in ARNs.
        self.policies: Mapping[str, ResourcePolicies] = {"s3": self.buckets.policies}

    def connect(self, authorizer: _Guard) -> None:
        """From now on callers may be asked for their permissions."""
        self.packages.connect(authorizer)
        self.buckets.permits.connect(authorizer)

    async def open(self) -> None:
        """Read what is kept in memory, before the first request."""
        await self.buckets.open()

    def end_waits(self) -> None:
        """No request waits."""

    def close(self) -> None:
        """What listens to the store ends with the work; the threads end here."""
        self._blobs.close()

    def work(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What is to run all the time, by name."""
        return self.buckets.work()


class Packages:
    """Reads packages of functions and layers. Implements ``ports.ObjectReader``."""

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._authorizer: Authorizer | None = None

    def connect(self, authorizer: Authorizer) -> None:
        """From now on callers may be asked for their permissions."""
        self._authorizer = authorizer

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, *, bytes_max: int
    ) -> bytes:
        """The whole object, or that version of it, if the caller may read it.

        Raises:
            ObjectError: S3 refuses.
        """
        assert self._authorizer is not None
        params = {"Bucket": bucket, "Key": key}
        if version is not None:
            params["VersionId"] = version
        try:
            await self._authorizer.authorize(context, "s3", "GetObject", params)
            found = self._buckets.directory.find_nowait(bucket)
            if found.region != context.region:
                raise ObjectError(
                    "PermanentRedirect",
                    f"The bucket is in this region: {found.region}. Please use this region to "
                    "retry the request",
                )
            _, stream = await self._buckets.objects.reads.read(context, found, key, version)
        except AwsError as error:
            raise ObjectError(error.code, error.message) from error
        content = bytearray()
        try:
            async for piece in stream:
                content += piece
                if len(content) > bytes_max:
                    break
        except BlobMissingError:
            # Deleted since it was found.
            raise ObjectError("NoSuchKey", "The specified key does not exist.") from None
        finally:
            await stream.aclose()
        return bytes(content[: bytes_max + 1])
