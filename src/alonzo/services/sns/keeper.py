"""Deletes subscriptions that nobody has confirmed, and ended ones that nobody wanted back."""

from __future__ import annotations

import asyncio
import logging

from alonzo.services.sns.directory import Directory, Unit
from alonzo.services.sns.records import Q, State
from alonzo.store.base import StoreError

log = logging.getLogger("alonzo.sns")

_EVERY_S = 3600.0


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
        if not over:
            return

        def work(unit: Unit) -> None:
            for arn in over:
                live = unit.subscription(arn)
                if live.state is not State.CONFIRMED and live.token_until_s <= now_s:
                    unit.conn.execute(Q.delete_subscription, {"arn": arn})

        await self._directory.change(work)
