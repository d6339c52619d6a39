"""Deletes subscriptions that nobody has confirmed, and ended ones that nobody wanted back.

It also forgets what FIFO topics took, once nothing that comes can be a duplicate of it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from alonzo.lib.periodic import every
from alonzo.services.sns import records
from alonzo.services.sns.directory import Directory, Unit
from alonzo.services.sns.records import Q, State
from alonzo.store.base import Connection

log = logging.getLogger("alonzo.sns")

_EVERY_S = 3600.0
_FORGETS_EVERY_S = 60.0
#: Subscriptions or duplicates of one unit of work; others wait that long.
_CHUNK = 500


class Keeper:
    """Looks once an hour, and for duplicates once a minute."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def run(self) -> None:
        """Delete until cancelled."""
        await every(
            _EVERY_S,
            self.tidy,
            on_error=partial(log.exception, "sns.not_tidied"),
        )

    async def run_forgetting(self) -> None:
        """Forget until cancelled."""
        await every(
            _FORGETS_EVERY_S, self.forget, on_error=partial(log.exception, "sns.not_forgotten")
        )

    async def forget(self) -> None:
        """Forget what was published longer ago than duplicates are told."""
        now_s = self._directory.clock.now_s()
        while await self._directory.store.tx(lambda conn: _forget_some(conn, now_s)) >= _CHUNK:
            pass  # Between two units others get their turn.

    async def tidy(self) -> None:
        """Delete what waits for a token that is good no more."""
        now_s = self._directory.clock.now_s()
        over = [
            each.arn
            for each in self._directory.every_subscription()
            if each.state is not State.CONFIRMED and each.token_until_s <= now_s
        ]

        def work(unit: Unit, arns: Sequence[str]) -> None:
            unit.subscriptions.update(arns)
            for arn in arns:
                live = records.try_subscription(unit.conn, arn)
                if live is None:  # Somebody deleted it since.
                    continue
                if live.state is not State.CONFIRMED and live.token_until_s <= now_s:
                    # One to which much is on its way goes in several passes.
                    records.delete_subscription(unit.conn, arn)

        for first in range(0, len(over), _CHUNK):
            await self._directory.change(partial(work, arns=over[first : first + _CHUNK]))


def _forget_some(conn: Connection, now_s: float) -> int:
    nth = conn.one(Q.nth_expiry, {"now_s": now_s, "offset": _CHUNK - 1})
    until_s = now_s if nth is None else nth["until_s"]
    return conn.execute(Q.forget_deduplications, {"until_s": until_s})
