"""Real environments without the platform around them: sandboxes, runtimes and extensions.

For what no API of the platform can ask for: a folder that is shown at ``/opt`` as it is.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from alonzo.environments.intake import Intake
from alonzo.environments.pool import Pool
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.values import EnvironmentSettings, Invocation, Outcome
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.identity import AccessKey
from alonzo.model.ports.logs import LogEvent, LogStream
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.registry import Runtimes, families
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend
from alonzo.testing.dotnet import installed

# The first loop of a process makes a pipe that libuv keeps for ever; no test is to blame for it.
uvloop.new_event_loop().close()

KEY = FunctionKey("000000000000", "eu-west-1", "shop")
RUNTIME = f"python3.{sys.version_info.minor}"
VERSION = ServingVersion(
    KEY,
    "$LATEST",
    "g",
    RUNTIME,
    "handler.handler",
    "arn:aws:iam::000000000000:role/any",
    "code",
    timeout_s=5,
    log_group="/aws/lambda/shop",
)

#: How long a scenario may take.
RUN_S_MAX = 40.0


@functools.cache
def host_runtimes() -> Runtimes:
    """What runs on this host."""
    dotnet = max(installed().items(), default=None)
    places = SearchPlaces(
        path=tuple(map(Path, os.environ["PATH"].split(":"))),
        home=Path.home(),
        base_prefix=Path(sys.base_prefix),
        dotnet_root=None if dotnet is None else dotnet[1].root,
    )
    return Runtimes(families(places))


class Environments:
    """A pool on real sandboxes. ``lines`` is what was logged, in order, ``streams`` by stream."""

    def __init__(
        self, folder: Path, backend: NamespaceBackend, scope: TaskScope, **settings: Any
    ) -> None:
        settings.setdefault("parked_floor", 0)
        self.lines: list[str] = []
        self.streams: dict[str, list[str]] = {}
        self._folder = folder
        self._numbers = itertools.count(1)
        around = Surroundings(
            backend,
            self,
            self,
            self._serve,
            SystemClock(),
            SystemIds(),
            scope,
            EnvironmentSettings(**settings),
        )
        self.pool = Pool(around, host_runtimes(), self, starts_max=4)

    # What the pool stands on

    @property
    def batch(self) -> object:
        """``LogSink``: each write is looked at at once."""
        return object()

    def write_nowait(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        """See ``model.ports.logs.LogSink``."""
        lines = [event.message for event in events]
        self.lines.extend(lines)
        self.streams.setdefault(stream.name, []).extend(lines)

    def issue(self, *, role_arn: str, function_arn: str, duration_s: int) -> AccessKey:
        """See ``model.ports.identity.RoleCredentials``."""
        return AccessKey("ASIA", "secret", Principal("0" * 12, role_arn, "id", "ASIA"), "token")

    async def _serve(self, listening: Any) -> Callable[[], None]:
        return listening.close

    async def prepare(self, code_sha256: str) -> Path:
        """See ``model.ports.code.CodeProvider``: the folder of that name."""
        return self._folder / code_sha256

    async def prepare_layers(self, digests: tuple[str, ...]) -> Path:
        """See ``model.ports.code.CodeProvider``: the folder of the first one's name."""
        return self._folder / digests[0]

    # What a test does

    def write(self, path: str, text: str, mode: int = 0o755) -> None:
        """Put a file below ``code/`` (``/var/task``) or ``opt/`` (``/opt``)."""
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    async def invoke(
        self,
        payload: bytes = b"{}",
        *,
        version: ServingVersion = VERSION,
        intake: Intake | None = None,
        **changes: Any,
    ) -> Outcome:
        """Run one attempt; keywords change the version. ``intake`` takes what is streamed."""
        if (self._folder / "opt").exists():
            changes.setdefault("layers", ("opt",))
        number = next(self._numbers)
        invocation = Invocation(
            f"00000000-0000-4000-8000-{number:012x}",
            f"attempt-{number}",
            KEY.qualified("$LATEST"),
            payload,
            "Root=1-0-0;Parent=0;Sampled=0",
            log_tail=True,
            intake=intake,
        )
        return await self.pool.invoke(replace(version, **changes), invocation)


@asynccontextmanager
async def environments(folder: Path, **settings: Any) -> AsyncGenerator[Environments]:
    """Environments whose code and ``/opt`` lie below ``folder``; all gone at the end."""
    (folder / "run").mkdir()
    backend = NamespaceBackend(
        run_dir=folder / "run",
        instance=os.urandom(6).hex(),
        python=sys.executable,
        clock=SystemClock(),
    )
    try:
        await backend.open()
        async with TaskScope() as scope:
            made = Environments(folder, backend, scope, **settings)
            try:
                yield made
            finally:
                await made.pool.close()
    finally:
        await backend.close()


def run(folder: Path, scenario: Callable[[Environments], Awaitable[None]], **settings: Any) -> None:
    """Run a scenario on environments of its own, on the loop of the platform, within 40 seconds."""

    async def main() -> None:
        async with asyncio.timeout(RUN_S_MAX), environments(folder, **settings) as made:
            await scenario(made)

    uvloop.run(main())


def failing_hook(which: str, how: str = "1 / 0") -> str:
    """The code of a Python function whose hook, ``before_snapshot`` or ``after_restore``, fails."""
    return f"""
import time
from snapshot_restore_py import register_{which}
@register_{which}
def hook(): {how}
def handler(event, context): return "served"
"""
