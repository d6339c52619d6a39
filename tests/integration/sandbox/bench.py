"""What the scenarios share: a backend of their own, and ways to run a program in a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import sys
import time
from pathlib import Path

from alonzo.lib.clock import SystemClock
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend
from alonzo.sandbox.base import (
    ExitStatus,
    Mount,
    NotExecutableError,
    ProcessSpec,
    SandboxError,
    SandboxSpec,
)

#: A Python that is below /usr, so that every sandbox has it.
PYTHON = "/usr/bin/python3"


@dataclasses.dataclass
class Bench:
    """A backend, open, and a folder to work in."""

    backend: NamespaceBackend
    folder: Path
    instance: str
    _count: itertools.count = dataclasses.field(default_factory=itertools.count)

    async def sandbox(self, **changes):
        """A small sandbox; keywords replace fields of its description."""
        fields = {
            "id": f"t{next(self._count)}",
            "memory_mib": 64,
            "tmp_mib": 16,
            "processes_max": 32,
        }
        return await self.backend.create(SandboxSpec(**{**fields, **changes}))

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

    async def python(self, sandbox, code: str, **fields) -> tuple[ExitStatus, str]:
        """Run Python code to its end."""
        return await self.run(sandbox, PYTHON, "-I", "-S", "-c", code, **fields)

    async def begin(self, sandbox, code: str):
        """Start Python code, and return once it has printed ``ready``."""
        process, file = await self.piped(sandbox, code)
        with file:
            assert b"ready" in await asyncio.to_thread(file.read, 100)
        return process

    async def piped(self, sandbox, code: str):
        """Start Python code; the process, and the unbuffered file of what it writes to 1."""
        reader, writer = os.pipe()
        try:
            process = await sandbox.start(
                ProcessSpec((PYTHON, "-I", "-S", "-c", code), {}, fds={1: writer})
            )
        finally:
            os.close(writer)
        return process, os.fdopen(reader, "rb", buffering=0)

    def mount(self, name: str, text: str, target: str) -> Mount:
        """A file of the host, to show in a sandbox."""
        path = self.folder / name
        path.write_text(text)
        return Mount(path, target)


async def open_bench(folder: Path, *, instance: str = "") -> Bench:
    """A bench over a backend of its own; the caller closes the backend."""
    instance = instance or f"t{os.getpid()}x{time.monotonic_ns() % 10**9}"
    backend = NamespaceBackend(
        run_dir=folder / "run", instance=instance, python=sys.executable, clock=SystemClock()
    )
    await backend.open()
    return Bench(backend, folder, instance)


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
