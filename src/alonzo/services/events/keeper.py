"""Deletes archived events that are older than their archive keeps them."""

from __future__ import annotations

import asyncio
import logging

from alonzo.services.events.directory import Directory
from alonzo.services.events.limits import EXPIRED_MAX
from alonzo.services.events.records import Q
from alonzo.store.base import StoreError

log = logging.getLogger("alonzo.events")

_EVERY_S = 3600.0
_DAY_S = 86_400.0


class Keeper:
    """Looks once an hour."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def run(self) -> None:
        """Delete until cancelled."""
        while True:
            try:
                await self.tidy()
            except StoreError:
                log.exception("events.archive_not_tidied")
            await asyncio.sleep(_EVERY_S)

    async def tidy(self) -> None:
        """Delete what is too old, some events at a time."""
        store, clock = self._directory.store, self._directory.clock
        for archive in self._directory.every_archive():
            if not archive.retention_days:
                continue
            values = {
                "archive_arn": archive.arn,
                "before_s": clock.now_s() - archive.retention_days * _DAY_S,
                "limit": EXPIRED_MAX,
            }
            while await store.tx(lambda db, values=values: db.execute(Q.expire, values)):
                pass
