"""The namespace backend: owner of the spawner, of the cgroups, and of every sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import mmap
import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.namespaces import cgroup_trees, cgroups, plan, seccomp
from alonzo.sandbox.backends.namespaces.cgroup_trees import Trees
from alonzo.sandbox.backends.namespaces.cgroups import CgroupSet
from alonzo.sandbox.backends.namespaces.channel import EndedError
from alonzo.sandbox.backends.namespaces.helper import Spawner
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.backends.namespaces.makers import Maker, Makers
from alonzo.sandbox.backends.namespaces.network.base import Mode, Network, no_network
from alonzo.sandbox.backends.namespaces.network.names import servers
from alonzo.sandbox.backends.namespaces.network.opening import open_network, read_resolv_conf
from alonzo.sandbox.backends.namespaces.network.ready import ENTER, ReadyNetwork, ReadyNetworks
from alonzo.sandbox.backends.namespaces.network.relay import Relay, Served
from alonzo.sandbox.backends.namespaces.opening import ByOpener, InDaemon
from alonzo.sandbox.backends.namespaces.probe import Facts, describe, probe, require
from alonzo.sandbox.backends.namespaces.sandbox import NamespaceSandbox
from alonzo.sandbox.backends.namespaces.snapshots import (
    CloneSandbox,
    TemplateSandbox,
    layer_of,
    why_no_templates,
)
from alonzo.sandbox.base import Fitting, Layer, SandboxError, SandboxSpec

log = logging.getLogger("alonzo.sandbox")

#: Longest wait for the processes that a dead daemon left to be gone.
SWEEP_S_MAX = 10.0
_SWEEP_PAUSE_S = 0.005

#: How long a sandbox that ended while it was made may be ahead of the news that its maker ended.
_NEWS_S_MAX = 0.5


class Slots:
    """The lowest free number for each sandbox."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._free: list[int] = []

    def reserve(self, sandbox_id: str) -> int:
        """The number of a new sandbox.

        Raises:
            SandboxError: there is one of that id.
        """
        if sandbox_id in self._taken:
            raise SandboxError(f"sandbox {sandbox_id}: there is one of that id")
        slot = heapq.heappop(self._free) if self._free else len(self._taken)
        self._taken[sandbox_id] = slot
        return slot

    def release(self, sandbox_id: str) -> None:
        """Let another have the number. Safe to call twice."""
        slot = self._taken.pop(sandbox_id, None)
        if slot is not None:
            heapq.heappush(self._free, slot)


class NamespaceBackend:
    """Makes sandboxes of namespaces. See ``base.Backend``.

    ``run_dir`` is a folder of the data directory, for us alone. ``instance`` names the data
    directory, the same at every start: what is swept is what bears it. ``python`` runs the helper.
    ``network`` None is the best that the host gives.
    """

    def __init__(
        self,
        *,
        run_dir: Path,
        instance: str,
        python: str,
        clock: Clock,
        network: Mode | None = "none",
    ) -> None:
        self._run_dir = run_dir
        self._instance = instance
        self._prefix = plan.cgroup_prefix(instance)
        self._python = python
        self._clock = clock
        self._rootless = os.geteuid() != 0
        self._trees = Trees()
        self._layers: tuple[Layer, ...] = ()
        self._network_mode: Mode | None = network
        self._network: Network = no_network("")
        self._ready = ReadyNetworks(lambda: self._network)
        self._relay = Relay(lambda: servers(read_resolv_conf()))
        self._relayed: dict[str, Served] = {}
        self._spawner: Spawner | None = None
        self._starting = asyncio.Lock()
        self._tasks = TaskScope()
        self._makers = Makers(self._live_spawner, self._thaw_all_of, lambda: self._trees, clock)
        self._sandboxes: dict[str, NamespaceSandbox] = {}
        self._opening = ByOpener(self._live_spawner) if self._rootless else InDaemon()
        self._made_by: dict[str, Maker] = {}
        self._slots = Slots()
        self._closed = False

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return "namespaces"

    @property
    def isolated(self) -> bool:
        """Always; a host that cannot is refused by ``open()``."""
        return True

    @property
    def leads(self) -> bool:
        """Always: pid 1 does it (``inside/leading.py``)."""
        return True

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What this host gives. After ``open()``."""
        return self._layers

    @property
    def networks_full(self) -> bool:
        """Whether it holds as many networks ready as it ever will. For tests that count."""
        return self._ready.full

    async def open(self) -> None:
        """Probe the host, sweep what a dead daemon left, start the spawner."""
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root_folder().mkdir(mode=0o700, exist_ok=True)
        self._trees = cgroup_trees.find(f"{self._prefix}probe")
        facts: Facts = await asyncio.to_thread(probe, rootless=self._rootless, trees=self._trees)
        self._layers = describe(facts)
        require(self._layers)
        await self.sweep()
        self._network = await open_network(
            self._network_mode,
            instance=self._instance,
            clock=self._clock,
            spawner=self._live_spawner,
        )
        self._layers = (*self._layers, self._network.layer, layer_of(self.why_no_templates()))
        self._makers.resolv_conf = self._network.resolv_conf
        # So it is known now whether this host lets makers start. What is forked from zygotes needs
        # no other; 2 MiB.
        (await self._makers.live(SandboxSpec("first", processes_max=1))).close()

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
        """Make a sandbox; once more with a new maker if the first ended meanwhile."""
        maker = await self._live_maker(spec)
        try:
            return await self._create_with(maker, spec)
        except EndedError:
            if not await maker.wait_end(_NEWS_S_MAX):
                raise
        return await self._create_with(await self._live_maker(spec), spec)

    async def _live_maker(self, spec: SandboxSpec) -> Maker:
        plan.check_mounts(spec.mounts)
        try:
            return await self._makers.live(spec)
        except EndedError:
            return await self._makers.live(spec)

    async def _create_with(self, maker: Maker, spec: SandboxSpec) -> NamespaceSandbox:
        slot = self._slots.reserve(spec.id)
        try:
            return await self._create(spec, maker, slot)
        except BaseException:
            self._forget(spec.id)
            raise

    async def _create(self, spec: SandboxSpec, maker: Maker, slot: int) -> NamespaceSandbox:
        request = plan.create_request(
            spec,
            uid=None if self._rootless else plan.uid_of(self._instance, slot),
            trees=self._trees,
            template=self._template_filter() if spec.template else None,
        )
        with contextlib.ExitStack() as passed:
            request["network"], network, made = await self._connect(spec, passed)
            group = self._make_cgroups(spec)
            members = group.open_members() if group else []
            passed.callback(wire.close_all, members)
            page = None
            if request["sampled"]:
                page_file = os.memfd_create("alonzo-memory", os.MFD_CLOEXEC)
                passed.callback(os.close, page_file)
                os.ftruncate(page_file, mmap.PAGESIZE)
                page = mmap.mmap(page_file, mmap.PAGESIZE)
                members = [*members, page_file]
            ours, theirs = wire.pair()
            passed.callback(theirs.close)
            sandbox = (TemplateSandbox if spec.template else NamespaceSandbox)(
                spec,
                ours,
                group,
                page,
                self._opening,
                self._tasks,
                lambda: self._forget(spec.id),
            )
            self._sandboxes[spec.id] = sandbox
            self._made_by[spec.id] = maker
            try:
                if spec.first is not None and spec.zygote is not None and not spec.template:
                    request["begun"] = sandbox.begin(spec.first)
                await maker.send(request, [theirs.fileno(), *members, *network])
                theirs.close()
                await sandbox.wait_ready(spec.listen_ports)
                if made is not None:
                    sandbox.listen_on(made.hand_over())
                if sandbox.resolver:
                    self._relayed[spec.id] = self._relay.serve(*sandbox.resolver)
                if spec.mounts and spec.zygote is None:
                    await sandbox.attach()
            except BaseException:
                await sandbox.close()
                raise
        return sandbox

    async def _connect(
        self, spec: SandboxSpec, passed: contextlib.ExitStack
    ) -> tuple[dict[str, Any], list[int], ReadyNetwork | None]:
        """The order for its network, what pid 1 needs for that, and one that was made ahead."""
        made = self._ready.take(spec.id, spec.listen_ports)
        if made is not None:
            passed.callback(made.close)
            return ENTER, [made.namespace], made
        order = self._network.order(spec.id)
        uplink = await self._network.uplink()
        if uplink is None:
            return order, [], None
        passed.callback(os.close, uplink)
        return order, [uplink], None

    def why_no_templates(self) -> str | None:
        """What keeps this host from forking a template, or None. After ``open()``."""
        return why_no_templates(
            rootless=self._rootless, trees=self._trees, network_shared=self._network.shared
        )

    async def create_template(self, spec: SandboxSpec) -> TemplateSandbox:
        """Make a sandbox whose process can be forked into clones. See ``templates.py``."""
        if reason := self.why_no_templates():
            raise SandboxError(reason)
        template = await self.create(replace(spec, template=True))
        assert isinstance(template, TemplateSandbox)
        template.clones_by(lambda sandbox_id, fitting: self._clone(template, sandbox_id, fitting))
        return template

    async def _clone(
        self, template: TemplateSandbox, sandbox_id: str, fitting: Fitting
    ) -> CloneSandbox:
        spec = replace(template.spec, id=sandbox_id)
        slot = self._slots.reserve(sandbox_id)
        try:
            uid = plan.uid_of(self._instance, slot)
            group = self._make_cgroups(spec)
            assert group is not None, "templates are for hosts with cgroups"
            ours, theirs = wire.pair()
            with theirs:
                sandbox = CloneSandbox(
                    spec,
                    ours,
                    group,
                    None,
                    self._opening,
                    self._tasks,
                    lambda: self._forget(sandbox_id),
                )
                self._sandboxes[sandbox_id] = sandbox
                try:
                    await sandbox.join(template, theirs, group, fitting, uid=uid)
                    resolver = await self._network.join(sandbox_id, sandbox.listeners)
                    if resolver:
                        self._relayed[sandbox_id] = self._relay.serve(*resolver)
                except BaseException:
                    await sandbox.close()
                    raise
        except BaseException:
            self._forget(sandbox_id)
            raise
        return sandbox

    def _template_filter(self) -> str:
        return seccomp.build(platform.machine(), template=True).hex()

    async def close(self) -> None:
        """Close every sandbox and helper. Safe to call twice."""
        self._closed = True
        await asyncio.gather(*(sandbox.close() for sandbox in list(self._sandboxes.values())))
        self._makers.close()
        async with self._starting:
            if self._spawner is not None:
                await self._spawner.close()
        await self._tasks.close()
        await self._relay.close()
        await self._ready.close()
        await self._network.close()
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
                    await self._spawner.close()
                    log.error("spawner.restarted", extra={"reason": self._spawner.how_it_ended})
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

    def _thaw_all_of(self, maker: Maker) -> None:
        for sandbox_id, made_by in self._made_by.items():
            if made_by is maker:
                with contextlib.suppress(SandboxError):
                    self._sandboxes[sandbox_id].thaw_nowait()

    def _make_cgroups(self, spec: SandboxSpec) -> CgroupSet | None:
        if not self._trees.distinct():
            return None
        try:
            return CgroupSet(
                self._trees,
                f"{self._prefix}{spec.id}",
                pids=spec.processes_max + plan.INIT_PROCESSES,
            )
        except OSError as err:
            raise SandboxError(f"sandbox {spec.id}, cgroups: {err}") from err

    def _forget(self, sandbox_id: str) -> None:
        self._sandboxes.pop(sandbox_id, None)
        self._made_by.pop(sandbox_id, None)
        self._slots.release(sandbox_id)
        self._ready.release(sandbox_id)
        if relayed := self._relayed.pop(sandbox_id, None):
            relayed.close()
