"""Environment variables that an earlier release kept in plain text are sealed at the next start.

A row is replaced only if it is still as it was read. What was plain in a page of the database that
is free now stays there until SQLite writes over it: ``docs/encryption.md`` says what to do.
"""

from __future__ import annotations

import logging

from alonzo.control import records
from alonzo.control.environment import Variables
from alonzo.control.records import VersionRecord
from alonzo.model.errors import AwsError
from alonzo.store.base import Connection, Store, StoreError

log = logging.getLogger("alonzo.control")

#: Rows read together.
_ROWS = 100


class OldVariables:
    """Seals what is plain. May be run at any time, and again."""

    def __init__(self, store: Store, variables: Variables) -> None:
        self._store = store
        self._variables = variables

    async def seal(self) -> None:
        """Seal all of it. What cannot be sealed now works on, and is tried at the next start."""
        after = ("", "", "", -1)
        sealed = 0
        try:
            while page := await self._page(after):
                for record in page:
                    sealed += await self._seal(record)
                last = page[-1]
                after = (last.key.account, last.key.region, last.key.name, last.number)
        except (StoreError, AwsError):
            log.exception("control.variables_not_sealed")
        if sealed:
            log.info("control.variables_sealed", extra={"versions": sealed})

    async def _page(self, after: tuple[str, str, str, int]) -> list[VersionRecord]:
        return await self._store.read(
            lambda db: records.list_plain(db, after=after, rows_max=_ROWS)
        )

    async def _seal(self, record: VersionRecord) -> bool:
        changed = await self._variables.reseal(record)
        if changed is None:
            return False

        def store(db: Connection) -> bool:
            if records.find_version(db, record.key, record.version) != record:
                return False
            records.save_version(db, changed)
            return True

        return await self._store.tx(store)
