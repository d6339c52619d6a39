"""S3 put together, its own work, and how Lambda reads packages from it."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.access import AccessRules
from alonzo.model.context import RequestContext
from alonzo.model.deliveries import ServiceCalls
from alonzo.model.errors import AwsError
from alonzo.model.ports.code import ObjectError
from alonzo.model.ports.identity import Authorizer, Encryption, Judge, ResourcePolicies
from alonzo.model.ports.operations import Operations
from alonzo.services.s3 import access as s3_access
from alonzo.services.s3 import api as s3_api
from alonzo.services.s3.api import Buckets
from alonzo.services.s3.front import Front
from alonzo.services.s3.objects.api import OBJECT_THREADS
from alonzo.store.base import Store
from alonzo.store.blobs import BlobMissingError, BlobStore


class _Guard(Authorizer, Judge, Protocol):
    """Decides calls as a whole, and single accesses."""


class StorageServices:
    """The parts of the service."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        calls: ServiceCalls,
        authorizer: _Guard,
        *,
        encryption: Encryption,
        secrets: tuple[bytes, bytes],
        clock: Clock,
        ids: IdSource,
    ) -> None:
        """``folder`` is for objects alone.

        ``secrets``, of 32 bytes each, seal the large ones there and the small ones in the store.
        """
        large, small = secrets
        self._blobs = blobs = BlobStore(folder, large, threads=OBJECT_THREADS)
        self.buckets = Buckets(
            store, blobs, calls, encryption=encryption, key=small, clock=clock, ids=ids
        )
        self.buckets.permits.connect(authorizer)
        self.packages = Packages(self.buckets, authorizer)
        #: What the edge asks before it knows who calls.
        self.front = Front(self.buckets.directory)
        #: Resource-based policies, by the name of the service in ARNs.
        self.policies: Mapping[str, ResourcePolicies] = {"s3": self.buckets.policies}

    def operations(self) -> Mapping[str, Operations]:
        """The operations of each service."""
        return {"s3": s3_api.operations(self.buckets)}

    def access(self) -> Mapping[str, AccessRules]:
        """What the operations of each service need to be allowed."""
        return {"s3": s3_access.access_rules(self.buckets.directory)}

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

    def __init__(self, buckets: Buckets, authorizer: Authorizer) -> None:
        self._buckets = buckets
        self._authorizer = authorizer

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, *, bytes_max: int
    ) -> bytes:
        """The whole object, or that version of it, if the caller may read it.

        Raises:
            ObjectError: S3 refuses.
        """
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
