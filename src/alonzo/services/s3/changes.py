"""What happened to objects, for whoever subscribed to a bucket's events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from alonzo.services.s3.records import Bucket, ObjectVersion
from alonzo.store.base import Connection


@dataclass(frozen=True, slots=True)
class Cause:
    """Who or what changed an object: what a notification says of the request.

    ``principal_id`` is the caller's unique id, with its account's for a session. ``source_ip`` and
    ``request_id`` are the request's; they are empty where the platform acts (lifecycle).
    ``trace_header`` is the caller's ``X-Amzn-Trace-Id``, which functions hand on: a function that
    a bucket calls, and that writes into it, is found out by it.
    """

    principal_id: str
    source_ip: str
    request_id: str
    at_s: float
    trace_header: str | None = None


class Changes(Protocol):
    """Takes note of each change of an object, in the unit of work that makes it."""

    def note(
        self,
        conn: Connection,
        bucket: Bucket,
        event_name: str,
        version: ObjectVersion,
        cause: Cause,
    ) -> None:
        """``event_name`` is S3's, without ``s3:`` (``ObjectCreated:Put``).

        ``version`` is what is there now, or, for ``ObjectRemoved:Delete``, what was deleted.
        """
        ...


class NobodyListens:
    """Where no bucket has notifications."""

    def note(
        self,
        conn: Connection,
        bucket: Bucket,
        event_name: str,
        version: ObjectVersion,
        cause: Cause,
    ) -> None:
        """Nothing is done."""
