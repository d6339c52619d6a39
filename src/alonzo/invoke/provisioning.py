"""Makes it so: has as many environments kept ready as the store says.

The store alone says what is wanted, so a start, a change and a poll run the same code, and after
``kill -9`` everything is made again. What has become of it is asked of the pool each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from alonzo.environments.provisioned import Provisioned
from alonzo.invoke.provisioning_rules import Config, Share, by_name, judge, plan_wishes, split
from alonzo.lib import faults
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import CHANGES_TOPIC, ServingVersion
from alonzo.model.provisioned import Allocation, AllocationStatus, ProvisionedFigures
from alonzo.store.base import Connection, Row, Store, StoreError
from alonzo.store.queries import load

log = logging.getLogger("alonzo.invoke")

_SQL = load("alonzo.invoke")

#: How often to look though nothing was published, in seconds.
_POLL_S = 30.0

_serving = lru_cache(maxsize=2048)(ServingVersion.from_json)


class Provisioner:
    """Works for as long as ``run()`` runs. Implements ``ports.invoking.ProvisionedConcurrency``."""

    def __init__(self, store: Store, provisioned: Provisioned) -> None:
        self._store = store
        self._provisioned = provisioned
        self._configs: Mapping[tuple[FunctionKey, str], Config] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        unsubscribe = self._store.subscribe(CHANGES_TOPIC, lambda _: self._wake.set())
        try:
            while True:
                self._wake.clear()
                try:
                    await self.reconcile()
                except StoreError:
                    log.exception("provisioning.reconcile_failed")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_S):
                        await self._wake.wait()
        finally:
            unsubscribe()

    async def reconcile(self) -> None:
        """Have the pool keep what is wanted now."""
        configs = await self._store.read(_read)
        await faults.reach("provisioning.after_look")
        self._configs = by_name(configs)
        self._provisioned.want(plan_wishes(configs))

    def allocation(self, key: FunctionKey, qualifier: str, revision_id: str) -> Allocation:
        """See ``model.ports.invoking.ProvisionedConcurrency``."""
        config = self._configs.get((key, qualifier))
        if config is None:
            return Allocation()
        allocation = judge(config, self._provisioned.kept)
        if config.revision_id != revision_id:
            return replace(allocation, status=AllocationStatus.IN_PROGRESS, reason=None)
        return allocation

    def figures(self) -> Sequence[ProvisionedFigures]:
        """See ``model.ports.invoking.ProvisionedConcurrency``."""
        return self._provisioned.figures()


def _read(db: Connection) -> list[Config]:
    return [_config(row) for row in db.all(_SQL.provisioned_configs)]


def _config(row: Row) -> Config:
    main, additional = split(row["requested"], row["additional_weight"] or 0.0)
    shares = [_share(row["serving"], row["state"], main)]
    if additional:
        shares.append(_share(row["additional_serving"], row["additional_state"], additional))
    return Config(
        key=FunctionKey(row["account"], row["region"], row["name"]),
        qualifier=row["qualifier"],
        revision_id=row["revision_id"],
        requested=row["requested"],
        shares=tuple(shares),
    )


def _share(serving: str | None, state: str, wanted: int) -> Share:
    return Share(None if serving is None else _serving(serving), state, wanted)
