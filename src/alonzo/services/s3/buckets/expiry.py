"""Carries lifecycle configurations out: deletes what has expired, and uploads nobody completed.

A pass over a bucket reads it page by page and deletes in units of work of a page each, so that
requests get their turn. Every deletion looks again whether the version is still what was judged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from alonzo.lib.periodic import every
from alonzo.services.s3.bucket_rows import try_find_bucket
from alonzo.services.s3.buckets.asking import document_of
from alonzo.services.s3.buckets.lifecycle_judging import Judge, is_abandoned
from alonzo.services.s3.buckets.lifecycle_rules import Rule, in_force
from alonzo.services.s3.buckets.lists import every_version
from alonzo.services.s3.buckets.pages import Cursor
from alonzo.services.s3.buckets.records import Q
from alonzo.services.s3.buckets.settings import LIFECYCLE
from alonzo.services.s3.changes import Cause, Changes
from alonzo.services.s3.directory import Directory
from alonzo.services.s3.objects import rows
from alonzo.services.s3.objects.changing import abort_upload, delete_object
from alonzo.services.s3.objects.core import Core
from alonzo.services.s3.records import Bucket, ObjectVersion
from alonzo.store.base import Connection, StoreError

log = logging.getLogger("alonzo.s3")

#: Pause between two passes over all buckets. AWS makes one a day.
PASS_INTERVAL_S = 3600.0
_PAGE = 500


class Expiry:
    """Deletes what has expired."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changes = _Renamed(core.changes)
        self._nudged = asyncio.Event()
        self._due: set[int] = set()

    def nudge(self, bucket: Bucket) -> None:
        """Have a pass over one bucket made now: its configuration has changed."""
        self._due.add(bucket.id)
        self._nudged.set()

    async def run(self) -> None:
        """Make passes until cancelled: over all buckets, and over those that are nudged."""
        await every(
            PASS_INTERVAL_S,
            self._pass_due,
            on_error=partial(log.exception, "s3.not_expired"),
            nudged=self._nudged,
        )

    async def _pass_due(self) -> None:
        directory: Directory = self._core.directory
        due, self._due = self._due, set()
        buckets = [directory.of_id_nowait(each) for each in due] or [*directory.every_nowait()]
        for bucket in buckets:
            if bucket is not None and LIFECYCLE in bucket.documents:
                await self._pass(bucket)

    async def _pass(self, bucket: Bucket) -> None:
        try:
            await self.expire(bucket)
        except StoreError:
            log.exception("s3.not_expired", extra={"bucket": bucket.name})

    async def expire(self, bucket: Bucket) -> int:
        """One pass over a bucket; answers how many versions and uploads it ended."""
        kept: dict[str, Any] = document_of(bucket, LIFECYCLE) or {"Rules": []}
        rules = in_force(kept["Rules"])
        if not rules:
            return 0
        ended = await self._end_versions(bucket, rules) + await self._end_uploads(bucket, rules)
        if ended:
            self._core.vault.nudge()
            log.info("s3.expired", extra={"bucket": bucket.name, "count": ended})
        return ended

    async def _end_versions(self, bucket: Bucket, rules: Sequence[Rule]) -> int:
        prefix = _shared([rule.filter.prefix for rule in rules])
        judge, cursor, ended = Judge(rules, self._core.clock.now_s()), Cursor(prefix), 0
        while True:
            page = await self._core.store.read(
                lambda conn, at=cursor: every_version(conn, bucket.id, prefix, at, _PAGE)
            )
            over = [each for version in page for each in judge.look(version)]
            if len(page) < _PAGE:
                over += judge.finish()
            if over:
                ended += await self._core.store.tx(
                    lambda conn, over=over: self._end(conn, bucket, over)
                )
            if len(page) < _PAGE:
                return ended
            cursor = Cursor(page[-1].key, page[-1].id)

    def _end(self, conn: Connection, bucket: Bucket, over: Sequence[ObjectVersion]) -> int:
        now = try_find_bucket(conn, bucket.id)
        if now is None:
            return 0
        cause = Cause("", "", "", self._core.clock.now_s())
        ended = 0
        for version in over:
            found = rows.try_version(conn, now.id, version.key, version.version_id)
            if found is None or (found.id, found.is_latest) != (version.id, version.is_latest):
                continue
            # A current version is deleted as by a request; markers and older ones for good.
            is_current = version.is_latest and not version.is_delete_marker
            delete_object(
                conn,
                now,
                version.key,
                None if is_current else version.version_id,
                changes=self._changes,
                cause=cause,
                new_version_id=self._core.new_version_id,
            )
            ended += 1
        return ended

    async def _end_uploads(self, bucket: Bucket, rules: Sequence[Rule]) -> int:
        if all(rule.abort_days is None for rule in rules):
            return 0
        after, ended = 0, 0
        now_s = self._core.clock.now_s()
        while True:
            page = await self._core.store.read(
                lambda conn, after=after: conn.all(
                    Q.uploads_after, {"bucket_id": bucket.id, "after": after, "limit": _PAGE}
                )
            )
            over = [
                row["upload_id"]
                for row in page
                if is_abandoned(rules, row["object_key"], row["started_at_s"], now_s)
            ]
            if over:
                ended += await self._core.store.tx(lambda conn, over=over: _abort(conn, over))
            if len(page) < _PAGE:
                return ended
            after = page[-1]["id"]


def _shared(texts: Sequence[str]) -> str:
    """What all of them begin with."""
    least, most = min(texts), max(texts)
    at = next((at for at, char in enumerate(least) if char != most[at : at + 1]), len(least))
    return least[:at]


def _abort(conn: Connection, upload_ids: Sequence[str]) -> int:
    found = [rows.try_upload(conn, each) for each in upload_ids]
    for upload in found:
        if upload is not None:
            abort_upload(conn, upload)
    return len(found)


class _Renamed:
    """Notes deletions as what they are here."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def note(
        self,
        conn: Connection,
        bucket: Bucket,
        event_name: str,
        version: ObjectVersion,
        cause: Cause,
    ) -> None:
        """As ``Changes.note``."""
        renamed = event_name.replace("ObjectRemoved:", "LifecycleExpiration:")
        self._changes.note(conn, bucket, renamed, version, cause)
