"""Makes it so: deploys the versions that the store says are to be deployed.

* The store alone says what there is to do (``deploying = 1``) and when it has changed, so a start,
  a change and a poll run the same code.
* ``revision_id`` fences a deployment: when the row has another by the end, or is gone, the outcome
  is dropped. The next round sees what there is to do now.
* A package that cannot be unpacked fails its version. Anything else that goes wrong is the
  platform's fault: it is logged, tried again, and then fails the version too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace

from alonzo.control import documents, machine, records
from alonzo.control.machine import Event, Reason
from alonzo.control.records import VersionRecord
from alonzo.control.sweeper import Sweeper
from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.tasks import TaskScope
from alonzo.model.functions import CHANGES_TOPIC
from alonzo.model.ports import CodeError, CodeProvider
from alonzo.store.base import Connection, Store, StoreError
from alonzo.store.blobs import BlobStore

log = logging.getLogger("alonzo.control")

#: Deployments beside each other. Each unpacks one package.
DEPLOYMENTS_MAX = 4
#: How long one may take: 250 MB on a slow and busy disk.
PREPARE_S_MAX = 300.0
#: Waits before the second and the third try, in seconds.
RETRY_DELAYS_S = (1.0, 5.0)
#: How often to look though nothing was published, and how often to sweep, in seconds.
POLL_S = 30.0
SWEEP_S = 600.0

INTERNAL_ERROR = Reason("InternalError", "The platform could not deploy the function. Try again.")

_Deployment = tuple[str, str, str]


class Deployer:
    """Deploys, and has packages swept, for as long as ``run()`` runs."""

    def __init__(
        self, store: Store, blobs: BlobStore, code: CodeProvider, *, clock: Clock, ids: IdSource
    ) -> None:
        self._store = store
        self._code = code
        self._clock = clock
        self._ids = ids
        self._sweeper = Sweeper(store, blobs, clock=clock)
        self._wake = asyncio.Event()
        self._running: set[_Deployment] = set()

    def nudge(self) -> None:
        """Look at the store soon. Never blocks."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled. What was half done then is done again after the next start."""
        unsubscribe = self._store.subscribe(CHANGES_TOPIC, lambda _: self.nudge())
        try:
            async with TaskScope() as scope:
                scope.spawn(self._sweep(), name="control.sweep")
                while True:
                    self._wake.clear()
                    await self._reconcile_once(scope)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(POLL_S):
                            await self._wake.wait()
        finally:
            unsubscribe()

    async def _reconcile_once(self, scope: TaskScope) -> None:
        try:
            await self.reconcile(scope)
        except StoreError:
            log.exception("control.reconcile_failed")

    async def reconcile(self, scope: TaskScope) -> None:
        """Start, in ``scope``, every deployment that is due and not under way, up to the bound."""
        # One that ends while the store is read may still be in what is read.
        under_way = frozenset(self._running)
        # However many wait: twice the bound is sure to hold enough that are not under way.
        due = await self._store.read(
            lambda db: records.list_deploying(db, rows_max=2 * DEPLOYMENTS_MAX)
        )
        for record in due:
            if len(self._running) >= DEPLOYMENTS_MAX:
                return
            deployment = (record.key.path, record.version, record.revision_id)
            if deployment not in under_way:
                self._running.add(deployment)
                scope.spawn(self._deploy(record, deployment), name=f"deploy {record.key.arn}")

    async def _deploy(self, record: VersionRecord, deployment: _Deployment) -> None:
        try:
            reason = await self._prepare(record)
            await faults.reach("control.after_prepare")
            await self._store.tx(lambda db: self._finish(db, record, reason))
            await faults.reach("control.after_deploy")
        finally:
            self._running.discard(deployment)
        # Not after a failure of the store: the poll is the wait before the next try.
        self.nudge()

    async def _prepare(self, record: VersionRecord) -> Reason | None:
        """Have code and layers unpacked. Answers why that failed, or None."""
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                async with asyncio.timeout(PREPARE_S_MAX):
                    await self._code.prepare(record.code.sha256)
                    if record.layers:
                        await self._code.prepare_layers(record.layer_digests)
            except CodeError as error:
                return Reason("InvalidZipFileException", str(error))
            except Exception:
                log.exception("control.prepare_failed", extra={"function": record.key.arn})
            else:
                return None
            if delay_s is not None:
                await asyncio.sleep(delay_s)
        return INTERNAL_ERROR

    def _finish(self, db: Connection, begun: VersionRecord, reason: Reason | None) -> None:
        record = records.find_version(db, begun.key, begun.version)
        if record is None or not record.deploying or record.revision_id != begun.revision_id:
            return
        revision_id = self._ids.uuid()
        if reason is None:
            status = machine.step(record.status, Event.DEPLOYED)
            serving = documents.serving(record, generation=revision_id)
            records.let_go(db, record, now_s=self._clock.now_s())
        else:
            status = machine.step(record.status, Event.FAILED, reason)
            serving = record.serving
        records.save_version(
            db,
            replace(
                record, status=status, serving=serving, revision_id=revision_id, deploying=False
            ),
        )

    async def _sweep(self) -> None:
        while True:
            try:
                await self._sweeper.sweep()
            except StoreError:
                log.exception("control.sweep_failed")
            await asyncio.sleep(SWEEP_S)
