"""A control plane on a real store and real blobs, whose code provider does as a test says."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alonzo.control.deployer import Deployer
from alonzo.control.event_sources.reconciler import MappingReconciler
from alonzo.control.event_sources.sources import NoPollers
from alonzo.control.functions import ControlPlane
from alonzo.control.settings import ControlSettings
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal, RequestContext
from alonzo.model.destinations import TargetFault, TargetKind
from alonzo.model.event_sources import SourceUse
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.code import ObjectError, SnapshotFailure
from alonzo.model.ports.event_sources import Pollers, SourceState
from alonzo.model.provisioned import Allocation, ProvisionedFigures
from alonzo.runtimes.base import RuntimeIdentifier
from alonzo.runtimes.identifiers import IDENTIFIERS
from alonzo.store.blobs import BlobStore
from alonzo.store.sqlite import SqliteStore

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
ENDPOINT = "http://127.0.0.1:4566"

#: How long a test waits for a state at most, in seconds of the real clock.
WAIT_S = 10.0
_POLL_S = 0.002


def zip_of(files: Mapping[str, str | bytes]) -> bytes:
    """A zip with these files; the same files give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2026, 11, 20, 10, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return out.getvalue()


HELLO = zip_of({"app.py": "def handler(event, context):\n    return event\n"})
OTHER = zip_of({"app.py": "def handler(event, context):\n    return 'other'\n"})


class FakeSnapshots:
    """A ``SnapshotMaker`` that fails as ``failure`` says; ``prepared`` are the versions in turn."""

    def __init__(self) -> None:
        self.failure: SnapshotFailure | Exception | None = None
        self.prepared: list[ServingVersion] = []

    async def prepare(self, version: ServingVersion) -> SnapshotFailure | None:
        """Pretend to take a snapshot."""
        self.prepared.append(version)
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure


class FakeCode:
    """A ``CodeProvider``: each ``prepare`` waits for ``gate`` and then fails as ``failure`` says.

    ``prepared`` lists the digests in the order in which their preparation began, and ``begun`` is
    set from the first on.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.failure: Exception | None = None
        self.prepared: list[str] = []

    async def prepare(self, code_sha256: str) -> Path:
        """Pretend to unpack."""
        self.prepared.append(code_sha256)
        self.begun.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Path("/nonexistent")

    async def prepare_layers(self, digests: tuple[str, ...]) -> Path:
        """Pretend to unpack layers."""
        for digest in digests:
            await self.prepare(digest)
        return Path("/nonexistent")


class FakeRuntimes:
    """A ``RuntimeCatalog`` of every identifier; ``missing`` says which this host lacks, and why."""

    def __init__(self) -> None:
        self._known = {identifier.name: identifier for identifier in IDENTIFIERS}
        self.missing = {"java21": "Java functions do not run here yet."}

    @property
    def names(self) -> tuple[str, ...]:
        """Every identifier."""
        return tuple(self._known)

    def identifier(self, name: str) -> RuntimeIdentifier | None:
        """What is known of an identifier."""
        return self._known.get(name)

    def unavailable(self, identifier: str) -> str | None:
        """What ``missing`` says."""
        return self.missing.get(identifier)


class FakeProvisioned:
    """A ``ProvisionedConcurrency`` that says what ``allocations`` has, by qualifier."""

    def __init__(self) -> None:
        self.allocations: dict[str, Allocation] = {}

    def allocation(self, key: FunctionKey, qualifier: str, revision_id: str) -> Allocation:
        """What ``allocations`` has; nothing yet where it has none."""
        return self.allocations.get(qualifier, Allocation())

    def figures(self) -> Sequence[ProvisionedFigures]:
        """Nothing is called here."""
        return ()


class FakeObjects:
    """An ``ObjectReader`` of what ``objects`` has, by bucket, key and version."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str | None], bytes] = {}

    async def read(
        self, context: RequestContext, bucket: str, key: str, version: str | None, *, bytes_max: int
    ) -> bytes:
        """An object, or what S3 answers where there is none."""
        del context
        if not any(name == bucket for name, _, _ in self.objects):
            raise ObjectError("NoSuchBucket", "The specified bucket does not exist")
        if (bucket, key, version) not in self.objects:
            raise ObjectError("NoSuchKey", "The specified key does not exist.")
        return self.objects[bucket, key, version][: bytes_max + 1]


class FakeTargets:
    """``DestinationChecks`` that offer ``kinds`` of targets and find ``faults`` with them."""

    def __init__(self) -> None:
        self.kinds = {TargetKind.FUNCTION}
        self.faults: dict[str, TargetFault] = {}

    def offers(self, kind: TargetKind) -> bool:
        """Whether the kind is among ``kinds``."""
        return kind in self.kinds

    async def fault(
        self, target_arn: str, sender: FunctionKey, role_arn: str
    ) -> TargetFault | None:
        """What ``faults`` say; whose role it is, is looked at too."""
        assert role_arn.split(":")[4] == sender.account
        return self.faults.get(target_arn)


class FakeSources:
    """``SourceChecks`` that offer ``kinds`` of sources, which are as ``states`` say."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.states: dict[str, SourceState] = {}

    def offers(self, kind: str) -> bool:
        """Whether the kind is among ``kinds``."""
        return kind in self.kinds

    async def look(self, use: SourceUse) -> SourceState:
        """What ``states`` say of the source."""
        assert use.role_arn == ROLE
        return self.states.get(use.source_arn, SourceState())


class ControlRig:
    """The parts of a control plane, and short ways to use it. Made by ``open_control``."""

    def __init__(self, store: SqliteStore, blobs: BlobStore, settings: ControlSettings) -> None:
        self.store = store
        self.blobs = blobs
        self.code = FakeCode()
        self.runtimes = FakeRuntimes()
        self.clock = ManualClock(1_795_168_800.0)  # 2026-11-20T10:00:00Z
        self.ids = SequentialIds()
        self.provisioned = FakeProvisioned()
        self.objects = FakeObjects()
        self.targets = FakeTargets()
        self.pollers: Pollers = NoPollers()
        self.sources = FakeSources()
        self.plane = ControlPlane(
            store,
            blobs,
            self.runtimes,
            clock=self.clock,
            ids=self.ids,
            settings=settings,
            provisioned=self.provisioned,
            objects=self.objects,
            targets=self.targets,
            sources=self.sources,
        )
        self.snapshots = FakeSnapshots()
        self.deployer = self.new_deployer()

    def new_deployer(self) -> Deployer:
        """A deployer as a restarted daemon would have it."""
        return Deployer(
            self.store, self.blobs, self.code, self.snapshots, clock=self.clock, ids=self.ids
        )

    def new_reconciler(self) -> MappingReconciler:
        """A reconciler of mappings as a restarted daemon would have it."""
        return MappingReconciler(self.store, self.pollers)

    async def reconcile_mappings(self) -> int:
        """One look of a new reconciler of mappings, with all that it started; as ``reconcile``."""
        reconciler = self.new_reconciler()
        settled = await reconciler.reconcile()
        await reconciler.drain()
        return settled

    async def call(
        self, operation: str, *, account: str = ACCOUNT, region: str = REGION, **params: Any
    ) -> dict[str, Any]:
        """Run one operation; an empty answer is ``{}``."""
        context = RequestContext(
            request_id="r",
            account=account,
            region=region,
            principal=Principal(account, f"arn:aws:iam::{account}:root", account, "AKIA", True),
            endpoint=ENDPOINT,
            source_ip="127.0.0.1",
        )
        return dict(await self.plane.operations[operation](context, params) or {})

    async def create(
        self, name: str, code: bytes = HELLO, *, region: str = REGION, **params: Any
    ) -> dict[str, Any]:
        """CreateFunction with what is mandatory filled in."""
        defaults: dict[str, Any] = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": {"ZipFile": code},
        }
        members = defaults | params
        return await self.call("CreateFunction", region=region, **members)

    async def configuration(self, name: str, **params: Any) -> dict[str, Any]:
        """GetFunctionConfiguration."""
        return await self.call("GetFunctionConfiguration", FunctionName=name, **params)

    async def wait(self, name: str, **members: Any) -> dict[str, Any]:
        """Wait until the configuration has these members, and answer it."""
        async with asyncio.timeout(WAIT_S):
            while True:
                document = await self.configuration(name)
                if all(document.get(member) == value for member, value in members.items()):
                    return document
                await asyncio.sleep(_POLL_S)

    async def settled(self, name: str) -> dict[str, Any]:
        """Wait until the deployer is done with a function, and answer its configuration."""
        async with asyncio.timeout(WAIT_S):
            while True:
                document = await self.configuration(name)
                pending = document["State"] == "Pending"
                if not pending and document.get("LastUpdateStatus") != "InProgress":
                    return document
                await asyncio.sleep(_POLL_S)

    async def create_active(self, name: str, code: bytes = HELLO, **params: Any) -> dict[str, Any]:
        """A function that is Active."""
        await self.create(name, code, **params)
        return await self.wait(name, State="Active")

    async def row(self, name: str, version: str = "$LATEST") -> Mapping[str, Any] | None:
        """The row of one version of the function as it lies in the store."""
        return await self.store.read(
            lambda db: db.one(
                "SELECT * FROM function_version"
                " WHERE name = :name AND account = :account AND version = :version",
                {"name": name, "account": ACCOUNT, "version": version},
            )
        )


@asynccontextmanager
async def open_control(
    folder: Path, *, deploying: bool = True, **limits: Any
) -> AsyncGenerator[ControlRig]:
    """A control plane below ``folder``; its reconcilers run unless ``deploying`` says otherwise.

    ``limits`` are members of ``ControlSettings``.
    """
    settings = ControlSettings(architecture="x86_64", link_key=b"k" * 32, **limits)
    store = await SqliteStore.open(folder / "alonzo.db", clock=ManualClock())
    try:
        rig = ControlRig(store, BlobStore(folder / "blobs", b"b" * 32), settings)
        async with TaskScope() as scope:
            if deploying:
                scope.spawn(rig.deployer.run(), name="deployer")
                scope.spawn(rig.new_reconciler().run(), name="event sources")
            yield rig
    finally:
        await store.close()
