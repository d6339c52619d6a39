"""Deletes archived events that are older than their archive keeps them, and replays of old."""

from __future__ import annotations

import logging
from functools import partial

from alonzo.lib.periodic import every
from alonzo.services.events.directory import Directory
from alonzo.services.events.limits import EXPIRED_MAX, REPLAY_KEPT_S
from alonzo.services.events.records import Q, Replay, replay_from

log = logging.getLogger("alonzo.events")

_EVERY_S = 3600.0
_DAY_S = 86_400.0


class Keeper:
    """Looks once an hour."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def run(self) -> None:
        """Delete until cancelled."""
        await every(
            _EVERY_S,
            self.tidy,
            on_error=partial(log.exception, "events.not_tidied"),
        )

    async def tidy(self) -> None:
        """Delete what is too old, some events at a time."""
        await self._expire()
        await self._forget_replays()

    async def _forget_replays(self) -> None:
        store = self._directory.store
        before_s = self._directory.clock.now_s() - REPLAY_KEPT_S
        replays = map(replay_from, await store.read(lambda db: db.all(Q.all_replays)))
        over = [{"arn": each.arn} for each in replays if _ended_at_s(each) < before_s]
        for at in range(0, len(over), EXPIRED_MAX):
            some = over[at : at + EXPIRED_MAX]
            await store.tx(lambda db, some=some: db.execute_many(Q.forget_replay, some))

    async def _expire(self) -> None:
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


def _ended_at_s(replay: Replay) -> float:
    return float("inf") if replay.ended_at_s is None else replay.ended_at_s
