"""Makes it so: deploys the versions that the store says are to be deployed.

* The store alone says what there is to do (``deploying = 1``) and when it has changed, so a start,
  a change and a poll run the same code.
* ``revision_id`` fences a deployment: when the row has another by the end, or is gone, the outcome
  is dropped. The next round sees what there is to do now.
* A package that cannot be unpacked, or opened with the key of its function's owner, fails its
  version, and so does an init that fails where a
  snapshot is taken of it. Anything else that goes wrong is the platform's fault: it is logged,
  tried again, and then fails the version too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from functools import partial

from alonzo.control import documents, machine, records
from alonzo.control.attachments import unmet
from alonzo.control.code_keys import REASON_CODES
from alonzo.control.machine import Event, Reason
from alonzo.control.records import VersionRecord
from alonzo.control.snap_start import reason_code
from alonzo.control.sweeper import Sweeper
from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.lib.periodic import every
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.functions import CHANGES_TOPIC, ServingVersion
from alonzo.model.ports.code import CodeError, CodeProvider, SnapshotMaker
from alonzo.store.base import Connection, Store, StoreError
from alonzo.store.blobs import BlobStore

log = logging.getLogger("alonzo.control")

#: Deployments beside each other. Each unpacks one package.
DEPLOYMENTS_MAX = 4
#: Snapshots taken beside each other. An init may take minutes, so nothing else waits for them.
SNAPSHOTS_MAX = 4
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
        self,
        store: Store,
        blobs: BlobStore,
        code: CodeProvider,
        snapshots: SnapshotMaker,
        *,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        self._store = store
        self._code = code
        self._snapshots = snapshots
        self._clock = clock
        self._ids = ids
        self._sweeper = Sweeper(store, blobs, clock=clock)
        self._wake = asyncio.Event()
        self._running: set[_Deployment] = set()
        self._snapshotting: set[_Deployment] = set()
        self._turn = asyncio.Semaphore(SNAPSHOTS_MAX)

    def nudge(self) -> None:
        """Look at the store soon. Never blocks."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled. What was half done then is done again after the next start."""
        unsubscribe = self._store.subscribe(CHANGES_TOPIC, lambda _: self.nudge())
        try:
            async with TaskScope() as scope:
                scope.spawn(
                    every(
                        SWEEP_S,
                        self._sweeper.sweep,
                        on_error=partial(log.exception, "control.sweep_failed"),
                    ),
                    name="control.sweep",
                )
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
        # However many wait, these are sure to hold enough that are not under way.
        rows_max = len(under_way) + DEPLOYMENTS_MAX
        due = await self._store.read(lambda db: records.list_deploying(db, rows_max=rows_max))
        for record in due:
            if len(self._running) - len(self._snapshotting) >= DEPLOYMENTS_MAX:
                return
            deployment = (record.key.path, record.version, record.revision_id)
            if deployment not in under_way:
                self._running.add(deployment)
                scope.spawn(self._deploy(record, deployment), name=f"deploy {record.key.arn}")

    async def _deploy(self, record: VersionRecord, deployment: _Deployment) -> None:
        generation = self._ids.uuid()
        try:
            reason = await self._prepare(record)
            if reason is None:
                reason = await self._snapshot(documents.serving(record, generation), deployment)
            await faults.reach("control.after_prepare")
            await self._store.tx(lambda db: self._finish(db, record, generation, reason))
            await faults.reach("control.after_deploy")
        finally:
            self._running.discard(deployment)
        # Not after a failure of the store: the poll is the wait before the next try.
        self.nudge()

    async def _prepare(self, record: VersionRecord) -> Reason | None:
        """Have code and layers unpacked. Answers why that cannot be, or None."""
        if (reason := unmet(record.configuration)) is not None:
            return reason
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                async with asyncio.timeout(PREPARE_S_MAX):
                    await self._code.prepare(record.code.sha256)
                    if record.layer_digests:
                        await self._code.prepare_layers(record.layer_digests)
            except CodeError as error:
                return Reason("InvalidZipFileException", str(error))
            except AwsError as error:
                code = REASON_CODES.get(error.code, INTERNAL_ERROR.code)
                return Reason(code, error.message)
            except Exception:
                log.exception("control.prepare_failed", extra={"function": record.key.arn})
            else:
                return None
            if delay_s is not None:
                await asyncio.sleep(delay_s)
        return INTERNAL_ERROR

    async def _snapshot(self, version: ServingVersion, deployment: _Deployment) -> Reason | None:
        """Have the snapshot taken that the version asks for. Answers why its init failed, or None.

        What goes wrong on our side costs the version its snapshot, and nothing else.
        """
        if not version.snap_start:
            return None
        self._snapshotting.add(deployment)
        self.nudge()
        try:
            async with self._turn:
                failure = await self._snapshots.prepare(version)
        except Exception:
            log.exception("control.snapshot_failed", extra={"function": version.arn})
            return None
        finally:
            self._snapshotting.discard(deployment)
        return failure and Reason(reason_code(failure.error_type), failure.message)

    def _finish(
        self, db: Connection, begun: VersionRecord, revision_id: str, reason: Reason | None
    ) -> None:
        record = records.find_version(db, begun.key, begun.version)
        if record is None or not record.deploying or record.revision_id != begun.revision_id:
            return
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
