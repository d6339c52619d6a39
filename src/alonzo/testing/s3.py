"""S3 behind a real listener, on a real store, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, cast

from alonzo.edge.app import EdgeApp
from alonzo.edge.server import EdgeServer, ServerLimits
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.context import Principal
from alonzo.model.ports.identity import AccessKey, Encryption
from alonzo.model.ports.invoking import Invoker
from alonzo.services.s3 import bucket_rows
from alonzo.services.s3.changes import NobodyListens
from alonzo.services.s3.directory import Directory, Unit
from alonzo.services.s3.objects import api
from alonzo.services.s3.objects.api import OBJECT_THREADS, Objects
from alonzo.store.blobs import BlobStore
from alonzo.store.sqlite import SqliteStore

ACCOUNT = "000000000000"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKID", True)


class _Keys:
    def find(self, access_key_id: str, session_token: str | None) -> AccessKey | None:
        return AccessKey("AKID", "secret", ROOT) if access_key_id == "AKID" else None


class _Front:
    """The buckets as the edge sees them; nobody may come from another site."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def exists_nowait(self, name: str) -> bool:
        return self._directory.try_find_nowait(name) is not None

    def preflight_nowait(self, name: str, origin: str, method: str, headers: Sequence[str]) -> None:
        return None

    def cross_origin_nowait(self, name: str, origin: str, method: str) -> dict[str, str]:
        return {}


class S3Rig:
    """The objects of S3, on a folder that outlives it."""

    def __init__(
        self,
        store: SqliteStore,
        folder: Path,
        auth: Literal["sigv4", "off"],
        limits: ServerLimits,
    ) -> None:
        clock, ids = SystemClock(), SystemIds()
        self.store = store
        self.blobs = folder / "objects"
        self.blob_store = BlobStore(self.blobs, b"b" * 32, threads=OBJECT_THREADS)
        self.directory = Directory(store)
        self.objects = Objects(
            store,
            self.blob_store,
            self.directory,
            NobodyListens(),
            encryption=cast("Encryption", None),
            key=b"k" * 32,
            clock=clock,
            ids=ids,
        )
        app = EdgeApp(
            operations={"s3": api.operations(self.objects)},
            invoker=cast("Invoker", None),
            keys=_Keys(),
            clock=clock,
            ids=ids,
            account=ACCOUNT,
            auth=auth,
            buckets=_Front(self.directory),
        )
        self.server = EdgeServer(app, limits=limits)
        self.port = 0

    async def make_bucket(self, name: str, *, versioning: str = "") -> None:
        """A bucket, without the operation."""

        def make(unit: Unit) -> None:
            made = bucket_rows.insert_bucket(unit.conn, name, ACCOUNT, "us-east-1", {}, 0.0)
            if versioning:
                bucket_rows.save_bucket(unit.conn, made, versioning, {})
            unit.touch(made)

        await self.directory.change(make)

    def blob_count(self) -> int:
        """Files of blobs that there are, finished or not."""
        return sum(1 for path in self.blobs.iterdir() if path.name != "key-check")


@asynccontextmanager
async def open_s3(
    folder: Path,
    *,
    auth: Literal["sigv4", "off"] = "sigv4",
    working: bool = True,
    limits: ServerLimits | None = None,
) -> AsyncGenerator[S3Rig]:
    """S3 below ``folder``, listening on a port of its own. Unless ``working`` nothing is swept."""
    store = await SqliteStore.open(folder / "alonzo.db", clock=SystemClock())
    try:
        rig = S3Rig(store, folder, auth, limits or ServerLimits())
        await rig.directory.open()
        await rig.objects.open()
        rig.port = await rig.server.start("127.0.0.1", 0)
        try:
            async with TaskScope() as scope:
                if working:
                    for name, work in rig.objects.work().items():
                        scope.spawn(work, name=name)
                yield rig
        finally:
            await rig.server.stop(2)
            rig.blob_store.close()
    finally:
        await store.close()
