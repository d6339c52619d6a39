"""Deployment packages on their way in: checked, then kept as a blob that can be found again.

The order matters. A package is noted in ``code_package`` before its blob is written, and a version
refers to it after; whatever breaks off in between leaves a note that the sweeper follows.
"""

from __future__ import annotations

import asyncio
import hashlib

from alonzo.control import records
from alonzo.control.records import Code
from alonzo.control.settings import ControlSettings
from alonzo.lib import faults, zips
from alonzo.lib.clock import Clock
from alonzo.lib.zips import ZipError, ZipFault
from alonzo.model.errors import AwsError, PlatformError, invalid_parameter
from alonzo.store.base import Connection, Store
from alonzo.store.blobs import BlobStore

#: Packages that are inspected at once. Each keeps one core busy for up to a second.
INSPECTIONS_MAX = 2
#: How long to wait for a blob that is just being deleted, and how often to look, in seconds.
COLLECTING_S_MAX = 10.0
COLLECTING_POLL_S = 0.05

_COULD_NOT_UNZIP = "Could not unzip uploaded file"


class Packages:
    """Takes packages in."""

    def __init__(
        self, store: Store, blobs: BlobStore, *, clock: Clock, settings: ControlSettings
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._settings = settings
        self._inspections = asyncio.Semaphore(INSPECTIONS_MAX)

    async def inspect(self, data: bytes) -> Code:
        """Check a package, and keep nothing.

        Raises:
            AwsError: RequestEntityTooLargeException, or InvalidParameterValueException for
                whatever is wrong inside.
        """
        settings = self._settings
        check_zipped_size(len(data), settings.zip_bytes_max)
        async with self._inspections:
            return await asyncio.to_thread(_inspect, data, settings)

    async def keep(self, data: bytes, code: Code) -> None:
        """Write a package's blob, unless it exists. No version refers to it yet.

        Raises:
            PlatformError: the same blob has been in deletion for too long.
        """
        try:
            async with asyncio.timeout(COLLECTING_S_MAX):
                # The sweep may be another process's, so only the store can tell.
                while not await self._reserve(code.sha256):  # noqa: ASYNC110 - see above
                    await asyncio.sleep(COLLECTING_POLL_S)
        except TimeoutError as error:
            raise PlatformError(f"the package {code.sha256} stays in deletion") from error
        await faults.reach("control.before_blob")
        await self._blobs.put(data)
        await faults.reach("control.after_blob")

    async def _reserve(self, sha256: str) -> bool:
        return await self._store.tx(
            lambda db: records.reserve_package(db, sha256, now_s=self._clock.now_s())
        )

    def rely_on(self, db: Connection, sha256: str) -> None:
        """Within the unit that makes a version refer to the blob: hold it to what ``keep`` noted.

        Raises:
            PlatformError: the blob has been collected since, after an hour in ``keep``'s hands.
        """
        if not records.touch_package(db, sha256, now_s=self._clock.now_s()):
            raise PlatformError(f"the package {sha256} was collected before it was used")


def check_zipped_size(zipped_bytes: int, bytes_max: int) -> None:
    """Refuse a package that is too large as it came.

    Raises:
        AwsError: RequestEntityTooLargeException (413), which the service model does not know.
    """
    if zipped_bytes > bytes_max:
        raise AwsError(
            "RequestEntityTooLargeException",
            f"Zipped size must be smaller than {bytes_max} bytes",
            status=413,
        )


def refusal(error: ZipError, settings: ControlSettings) -> AwsError:
    """What a client is told of a package that cannot be taken.

    AWS's own texts for the first three. Those of an unsafe package are ours: they name the entry.
    """
    texts = {
        ZipFault.UNREADABLE: f"{_COULD_NOT_UNZIP}. Please check your file, then try to upload "
        "again.",
        ZipFault.TOO_LARGE: "Unzipped size must be smaller than "
        f"{settings.unzipped_bytes_max} bytes",
        ZipFault.EMPTY: "Uploaded file must be a non-empty zip",
        ZipFault.UNSAFE: f"{_COULD_NOT_UNZIP}: {error.text}.",
    }
    return invalid_parameter(texts[error.fault])


def _inspect(data: bytes, settings: ControlSettings) -> Code:
    try:
        facts = zips.inspect(
            data,
            unzipped_bytes_max=settings.unzipped_bytes_max,
            entries_max=settings.package_entries_max,
        )
    except ZipError as error:
        raise refusal(error, settings) from error
    return Code(hashlib.sha256(data).hexdigest(), len(data), facts.unzipped_bytes)
