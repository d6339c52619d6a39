"""The backend without isolation: owner of its sandboxes and of the folder that they are in."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import socket
from pathlib import Path

import alonzo
from alonzo.lib.tasks import TaskScope
from alonzo.sandbox.backends.none import plan
from alonzo.sandbox.backends.none.sandbox import PlainSandbox
from alonzo.sandbox.base import Layer, SandboxError, SandboxSpec, ZygoteError
from alonzo.sandbox.overseer.client import Overseer

log = logging.getLogger("alonzo.sandbox")

_ID = re.compile(r"[a-z0-9-]{1,40}")

_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from alonzo.sandbox.overseer.program import main; main()"
)


class PlainBackend:
    """Makes sandboxes that are none. See ``base.Backend``.

    ``run_dir`` is a folder of the data directory, for us alone; ``python`` runs overseers.
    """

    def __init__(self, *, run_dir: Path, python: str) -> None:
        self._folder = run_dir / "plain"
        self._python = python
        self._source = str(Path(alonzo.__file__).parents[1])
        self._tasks = TaskScope()
        self._sandboxes: dict[str, PlainSandbox | None] = {}
        self._closed = False

    @property
    def name(self) -> str:
        """Its name on the command line."""
        return "none"

    @property
    def isolated(self) -> bool:
        """Never."""
        return False

    @property
    def leads(self) -> bool:
        """Never."""
        return False

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What functions are not kept from."""
        return plan.LAYERS

    async def open(self) -> None:
        """Remove what a dead daemon left; its processes have ended with it."""
        log.warning("isolation.none")
        try:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as err:
            raise SandboxError(f"isolation none: {err}") from err

    async def create(self, spec: SandboxSpec) -> PlainSandbox:
        """Make a sandbox."""
        if spec.zygote is not None:
            raise ZygoteError("without isolation there are no zygotes")
        if self._closed:
            raise SandboxError("the backend is closed")
        if not _ID.fullmatch(spec.id):
            raise SandboxError(f"sandbox id {spec.id!r}: want {_ID.pattern}")
        if spec.id in self._sandboxes:
            raise SandboxError(f"sandbox {spec.id}: there is one of that id")
        self._sandboxes[spec.id] = None
        try:
            sandbox = await self._begin(spec)
        except BaseException:
            self._sandboxes.pop(spec.id, None)
            raise
        self._sandboxes[spec.id] = sandbox
        try:
            await sandbox.open()
        except BaseException:
            await sandbox.close()
            raise
        return sandbox

    async def _begin(self, spec: SandboxSpec) -> PlainSandbox:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                program = await asyncio.create_subprocess_exec(
                    *(self._python, "-I", "-S", "-c", _PROGRAM, self._source),
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    env={},
                    cwd="/",
                    start_new_session=True,
                )
        except OSError as err:
            ours.close()
            raise SandboxError(f"sandbox {spec.id}: {self._python}: {err}") from err
        except BaseException:
            ours.close()
            raise
        return PlainSandbox(
            spec,
            self._folder / spec.id,
            Overseer(spec.id, ours),
            program,
            self._tasks,
            lambda: self._forget(spec.id),
        )

    def _forget(self, sandbox_id: str) -> None:
        self._sandboxes.pop(sandbox_id, None)

    async def close(self) -> None:
        """Close every sandbox. Safe to call twice."""
        self._closed = True
        made = [sandbox for sandbox in self._sandboxes.values() if sandbox is not None]
        await asyncio.gather(*(sandbox.close() for sandbox in made))
        await self._tasks.close()
        if self._folder.is_dir() and not any(os.scandir(self._folder)):
            self._folder.rmdir()
