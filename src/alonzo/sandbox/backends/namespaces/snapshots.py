"""Templates and their clones as the daemon sees them. See ``sandbox/templates.py``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from alonzo.sandbox.backends.namespaces import plan
from alonzo.sandbox.backends.namespaces.cgroup_trees import Trees
from alonzo.sandbox.backends.namespaces.cgroups import CgroupSet
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.backends.namespaces.inside.launch import PARKED_FROM
from alonzo.sandbox.backends.namespaces.sandbox import NamespaceSandbox
from alonzo.sandbox.base import (
    ExitStatus,
    Fitting,
    Layer,
    ProcessSpec,
    SandboxError,
    SandboxSpec,
)
from alonzo.sandbox.reported_process import ReportedProcess

#: For what the function's code has left at work between forks, and for pid 1, which has to reap.
_RESTING_CPUS = 0.1

#: How long the end of a clone, which takes milliseconds, is waited for before its template ends.
_END_S_MAX = 2.0

MakeClone = Callable[[str, Fitting], Awaitable["CloneSandbox"]]


def why_no_templates(*, rootless: bool, trees: Trees, network_shared: bool) -> str | None:
    """What keeps a host from templates, or None. Pure."""
    if network_shared:
        return "a snapshot needs sandboxes with a network of their own, so not --network host"
    if rootless:
        return "a snapshot needs a user id of its own for each sandbox: run the platform as root"
    if trees.memory is None or trees.freezer is None:
        return "a snapshot needs cgroups that count memory and freeze"
    return None


def layer_of(reason: str | None) -> Layer:
    """The same, as a layer."""
    off = f"SnapStart prepares each environment by an init of its own: {reason}"
    forked = "Python is forked, others are prepared one by one"
    return Layer("snapshots", reason is None, forked if reason is None else off)


class TemplateSandbox(NamespaceSandbox):
    """A sandbox whose process can be forked. The backend makes it, and its clones."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._make_clone: MakeClone | None = None
        self._clones: set[CloneSandbox] = set()
        self._forks: dict[int, CloneSandbox] = {}
        self._orders = 0

    @property
    def spec(self) -> SandboxSpec:
        """What it was made by."""
        return self._spec

    def clones_by(self, make_clone: MakeClone) -> None:
        """Have clones made so. For the backend."""
        self._make_clone = make_clone

    async def clone(self, sandbox_id: str, fitting: Fitting) -> CloneSandbox:
        """A sandbox for forks of the process."""
        assert self._make_clone is not None
        self._refuse_if_ended()
        return await self._make_clone(sandbox_id, fitting)

    async def make(self, clone: CloneSandbox, fitting: Fitting, uid: int, fds: list[int]) -> None:
        """Have pid 1 make a clone. For the clone; the first of ``fds`` is its control socket."""
        order = plan.clone_order(clone.spec, fitting, name=self._next_name(), uid=uid)
        self._clones.add(clone)
        with self._at_work():
            await self._ask(order, fds)

    async def fork(
        self, clone: CloneSandbox, spec: ProcessSpec, lists: list[int]
    ) -> ReportedProcess:
        """Have the process forked into a clone; ``lists`` are those of its cgroups."""
        name = self._next_name()
        fields = plan.start_order(spec, name=name, descriptor_max=PARKED_FROM)
        order = {"op": "fork", "clone": clone.id, "lists": len(lists)}
        order |= {key: fields[key] for key in ("name", "fds")}
        process = ReportedProcess(name, self._channel.send_nowait)
        self._processes[name], self._forks[name] = process, clone
        try:
            with self._at_work():
                await self._ask(order, [*lists, *spec.fds.values()])
        except BaseException:
            if process.exited is None:
                process.signal(signal.SIGKILL)
            self._processes.pop(name, None)
            self._forks.pop(name, None)
            raise
        return process

    @contextlib.contextmanager
    def _at_work(self) -> Generator[None]:
        """Let pid 1 and the process have every processor meanwhile."""
        self._orders += 1
        self.limit_cpu_nowait(None)
        try:
            yield
        finally:
            self._orders -= 1
            if not self._orders:
                self.limit_cpu_nowait(_RESTING_CPUS)

    def forget(self, clone: CloneSandbox) -> None:
        """A clone is gone."""
        self._clones.discard(clone)

    async def freeze(self) -> None:
        """Have the process stand still; it still can be forked. Pid 1 stays at work."""
        self._refuse_if_ended()
        await self._ask({"op": "freeze", "name": self._next_name()})
        self.limit_cpu_nowait(_RESTING_CPUS)

    def thaw_nowait(self) -> None:
        """Nothing: only a fork lets the process run again."""

    def _process_exited(self, notice: dict[str, Any]) -> None:
        clone = self._forks.pop(notice["exited"], None)
        if clone is None:
            super()._process_exited(notice)
            return
        process = self._processes.pop(notice["exited"], None)
        if process is not None:
            clone.fork_exited(process, notice["status"])

    async def _close(self) -> None:
        clones = list(self._clones)
        for each in (*clones, super()):
            with contextlib.suppress(SandboxError):
                each.thaw_nowait()
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)  # and all clones with it
        for clone in clones:
            await clone.close()
        await super()._close()


class CloneSandbox(NamespaceSandbox):
    """A sandbox in which forks of a template's process run. The backend makes it."""

    _template: TemplateSandbox | None = None

    @property
    def spec(self) -> SandboxSpec:
        """What it was made by."""
        return self._spec

    async def join(
        self,
        template: TemplateSandbox,
        theirs: socket.socket,
        group: CgroupSet,
        fitting: Fitting,
        *,
        uid: int,
    ) -> None:
        """Be made. For the backend, before anybody has it."""
        self._template = template
        self._ports = self._spec.listen_ports  # its pid 1 may be ready before the template says so
        lists = group.open_lists()
        try:
            await template.make(self, fitting, uid, [theirs.fileno(), *lists])
        finally:
            wire.close_all(lists)
        theirs.close()
        await self.wait_ready(self._spec.listen_ports)
        self._limits = plan.limits(fitting)
        self._limit_memory(self._limits)

    async def start(self, spec: ProcessSpec) -> ReportedProcess:
        """Start a process; without a program, a fork of the template's."""
        if spec.argv:
            return await super().start(spec)
        self._refuse_if_ended_or_frozen()
        template, cgroups = self._template, self._cgroups
        assert template is not None
        assert cgroups is not None
        self._out_of_memory = False
        self._kills_seen = cgroups.out_of_memory_kills()
        lists = cgroups.open_lists()
        try:
            process = await template.fork(self, spec, lists)
        finally:
            wire.close_all(lists)
        # Names of its own processes count up from 1.
        self._processes[-self._next_name()] = process
        self._look_later()
        if self._has_ended():
            process.set_exited(ExitStatus(signal=signal.SIGKILL))
            raise SandboxError(f"sandbox {self._id} has ended")
        return process

    def fork_exited(self, process: ReportedProcess, status: int) -> None:
        """A fork has ended. For the template."""
        for name in [name for name, one in self._processes.items() if one is process]:
            del self._processes[name]
        if os.WIFEXITED(status):
            process.set_exited(ExitStatus(code=os.WEXITSTATUS(status)))
            return
        number = os.WTERMSIG(status)
        killed = number == signal.SIGKILL
        if killed and not self._has_ended():
            self._out_of_memory = self._out_of_memory or self._kernel_killed()
        process.set_exited(ExitStatus(signal=number, out_of_memory=self._out_of_memory and killed))

    async def _close(self) -> None:
        await self._end()
        await super()._close()
        if self._template is not None:
            self._template.forget(self)

    async def _end(self) -> None:
        """Have everything inside end; if something hangs on the template's process, that too."""
        if self._pidfd < 0 or self._template is None:
            return
        with contextlib.suppress(SandboxError):
            self.thaw_nowait()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        try:
            async with asyncio.timeout(_END_S_MAX):
                await self._gone.wait()
        except TimeoutError:
            # A child of the process that it does not reap keeps the pid namespace.
            with contextlib.suppress(SandboxError):
                await self._template.kill()
