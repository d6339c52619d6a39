"""The gVisor backend: finds ``runsc``, tries it, and owns its sandboxes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import alonzo
from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.gvisor import plan
from alonzo.sandbox.backends.gvisor.sandbox import GvisorSandbox
from alonzo.sandbox.base import (
    ExitStatus,
    Fitting,
    Layer,
    ProcessSpec,
    SandboxError,
    SandboxSpec,
    ZygoteError,
)

_ID = re.compile(r"[a-z0-9-]{1,40}")

#: Longest that one command of ``runsc``, and one trial of a platform, may take.
_COMMAND_S_MAX = 20.0


class GvisorBackend:
    """Makes sandboxes with ``runsc``. See ``base.Backend``.

    ``run_dir`` is a folder of the data directory, for us alone; ``python`` is what pid 1 of every
    sandbox runs on; ``search_path`` is where ``runsc`` is looked for.
    """

    def __init__(self, *, run_dir: Path, python: str, search_path: str) -> None:
        self._folder = run_dir / "gvisor"
        # runsc keeps an abstract socket for each sandbox, which all of this host share.
        self._prefix = f"alonzo-{sha256(bytes(self._folder)).hexdigest()[:12]}"
        # An interpreter knows its library by where its real file is.
        self._python = Path(os.path.realpath(python))
        self._runsc = shutil.which("runsc", path=search_path)
        self._source = Path(alonzo.__file__).parent / "sandbox" / "overseer"
        self._command: tuple[str, ...] = ()
        self._layers: tuple[Layer, ...] = ()
        self._tasks = TaskScope()
        self._sandboxes: dict[str, GvisorSandbox] = {}
        self._closed = False

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return "gvisor"

    @property
    def isolated(self) -> bool:
        """Always; a host that cannot is refused by ``open()``."""
        return True

    @property
    def leads(self) -> bool:
        """Never."""
        return False

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What this host gives. After ``open()``."""
        return self._layers

    async def open(self) -> None:
        """Sweep what a dead daemon left, and take the first platform on which a sandbox works."""
        if self._runsc is None:
            raise SandboxError(
                "isolation gvisor: runsc is not on PATH: install it (Debian: `apt-get install "
                "runsc`; else from gvisor.dev), or use --isolation namespaces"
            )
        if os.geteuid() != 0:
            raise SandboxError(
                "isolation gvisor: it needs root, for network namespaces and users of their own; "
                "run as root, or use --isolation namespaces"
            )
        await asyncio.to_thread(self._sweep)
        failures: list[str] = []
        version = await self._version(self._runsc)
        for platform in plan.PLATFORMS:
            self._command = plan.command(self._runsc, self._folder / "state", platform)
            try:
                async with asyncio.timeout(_COMMAND_S_MAX):
                    await self._try()
            except (SandboxError, TimeoutError) as err:
                failures.append(f"{platform}: {err or 'no answer in time'}")
            else:
                self._layers = plan.layers(version, platform)
                return
        raise SandboxError(f"isolation gvisor: runsc {version} does not work: {failures}")

    async def _version(self, runsc: str) -> str:
        try:
            done = await asyncio.to_thread(
                subprocess.run,
                (runsc, "--version"),
                capture_output=True,
                text=True,
                timeout=_COMMAND_S_MAX,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as err:
            raise SandboxError(f"isolation gvisor: {runsc}: {err}") from err
        return done.stdout.partition("\n")[0].removeprefix("runsc version ").strip()

    async def _try(self) -> None:
        """Start a process with a descriptor of ours, which is what some builds cannot pass."""
        sandbox = await self.create(SandboxSpec("trial", processes_max=8))
        reader, writer = os.pipe()
        try:
            try:
                await sandbox.fit(Fitting(64, 8))
                spec = ProcessSpec(("/bin/sh", "-c", "echo it works >&3"), {}, fds={3: writer})
                process = await sandbox.start(spec)
            finally:
                os.close(writer)
            status = await process.wait()
            with os.fdopen(os.dup(reader), "rb") as file:
                told = await asyncio.to_thread(file.read)
        finally:
            os.close(reader)
            await sandbox.close()
        if status != ExitStatus(code=0) or told != b"it works\n":
            raise SandboxError(f"a process with a descriptor of ours: {status}, {told!r}")

    def _sweep(self) -> None:
        """End what a dead daemon left; most of it has ended with the daemon's sockets."""
        state = str(self._folder / "state")
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace")
                if "runsc" in words and state in words:
                    os.kill(int(name), signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            (self._folder / "state").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as err:
            raise SandboxError(f"isolation gvisor: {err}") from err

    async def create(self, spec: SandboxSpec) -> GvisorSandbox:
        """Make a sandbox."""
        if spec.zygote is not None:
            raise ZygoteError("gVisor's sandboxes have no zygotes")
        if self._closed:
            raise SandboxError("the backend is closed")
        if not _ID.fullmatch(spec.id):
            raise SandboxError(f"sandbox id {spec.id!r}: want {_ID.pattern}")
        if spec.id in self._sandboxes:
            raise SandboxError(f"sandbox {spec.id}: there is one of that id")
        sandbox = self._sandboxes[spec.id] = GvisorSandbox(
            spec,
            self._folder / spec.id,
            f"{self._prefix}-{spec.id}",
            self._command,
            self._tasks,
            lambda: self._forget(spec.id),
        )

        def config(root: Path, network: str) -> dict[str, Any]:
            return plan.bundle(
                root=root,
                mounts=spec.mounts,
                program=self._source,
                prefix=self._python.parent.parent,
                interpreter=self._python.name,
                network=network,
                hostname=spec.hostname,
            )

        try:
            await sandbox.open(config)
        except BaseException:
            await sandbox.close()
            raise
        return sandbox

    def _forget(self, sandbox_id: str) -> None:
        self._sandboxes.pop(sandbox_id, None)

    async def close(self) -> None:
        """Close every sandbox. Safe to call twice."""
        self._closed = True
        await asyncio.gather(*(sandbox.close() for sandbox in list(self._sandboxes.values())))
        await self._tasks.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
