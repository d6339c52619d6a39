"""Every bucket of the platform, in memory, with the store as the truth.

So an object finds its bucket without a query. Whoever changes a bucket does it through ``change``:
when that returns, every later request sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from alonzo.services.s3 import bucket_rows
from alonzo.services.s3.errors import no_bucket
from alonzo.services.s3.records import Bucket
from alonzo.store.base import Connection, Store

T = TypeVar("T")


class Unit:
    """A unit of work that changes buckets. ``touched`` are the ids of those."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.touched: set[int] = set()

    def touch(self, bucket_id: int) -> None:
        """Note that a bucket is made, changed or deleted."""
        self.touched.add(bucket_id)
        self.conn.publish(bucket_rows.CHANGES_TOPIC, str(bucket_id))

    def need(self, bucket: Bucket) -> Bucket:
        """The bucket as it is now, to be changed.

        Raises:
            AwsError: it was deleted since.
        """
        now = bucket_rows.try_find_bucket(self.conn, bucket.id)
        if now is None:
            raise no_bucket(bucket.name)
        self.touch(now.id)
        return now


class Directory:
    """The buckets of all accounts and regions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._buckets: dict[int, Bucket] = {}
        self._ids: dict[str, int] = {}
        #: Grows with every change.
        self.generation = 0

    async def open(self) -> None:
        """Read everything once, before the first request."""
        for bucket in await self._store.read(bucket_rows.every_bucket):
            self._apply(bucket.id, bucket)

    async def change(self, work: Callable[[Unit], T]) -> T:
        """Run a unit of work that changes buckets; all is in force when this returns."""

        def with_buckets(conn: Connection) -> tuple[T, dict[int, Bucket | None]]:
            unit = Unit(conn)
            result = work(unit)
            return result, {each: bucket_rows.try_find_bucket(conn, each) for each in unit.touched}

        result, changed = await self._store.tx(with_buckets)
        for bucket_id, bucket in changed.items():
            self._apply(bucket_id, bucket)
        return result

    def find_nowait(self, name: str) -> Bucket:
        """The bucket of that name.

        Raises:
            AwsError: NoSuchBucket.
        """
        bucket = self.try_find_nowait(name)
        if bucket is None:
            raise no_bucket(name)
        return bucket

    def try_find_nowait(self, name: str) -> Bucket | None:
        """The bucket of that name, or None."""
        bucket_id = self._ids.get(name)
        # Units of work ask too, on the store's thread: it may be gone by now.
        return None if bucket_id is None else self._buckets.get(bucket_id)

    def of_id_nowait(self, bucket_id: int) -> Bucket | None:
        """The bucket of that id, or None: it is deleted."""
        return self._buckets.get(bucket_id)

    def count(self) -> int:
        """How many buckets there are, of all accounts and regions."""
        return len(self._buckets)

    def of_account_nowait(self, account: str) -> list[Bucket]:
        """All buckets of an account, by name."""
        found = [bucket for bucket in self._buckets.values() if bucket.account == account]
        return sorted(found, key=lambda bucket: bucket.name)

    def every_nowait(self) -> list[Bucket]:
        """All buckets there are, as of now."""
        return list(self._buckets.values())

    def _apply(self, bucket_id: int, bucket: Bucket | None) -> None:
        old = self._buckets.get(bucket_id)
        if bucket is not None and old is not None and bucket.revision < old.revision:
            return
        self.generation += 1
        if old is not None:
            del self._buckets[bucket_id]
            if self._ids.get(old.name) == bucket_id:
                del self._ids[old.name]
        if bucket is not None:
            self._buckets[bucket_id] = bucket
            self._ids[bucket.name] = bucket_id
