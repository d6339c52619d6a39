"""What keys need done when time has passed: deletions that were scheduled, automatic rotations."""

from __future__ import annotations

import logging
from functools import partial

from alonzo.lib.periodic import every
from alonzo.services.kms import records
from alonzo.services.kms.limits import DAY_S
from alonzo.services.kms.machine import State
from alonzo.services.kms.records import Q
from alonzo.services.kms.rotation import AUTOMATIC
from alonzo.services.kms.vault import Unit, Vault

log = logging.getLogger("alonzo.kms")

#: Pause between two passes.
PASS_INTERVAL_S = 60.0
#: Keys that one unit of work deletes or rotates.
_AT_ONCE = 100


class Keeper:
    """Deletes and rotates keys whose time has come. A pass may be run at any time, and again."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def run(self) -> None:
        """Keep house until cancelled."""
        await every(
            PASS_INTERVAL_S,
            self._tidy_all,
            on_error=partial(log.exception, "kms.not_tidied"),
        )

    async def _tidy_all(self) -> None:
        while await self.tidy():
            pass

    async def tidy(self) -> bool:
        """One pass; answers whether there is more to do."""
        now_s = self._vault.clock.now_s()
        scope = {"now_s": now_s, "limit": _AT_ONCE}
        due = await self._vault.read(lambda conn: conn.all(Q.due_for_deletion, scope))
        rotating = self._vault.due_for_rotation(now_s)[:_AT_ONCE]
        if due or rotating:
            await self._vault.change(lambda unit: self._delete_and_rotate(unit, rotating, now_s))
        return len(due) == _AT_ONCE or len(rotating) == _AT_ONCE

    def _delete_and_rotate(self, unit: Unit, rotating: list[str], now_s: float) -> None:
        # Asked again: a deletion may have been cancelled since.
        for row in unit.conn.all(Q.due_for_deletion, {"now_s": now_s, "limit": _AT_ONCE}):
            key = records.try_find(unit.conn, row["id"])
            assert key is not None
            unit.touch(key)
            unit.conn.execute(Q.delete_key, {"id": key.id})
            unit.conn.wipe()
            log.info("kms.key_deleted", extra={"key": key.arn})
        for key_id in rotating:
            key = records.try_find(unit.conn, key_id)
            if key is None or key.state is not State.ENABLED or not key.rotates_at_s:
                continue
            if key.rotates_at_s > now_s:
                continue
            number = unit.conn.all(Q.materials, {"key_id": key.id})[-1]["number"] + 1
            self._vault.add_material(unit, key, number=number, cause=AUTOMATIC)
            period_s = key.rotation_days * DAY_S
            due_s = key.rotates_at_s + period_s
            # A platform that was off for long rotates once, not once for each time missed.
            next_s = due_s if due_s > now_s else now_s + period_s
            records.save_document(unit.conn, key, rotates_at_s=next_s)
