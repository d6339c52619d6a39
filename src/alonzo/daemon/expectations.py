"""Tells the pool which functions may soon be called for the first time.

The control plane writes versions, the pool keeps sandboxes ready for them; neither knows the other.
"""

from __future__ import annotations

import logging

from alonzo.environments.pool import Pool
from alonzo.invoke.directory import Directory
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.errors import AwsError
from alonzo.store.base import Store, StoreError
from alonzo.store.queries import load

log = logging.getLogger("alonzo.daemon")

_SQL = load("alonzo.daemon")


class Expectations:
    """What is passed on from the directory to the pool."""

    def __init__(self, store: Store, directory: Directory, pool: Pool, scope: TaskScope) -> None:
        self._store = store
        self._directory = directory
        self._pool = pool
        self._scope = scope

    def changed(self, key: FunctionKey, live_generations: frozenset[str]) -> None:
        """A function changed: what is outdated ends, and a new version is expected to be called."""
        self._pool.retire(key, live_generations)
        if live_generations:
            self._scope.spawn(self._expect(key), name=f"expect {key.path}")

    async def _expect(self, key: FunctionKey) -> None:
        """Has the directory read it, too: the first call of it then touches no SQL."""
        try:
            target = await self._directory.resolve(FunctionRef(key, None))
        except AwsError:  # It was deleted meanwhile, or was never deployed.
            return
        await self._pool.expect(target.version)

    async def remember(self) -> None:
        """After a start: the runtimes of the functions that there are, will be called for."""
        try:
            rows = await self._store.read(lambda db: db.all(_SQL.runtimes_in_use))
        except StoreError:
            log.exception("expectations.not_remembered")
            return
        await self._pool.know_runtimes([(row["runtime"], row["memory_mib"]) for row in rows])
