"""Tells those who subscribed to a bucket what happened in it.

What is to be told is stored by the commit of what it tells of, and delivered from the outbox: to
functions through Lambda's own queue, to queues and topics by their operations, each time as S3 and
on the bucket's behalf. A destination that does not let S3 in hears nothing; one that fails is tried
again for a day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from alonzo.lib.clock import Clock, utc
from alonzo.lib.ids import IdSource
from alonzo.model.deliveries import ServiceCall, ServiceCalls, ServiceUse
from alonzo.model.errors import AwsError
from alonzo.services.s3.bucket_rows import next_number
from alonzo.services.s3.buckets.asking import document_of
from alonzo.services.s3.buckets.settings import NOTIFICATIONS
from alonzo.services.s3.changes import Cause
from alonzo.services.s3.notifications import events
from alonzo.services.s3.notifications.rules import Wishes, wishes_of
from alonzo.services.s3.records import Bucket, ObjectVersion
from alonzo.store.base import Connection, Store
from alonzo.store.outbox import Again, GivenUp, NewParcel, Outbox, Parcel

SERVICE = "s3.amazonaws.com"

#: For how long a delivery is tried, and the waits between; in seconds. They are ours.
GIVE_UP_S = 24 * 3600.0
_RETRY_S_MAX = 300.0

#: Refusals that may pass; all others are for good.
_PASSING = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "RequestThrottled",
        "ServiceException",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
#: Configurations that are kept ready.
_READY_MAX = 1024
_BRIDGE = "events"
#: Longer ones, which no SDK makes, are not handed on.
_TRACE_CHARS_MAX = 2048


class Notifier:
    """Implements ``changes.Changes``, and carries what it noted."""

    def __init__(self, store: Store, calls: ServiceCalls, *, clock: Clock, ids: IdSource) -> None:
        self._calls = calls
        self._ids = ids
        self._outbox = Outbox(store, clock, "s3")
        self._ready: dict[int, tuple[int, Wishes]] = {}

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._outbox.run(self)

    def note(
        self,
        conn: Connection,
        bucket: Bucket,
        event_name: str,
        version: ObjectVersion,
        cause: Cause,
    ) -> None:
        """Put what subscribers are to hear into the outbox: part of the change's unit of work."""
        if NOTIFICATIONS not in bucket.documents:
            return
        wishes = self._wishes(bucket)
        wanted = [each for each in wishes.subscriptions if each.wants(event_name, version.key)]
        if not wanted and not wishes.bridge:
            return
        # It grows with every change, and so orders those of one key.
        sequencer = f"{next_number(conn):018X}"
        parcels = [
            NewParcel(
                each.arn,
                about_of(each.kind, each.arn, bucket, cause.trace_header),
                events.records(
                    bucket,
                    event_name,
                    version,
                    cause,
                    sequencer=sequencer,
                    configuration_id=each.id,
                ),
            )
            for each in wanted
        ]
        entry = events.bridged(bucket, event_name, version, cause, sequencer)
        if wishes.bridge and entry is not None and self._calls.offers(_BRIDGE):
            document = json.dumps(entry).encode()
            about = about_of(_BRIDGE, "", bucket, cause.trace_header)
            parcels.append(NewParcel(f"{_BRIDGE} {bucket.name}", about, document))
        self._outbox.add(conn, parcels)

    async def carry(self, parcel: Parcel) -> None:
        """Hand one over; the target has it durably when this returns, perhaps twice.

        Raises:
            AwsError: it is refused.
        """
        about = parcel.about
        await self.deliver(
            about["kind"], about["arn"], parcel.document, self.use(about, self._ids.uuid())
        )

    def after_failure(self, parcel: Parcel, error: Exception, now_s: float) -> Again | GivenUp:
        """Try again what may pass, longer and longer; give up the rest."""
        if isinstance(error, AwsError) and error.code not in _PASSING:
            return GivenUp()
        if now_s >= parcel.accepted_at_s + GIVE_UP_S:
            return GivenUp()
        return Again(now_s + min(2.0 ** min(parcel.attempts, 16), _RETRY_S_MAX))

    async def deliver(self, kind: str, arn: str, document: bytes, use: ServiceUse) -> None:
        """One delivery.

        Raises:
            AwsError: it is refused.
        """
        if kind == "lambda":
            await self._calls.invoke(arn, document, use)
            return
        if not self._calls.offers(kind):
            raise AwsError("NotImplemented", f"There is no {kind} here.", status=501)
        answer = await self._calls.call(_call(kind, arn, document), use)
        for entry in (answer or {}).get("Entries") or ():
            if entry.get("ErrorCode"):
                raise AwsError(entry["ErrorCode"], entry.get("ErrorMessage") or "")

    @staticmethod
    def use(about: Mapping[str, Any], request_id: str) -> ServiceUse:
        """On whose behalf a delivery is made: the bucket's. ``about`` is a parcel's."""
        return ServiceUse(
            SERVICE,
            about["source"],
            about["account"],
            about["region"],
            request_id,
            about.get("trace"),
        )

    def _wishes(self, bucket: Bucket) -> Wishes:
        revision, wishes = self._ready.get(bucket.id, (0, Wishes()))
        if revision != bucket.revision:
            wishes = wishes_of(document_of(bucket, NOTIFICATIONS) or {})
            if len(self._ready) >= _READY_MAX:
                self._ready.clear()
            self._ready[bucket.id] = (bucket.revision, wishes)
        return wishes


def about_of(kind: str, arn: str, bucket: Bucket, trace: str | None = None) -> dict[str, str]:
    """What the carrier has to know of a parcel. ``trace`` is a header; an endless one is left."""
    known = {"trace": trace} if trace and len(trace) <= _TRACE_CHARS_MAX else {}
    return {
        **known,
        "kind": kind,
        "arn": arn,
        "source": bucket.arn,
        "account": bucket.account,
        "region": bucket.region,
    }


def _call(kind: str, arn: str, document: bytes) -> ServiceCall:
    if kind == _BRIDGE:
        entry = json.loads(document)
        entry["Time"] = utc(entry["Time"])
        return ServiceCall("events", "PutEvents", {"Entries": [entry]})
    text = document.decode("utf-8", "surrogatepass")
    if kind == "sns":
        params = {"TopicArn": arn, "Message": text, "Subject": events.SUBJECT}
        return ServiceCall("sns", "Publish", params)
    _, _, _, region, account, name = arn.split(":", 5)
    url = f"https://sqs.{region}.amazonaws.com/{account}/{name}"
    return ServiceCall("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": text})
