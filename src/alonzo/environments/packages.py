"""What a version runs on this host: its code, its layers, and how its runtime is started.

What was found once is kept until the version retires, so that a first call finds it in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from alonzo.environments.package import Package
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.code import CodeProvider
from alonzo.runtimes.base import Launch
from alonzo.runtimes.registry import Runtimes

#: Functions whose launches are kept; a launch is a few hundred bytes.
_FUNCTIONS_MAX = 10_000

#: What a launch is asked for where nobody will run code.
_NO_CODE = Path("/nonexistent")


class Packages:
    """Prepares versions.

    ``tasks`` own what goes on behind. ``on_improved`` is told of a launch that another has replaced
    for good.
    """

    def __init__(
        self,
        runtimes: Runtimes,
        code: CodeProvider,
        tasks: TaskScope,
        on_improved: Callable[[Launch, Launch], None],
    ) -> None:
        self._runtimes = runtimes
        self._code = code
        self._tasks = tasks
        self._on_improved = on_improved
        self._improving: set[str] = set()
        self._launches: dict[FunctionKey, dict[str, Launch]] = {}

    def knows(self, version: ServingVersion) -> bool:
        """Whether it was prepared before."""
        return version.generation in self._launches.get(version.key, {})

    async def prepare(self, version: ServingVersion) -> Package:
        """Have everything in its place.

        Raises:
            CodeError: the code or a layer cannot be unpacked.
            RuntimeUnavailableError: this host cannot run the version's runtime.
        """
        code = await self._code.prepare(version.code_sha256)
        layers = await self._code.prepare_layers(version.layers) if version.layers else None
        launch = self._launches.get(version.key, {}).get(version.generation)
        if launch is None:
            launch = await self.launch(version.runtime, code)
            if launch.improve is not None:  # A better one will be there soon.
                return Package(launch.for_handler(version.handler), code, layers)
            launch = launch.for_handler(version.handler)
            if version.key not in self._launches and len(self._launches) >= _FUNCTIONS_MAX:
                self._launches.pop(next(iter(self._launches)))
            self._launches.setdefault(version.key, {})[version.generation] = launch
        return Package(launch, code, layers)

    async def launch(self, identifier: str, code: Path = _NO_CODE) -> Launch:
        """How a runtime is started for ``code``.

        Raises:
            RuntimeUnavailableError: this host cannot run it.
        """
        # In a thread: the first look for an interpreter starts it to be sure of it.
        launch = await asyncio.to_thread(self._runtimes.launch, identifier, code)
        if launch.improve is not None and identifier not in self._improving:
            self._improving.add(identifier)
            self._tasks.spawn(self._improve(identifier, launch), name=f"improve {identifier}")
        return launch

    async def _improve(self, identifier: str, launch: Launch) -> None:
        assert launch.improve is not None
        try:
            if await launch.improve():
                self._on_improved(launch, await self.launch(identifier))
        finally:
            self._improving.discard(identifier)

    def retire(self, key: FunctionKey, live_generations: frozenset[str]) -> None:
        """Forget the generations of a function that are not among the live ones."""
        kept = {
            generation: launch
            for generation, launch in self._launches.pop(key, {}).items()
            if generation in live_generations
        }
        if kept:
            self._launches[key] = kept
