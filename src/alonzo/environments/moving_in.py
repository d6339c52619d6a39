"""Where an environment begins: in a fork of its version's snapshot, or in a home of the stock."""

from __future__ import annotations

from collections.abc import Callable

from alonzo.environments.home import Home
from alonzo.environments.package import Package
from alonzo.environments.snapshots import NoSnapshotError, Snapshots
from alonzo.environments.stock import Stock
from alonzo.environments.variables import early_variables
from alonzo.model.functions import ServingVersion
from alonzo.sandbox.base import Fitting


async def move_in(
    version: ServingVersion,
    package: Package,
    stock: Stock,
    snapshots: Snapshots,
    say: Callable[[str], None],
) -> tuple[Home, bool]:
    """A home that is the version's own from now on, and whether it was restored.

    ``say`` is told why one that was to be restored is not.

    Raises:
        SandboxError: there is no sandbox to be had.
    """
    if version.snap_start:
        try:
            return await snapshots.take(version, package), True
        except NoSnapshotError as err:
            say(f"SNAPSTART_OFF This environment initialises itself: {err}")
    fitting = Fitting(version.memory_mib, version.tmp_mib, package.mounts)
    return await stock.take_fitted(package.launch, early_variables(version), fitting), False
