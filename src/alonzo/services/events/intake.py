"""Events that come to buses, stored with all that becomes of them in one commit."""

from __future__ import annotations

from collections.abc import Sequence

from alonzo.services.events.directory import Directory
from alonzo.services.events.records import Q
from alonzo.services.events.routing import Arrival, Routed, route
from alonzo.services.events.sized import run_sized
from alonzo.store.base import Connection
from alonzo.store.outbox import Outbox


class Intake:
    """Takes events. Durable when it returns."""

    def __init__(self, directory: Directory, outbox: Outbox) -> None:
        self._directory = directory
        self._outbox = outbox

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Take events in, all or none; those that nothing is to become of need no commit.

        Raises:
            StoreError: they were not taken.
            AwsError: ThrottlingException: all their targets are to get too much.
        """
        n_bytes = sum(len(each.text) for each in arrivals)
        routed = await run_sized(n_bytes, lambda: route(self._directory, arrivals))
        if routed.parcels or routed.kept:
            await self._directory.store.tx(lambda db: self.store(db, routed))

    def store(self, db: Connection, routed: Routed) -> None:
        """Put everything on its way: part of a unit of work."""
        self._outbox.add(db, routed.parcels)
        now_s = self._directory.clock.now_s()
        for each in routed.kept:
            db.execute(
                Q.archive_event,
                {
                    "archive_arn": each.archive_arn,
                    "event_at_s": each.event_at_s,
                    "archived_at_s": now_s,
                    "document": each.document,
                },
            )
