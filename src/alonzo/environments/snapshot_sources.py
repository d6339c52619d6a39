"""Where the restored environments of one published version come from: two kinds of sources.

* ``ForkSource``: one process is initialised for the version, and forked for each environment.
* ``PreparingSource``: each environment is initialised by itself, ahead of need, and stands still
  until it is restored. That works wherever an environment works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from alonzo.environments.beginning import Beginning
from alonzo.environments.extensions.external import find_extensions
from alonzo.environments.home import Home, Rung
from alonzo.environments.inits import InitFailedError
from alonzo.environments.journal import Journal
from alonzo.environments.package import Package
from alonzo.environments.parameters_rules import port_of
from alonzo.environments.reporter import Reporter
from alonzo.environments.snapshot_rules import INIT_S_MIN
from alonzo.environments.stock import Stock
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.variables import SNAP_START, early_variables
from alonzo.model.functions import ServingVersion
from alonzo.sandbox.base import Fitting, Sandbox, SandboxSpec
from alonzo.sandbox.templates import Template, TemplateBackend


class Source(Protocol):
    """Makes homes that can be restored, for one version.

    ``quick``: a call may wait for one to be made. ``homes`` are those that it takes for itself.
    """

    quick: bool
    homes: int

    async def make(self) -> Home:
        """A home that is the caller's, and can be restored at once.

        Raises:
            InitFailedError: the function's own code could not be initialised.
            SandboxError: there is no sandbox to be had.
        """
        ...

    def watch(self, on_end: Callable[[], None]) -> None:
        """Have ``on_end`` called if it can make no more, because what it has for itself ended."""
        ...

    async def close(self) -> None:
        """End what it has for itself. What it has made must have ended."""
        ...


class ForkSource:
    """Forks one process, the template, which has initialised and stands still."""

    quick = True
    homes = 1

    def __init__(
        self, version: ServingVersion, package: Package, around: Surroundings, home: Home
    ) -> None:
        self.home = home
        self._version = version
        self._package = package
        self._around = around

    @classmethod
    async def open(
        cls,
        version: ServingVersion,
        package: Package,
        around: Surroundings,
        backend: TemplateBackend,
    ) -> ForkSource:
        """Initialise the template.

        Raises:
            InitFailedError: the function's own code could not be initialised.
            SandboxError: it could not be made.
        """
        home = await Home.make(
            package.launch,
            Rung.FORK,
            around,
            ports=_ports(version),
            create=backend.create_template,
        )
        try:
            await home.fit(Fitting(version.memory_mib, version.tmp_mib, package.mounts))
            await _initialise(home, version, package, around, names=(), template=True)
        except BaseException:
            await home.close()
            raise
        return cls(version, package, around, home)

    async def make(self) -> Home:
        """See ``Source``."""
        fitting = Fitting(self._version.memory_mib, self._version.tmp_mib)
        # Only open() gives the template its sandbox, and that is one.
        template: Template = self.home.sandbox  # pyright: ignore[reportAssignmentType] - as said

        async def clone(spec: SandboxSpec) -> Sandbox:
            return await template.clone(spec.id, fitting)

        return await Home.make(
            self._package.launch,
            Rung.FORK,
            self._around,
            ports=_ports(self._version),
            create=clone,
        )

    def watch(self, on_end: Callable[[], None]) -> None:
        """See ``Source``."""
        self.home.on_end = on_end
        if self.home.is_lost:
            on_end()

    async def close(self) -> None:
        """See ``Source``."""
        await self.home.close()


class PreparingSource:
    """Initialises a home of the stock for each environment, and has it stand still."""

    quick = False
    homes = 0

    def __init__(
        self, version: ServingVersion, package: Package, around: Surroundings, stock: Stock
    ) -> None:
        self._version = version
        self._package = package
        self._around = around
        self._stock = stock

    async def make(self) -> Home:
        """See ``Source``."""
        version, package = self._version, self._package
        names = await extensions_of(package)
        fitting = Fitting(version.memory_mib, version.tmp_mib, package.mounts)
        home = await self._stock.take_fitted(package.launch, early_variables(version), fitting)
        try:
            await _initialise(home, version, package, self._around, names=names, template=False)
        except BaseException:
            await home.close()
            raise
        return home

    def watch(self, on_end: Callable[[], None]) -> None:
        """See ``Source``: it has nothing for itself."""

    async def close(self) -> None:
        """See ``Source``: it has nothing for itself."""


async def extensions_of(package: Package) -> tuple[str, ...]:
    """The names of the external extensions that the layers bring."""
    if package.layers is None:
        return ()
    return await asyncio.to_thread(find_extensions, package.layers)


async def _initialise(
    home: Home,
    version: ServingVersion,
    package: Package,
    around: Surroundings,
    *,
    names: tuple[str, ...],
    template: bool,
) -> None:
    """Bring a home up to where a snapshot would be taken, with a log stream of its own."""
    clock = around.clock
    journal = Journal(version, around.sink, clock=clock, suffix=around.ids.hex(16))
    reporter = Reporter(version, journal, clock=clock, initialization_type=SNAP_START)
    failed, _ = await Beginning(home, version, package, around, reporter, home.lost).init(
        SNAP_START,
        timeout_s=max(INIT_S_MIN, float(version.timeout_s)),
        names=names,
        template=template,
    )
    if failed is not None:
        raise InitFailedError(failed)
    await home.wait()


def _ports(version: ServingVersion) -> tuple[int, ...]:
    port = port_of(version)
    return () if port is None else (port,)
