"""Deletes subscriptions that nobody has confirmed, and ended ones that nobody wanted back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from alonzo.services.sns import records
from alonzo.services.sns.directory import Directory, Unit
from alonzo.services.sns.records import Q, State
from alonzo.store.base import StoreError

log = logging.getLogger("alonzo.sns")

_EVERY_S = 3600.0
#: Subscriptions of one unit of work; others wait that long.
_CHUNK = 500


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
                log.exception("sns.not_tidied")
            await asyncio.sleep(_EVERY_S)

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
                    unit.conn.execute(Q.delete_subscription, {"arn": arn})

        for first in range(0, len(over), _CHUNK):
            await self._directory.change(partial(work, arns=over[first : first + _CHUNK]))
