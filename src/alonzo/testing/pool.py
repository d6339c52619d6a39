"""A pool on a backend without processes, for tests of who serves, who is started and who ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from alonzo.environments.environment import Environment
from alonzo.environments.pool import Pool
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.values import EnvironmentSettings, Invocation, Outcome
from alonzo.lib.clock import Clock, SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.identity import AccessKey
from alonzo.model.ports.logs import LogEvent, LogStream
from alonzo.runtimes.base import Launch, Link
from alonzo.runtimes.registry import Runtimes
from alonzo.testing.sandbox import FakeBackend

KEY = FunctionKey("000000000000", "us-east-1", "f")
VERSION = ServingVersion(KEY, "$LATEST", "g1", "python3.12", "m.h", "role", "00", log_group="/l")

SCENARIO_S_MAX = 20.0


class PoolWorld:
    """A pool, and what it stands on. Nothing is kept ready unless ``parked_floor`` is set."""

    def __init__(
        self, backend: FakeBackend, scope: TaskScope, clock: Clock, **settings: Any
    ) -> None:
        self.backend = backend
        self.lines: list[str] = []
        self.layers: list[tuple[str, ...]] = []
        self.code_error: Exception | None = None
        self.how = Launch(("/bin/x",), Link.FRAMED)
        self._calls = 0
        around = Surroundings(
            backend,
            self,
            self,
            self.serve,
            clock,
            SystemIds(),
            scope,
            replace(EnvironmentSettings(freeze_after_s=60, parked_floor=0), **settings),
        )
        self.pool = Pool(around, cast("Runtimes", self), self, starts_max=4)

    @property
    def batch(self) -> object:
        """``LogSink``: each write is looked at at once."""
        return object()

    def write_nowait(self, stream: LogStream, events: Sequence[LogEvent]) -> None:
        """``LogSink``: keep the lines."""
        self.lines.extend(event.message for event in events)

    def issue(self, *, role_arn: str, function_arn: str, duration_s: int) -> AccessKey:
        """``RoleCredentials``: always the same."""
        return AccessKey("ASIA", "s", Principal("0" * 12, "arn", "id", "ASIA"), "t")

    async def serve(self, listening: socket.socket) -> Callable[[], None]:
        """The platform's endpoint: nobody calls it."""
        return listening.close

    async def prepare(self, code_sha256: str) -> Path:
        """``CodeProvider``: a place, or ``code_error``."""
        if self.code_error:
            raise self.code_error
        return Path("/nowhere")

    async def prepare_layers(self, digests: tuple[str, ...]) -> Path:
        """``CodeProvider``: a place; ``layers`` has what was asked for."""
        self.layers.append(digests)
        return Path("/merged")

    def launch(self, identifier: str, code: Path) -> Launch:
        """``Runtimes``: ``how``."""
        return self.how

    async def call(
        self,
        version: ServingVersion = VERSION,
        payload: bytes = b"1",
        tenant_id: str | None = None,
        environment: Environment | None = None,
    ) -> Outcome:
        """Invoke, with a request id of its own; ``environment`` was reserved for it."""
        self._calls += 1
        invocation = Invocation(
            f"r{self._calls}", "a", "arn", payload, "trace", tenant_id=tenant_id
        )
        return await self.pool.invoke(version, invocation, environment)


def run_with_pool(
    scenario: Callable[[PoolWorld], Awaitable[None]],
    *,
    backend: FakeBackend | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> None:
    """Run a scenario; afterwards nothing may be left in the pool or alive on the backend.

    ``clock`` is what environments see; None: the host's.
    """

    @asynccontextmanager
    async def world() -> AsyncGenerator[PoolWorld]:
        async with TaskScope() as scope:
            made = PoolWorld(backend or FakeBackend(), scope, clock or SystemClock(), **settings)
            try:
                yield made
            finally:
                await made.pool.close()
                assert len(made.pool) == 0
                assert made.backend.alive == set()

    async def main() -> None:
        async with asyncio.timeout(SCENARIO_S_MAX), world() as made:
            await scenario(made)

    asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    """Let others run until the condition holds."""
    while not condition():  # noqa: ASYNC110 - the state of a pool has no event of its own
        await asyncio.sleep(0)
