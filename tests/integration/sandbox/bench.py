"""What the scenarios share: a backend of their own, and ways to run a program in a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import sys
import time
from pathlib import Path

from alonzo.lib.clock import SystemClock
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend
from alonzo.sandbox.base import (
    ExitStatus,
    Fitting,
    Mount,
    NotExecutableError,
    ProcessSpec,
    SandboxError,
    SandboxSpec,
    Zygote,
)

#: A Python that is below /usr, so that every sandbox has it.
PYTHON = "/usr/bin/python3"


#: A zygote of the same Python, its module beside this file.
ZYGOTE = Zygote((PYTHON, "-I", "-S"), "/var/runtime", "forked")
ZYGOTE_MOUNT = Mount(Path(__file__).parent / "zygote", "/var/runtime")


@dataclasses.dataclass
class Bench:
    """A backend, open, and a folder to work in.

    ``forked`` says how Python code is started: as forks of a zygote, or executed.
    """

    backend: NamespaceBackend
    folder: Path
    instance: str
    forked: bool = False
    _count: itertools.count = dataclasses.field(default_factory=itertools.count)

    @property
    def own_mounts(self) -> tuple[Mount, ...]:
        """The mounts that every sandbox of this bench has."""
        return (ZYGOTE_MOUNT,) if self.forked else ()

    async def unfitted(self, **changes):
        """A sandbox that is nobody's yet; keywords replace fields of its description."""
        fields = {"id": f"t{next(self._count)}", "processes_max": 32}
        if self.forked:
            fields |= {"zygote": ZYGOTE, "mounts": self.own_mounts}
        return await self.backend.create(SandboxSpec(**{**fields, **changes}))

    async def sandbox(self, **changes):
        """A small sandbox, fitted; keywords replace fields of its description."""
        fields = {"memory_mib": 64, "tmp_mib": 16}
        names = ("memory_mib", "tmp_mib", *(() if "zygote" in changes else ("mounts",)))
        fields |= {name: changes.pop(name) for name in names if name in changes}
        box = await self.unfitted(**changes)
        try:
            await box.fit(Fitting(**fields))
        except BaseException:
            await box.close()
            raise
        return box

    async def run(self, sandbox, *argv, within_s=20.0, **fields) -> tuple[ExitStatus, str]:
        """Run a program to its end; its status, and what it wrote to 1 and 2."""
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as file:
            try:
                fds = {1: writer, 2: writer, **fields.pop("fds", {})}
                spec = ProcessSpec(argv, fields.pop("environment", {}), fds=fds, **fields)
                process = await sandbox.start(spec)
            finally:
                os.close(writer)
            text = await asyncio.to_thread(file.read)
        async with asyncio.timeout(within_s):
            return await process.wait(), text.decode(errors="replace")

    def code(self, code: str, argv: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
        """The command line and the environment that run Python code."""
        if self.forked:
            return (), {"FORKED": json.dumps([["-c", *argv], code])}
        return (PYTHON, "-I", "-S", "-c", code, *argv), {}

    async def python(self, sandbox, code: str, *argv: str, **fields) -> tuple[ExitStatus, str]:
        """Run Python code to its end."""
        command, environment = self.code(code, argv)
        environment |= fields.pop("environment", {})
        return await self.run(sandbox, *command, environment=environment, **fields)

    async def first(self, code: str, *argv: str):
        """Run Python code that is begun with its sandbox: that, its status, what it wrote."""
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as file:
            command, environment = self.code(code, argv)
            spec = ProcessSpec(command, environment, fds={1: writer, 2: writer})
            try:
                box = await self.unfitted(first=spec)
                process = await box.start(spec)
            finally:
                os.close(writer)
            text = await asyncio.to_thread(file.read)
        return box, await process.wait(), text.decode(errors="replace")

    async def begin(self, sandbox, code: str):
        """Start Python code, and return once it has printed ``ready``."""
        process, file = await self.piped(sandbox, code)
        with file:
            assert b"ready" in await asyncio.to_thread(file.read, 100)
        return process

    async def piped(self, sandbox, code: str):
        """Start Python code; the process, and the unbuffered file of what it writes to 1."""
        reader, writer = os.pipe()
        command, environment = self.code(code, ())
        try:
            process = await sandbox.start(ProcessSpec(command, environment, fds={1: writer}))
        finally:
            os.close(writer)
        return process, os.fdopen(reader, "rb", buffering=0)

    def mount(self, name: str, text: str, target: str) -> Mount:
        """A file of the host, to show in a sandbox."""
        path = self.folder / name
        path.write_text(text)
        return Mount(path, target)


async def open_bench(folder: Path, *, instance: str = "", forked: bool = False) -> Bench:
    """A bench over a backend of its own; the caller closes the backend."""
    instance = instance or f"t{os.getpid()}x{time.monotonic_ns() % 10**9}"
    backend = NamespaceBackend(
        run_dir=folder / "run", instance=instance, python=sys.executable, clock=SystemClock()
    )
    await backend.open()
    return Bench(backend, folder, instance, forked)


async def until(condition, within_s: float = 10.0) -> None:
    """Wait for a state, with a limit."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.005)


@contextlib.contextmanager
def refused(told: str = "", kind: type[SandboxError] = SandboxError):
    """Expect an error of that kind that says so; files are blamed only where it is expected."""
    try:
        yield
    except SandboxError as err:
        text = f"{type(err).__name__}: {err}"
        right = isinstance(err, NotExecutableError) == (kind is NotExecutableError)
    else:
        raise AssertionError("it was not refused")
    assert right, text
    assert told in text, text


def ignored_by(condition) -> bool:
    """Whether ``condition`` stays false for a while: for states that must not come."""
    end = time.monotonic() + 0.15
    while time.monotonic() < end:
        if condition():
            return False
        time.sleep(0.01)
    return True
