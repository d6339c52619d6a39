"""The namespace backend: owner of the spawner, of the cgroups, and of every sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mmap
import os
from pathlib import Path

from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.namespaces import cgroups, plan, wire
from alonzo.sandbox.backends.namespaces.cgroups import CgroupSet, Trees
from alonzo.sandbox.backends.namespaces.channel import EndedError
from alonzo.sandbox.backends.namespaces.helper import Spawner
from alonzo.sandbox.backends.namespaces.probe import Facts, describe, probe, require
from alonzo.sandbox.backends.namespaces.sandbox import NamespaceSandbox
from alonzo.sandbox.base import Layer, SandboxError, SandboxSpec

log = logging.getLogger("alonzo.sandbox")

#: Longest wait for the processes that a dead daemon left to be gone.
SWEEP_S_MAX = 10.0
_SWEEP_PAUSE_S = 0.005

#: How long a sandbox that ended while it was made may be ahead of the news that its maker ended.
_NEWS_S_MAX = 0.5


class NamespaceBackend:
    """Makes sandboxes of namespaces. See ``base.Backend``.

    ``run_dir`` is a folder of the data directory, for us alone. ``instance`` names the data
    directory, the same at every start: what is swept is what bears it. ``python`` runs the helper.
    """

    def __init__(self, *, run_dir: Path, instance: str, python: str, clock: Clock) -> None:
        self._run_dir = run_dir
        self._instance = instance
        self._prefix = plan.cgroup_prefix(instance)
        self._python = python
        self._clock = clock
        self._rootless = os.geteuid() != 0
        self._trees = Trees()
        self._layers: tuple[Layer, ...] = ()
        self._spawner: Spawner | None = None
        self._starting = asyncio.Lock()
        self._tasks = TaskScope()
        self._sandboxes: dict[str, NamespaceSandbox] = {}
        self._slots: dict[str, int] = {}
        self._closed = False

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return "namespaces"

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What this host gives. After ``open()``."""
        return self._layers

    async def open(self) -> None:
        """Probe the host, sweep what a dead daemon left, start the spawner."""
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root_folder().mkdir(mode=0o700, exist_ok=True)
        self._trees = cgroups.find(f"{self._prefix}probe")
        facts: Facts = await asyncio.to_thread(probe, rootless=self._rootless, trees=self._trees)
        self._layers = describe(facts)
        require(self._layers)
        await self.sweep()
        await self._live_spawner()

    async def sweep(self) -> None:
        """End what bears our instance's name: processes and cgroups of a daemon that died."""
        deadline_s = self._clock.monotonic_s() + SWEEP_S_MAX
        while left := list(cgroups.leftovers(self._trees, self._prefix)):
            for folder in left:
                cgroups.end_processes(folder)
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if self._clock.monotonic_s() > deadline_s:
                raise SandboxError(f"cgroups of an earlier daemon cannot be removed: {left}")
            await asyncio.sleep(_SWEEP_PAUSE_S)

    async def create(self, spec: SandboxSpec) -> NamespaceSandbox:
        """Make a sandbox; once more with a new spawner if the first ended meanwhile."""
        spawner = await self._live_spawner()
        try:
            return await self._create_with(spawner, spec)
        except EndedError:
            if not await spawner.wait_end(_NEWS_S_MAX):
                raise
        return await self._create_with(await self._live_spawner(), spec)

    async def _create_with(self, spawner: Spawner, spec: SandboxSpec) -> NamespaceSandbox:
        if spec.id in self._slots:
            raise SandboxError(f"sandbox {spec.id}: there is one of that id")
        slot = self._reserve_slot(spec.id)
        try:
            return await self._create(spec, spawner, slot)
        except BaseException:
            self._forget(spec.id)
            raise

    async def _create(self, spec: SandboxSpec, spawner: Spawner, slot: int) -> NamespaceSandbox:
        request = plan.create_request(
            spec,
            uid=None if self._rootless else plan.uid_of(self._instance, slot),
            trees=self._trees,
        )
        with contextlib.ExitStack() as passed:
            group = self._make_cgroups(spec)
            members = group.open_members() if group else []
            passed.callback(wire.close_all, members)
            page = None
            if request["memory_bytes"] is not None:
                page_file = os.memfd_create("alonzo-memory", os.MFD_CLOEXEC)
                passed.callback(os.close, page_file)
                os.ftruncate(page_file, mmap.PAGESIZE)
                page = mmap.mmap(page_file, mmap.PAGESIZE)
                members = [*members, page_file]
            ours, theirs = wire.pair()
            passed.callback(theirs.close)
            sandbox = NamespaceSandbox(
                spec.id,
                ours,
                group,
                page,
                plan.limits(spec),
                self._tasks,
                lambda: self._forget(spec.id),
            )
            self._sandboxes[spec.id] = sandbox
            try:
                await spawner.send(request, [theirs.fileno(), *members])
                theirs.close()
                await sandbox.wait_ready(spec.listen_ports)
            except BaseException:
                await sandbox.close()
                raise
        return sandbox

    async def close(self) -> None:
        """Close every sandbox and helper. Safe to call twice."""
        self._closed = True
        await asyncio.gather(*(sandbox.close() for sandbox in list(self._sandboxes.values())))
        async with self._starting:
            if self._spawner is not None:
                await self._spawner.close()
        await self._tasks.close()
        with contextlib.suppress(OSError):
            self._root_folder().rmdir()

    def _root_folder(self) -> Path:
        return self._run_dir / "root"

    async def _live_spawner(self) -> Spawner:
        """The spawner; a new one if it died, for whatever reason."""
        async with self._starting:
            if self._closed:
                raise SandboxError("the backend is closed")
            if self._spawner is None or not self._spawner.alive:
                if self._spawner is not None:
                    log.error("spawner.restarted")
                    await self._spawner.close()
                self._spawner = Spawner(
                    python=self._python,
                    folder=self._root_folder(),
                    rootless=self._rootless,
                    on_end=self._thaw_all,
                )
                try:
                    await self._spawner.wait_ready()
                except BaseException:
                    await self._spawner.close()
                    self._spawner = None
                    raise
            return self._spawner

    def _thaw_all(self) -> None:
        """Let every sandbox die with the spawner: a frozen version-1 cgroup would hold it back."""
        for sandbox in self._sandboxes.values():
            with contextlib.suppress(SandboxError):  # one that will not thaw is no other's trouble
                sandbox.thaw_nowait()

    def _reserve_slot(self, sandbox_id: str) -> int:
        taken = set(self._slots.values())
        slot = next(n for n in range(len(taken) + 1) if n not in taken)
        self._slots[sandbox_id] = slot
        return slot

    def _make_cgroups(self, spec: SandboxSpec) -> CgroupSet | None:
        if not self._trees.distinct():
            return None
        try:
            return CgroupSet(
                self._trees,
                f"{self._prefix}{spec.id}",
                plan.limits(spec),
            )
        except OSError as err:
            raise SandboxError(f"sandbox {spec.id}, cgroups: {err}") from err

    def _forget(self, sandbox_id: str) -> None:
        self._sandboxes.pop(sandbox_id, None)
        self._slots.pop(sandbox_id, None)
