"""Where an environment begins: in a home that can be restored, or in one of the stock."""

from __future__ import annotations

from alonzo.environments.home import Home
from alonzo.environments.package import Package
from alonzo.environments.snapshots import Snapshots
from alonzo.environments.stock import Stock
from alonzo.environments.variables import early_variables
from alonzo.model.functions import ServingVersion
from alonzo.sandbox.base import Fitting


async def move_in(
    version: ServingVersion, package: Package, stock: Stock, snapshots: Snapshots
) -> tuple[Home, bool]:
    """A home that is the version's own from now on, and whether what runs in it are forks.

    Raises:
        SandboxError: there is no sandbox to be had.
    """
    home = await snapshots.take(version, package) if version.snap_start else None
    if home is not None:
        return home, home.prepared_at_s is None
    fitting = Fitting(version.memory_mib, version.tmp_mib, package.mounts)
    home = await stock.take_fitted(package.launch, early_variables(version), fitting)
    if version.snap_start:
        snapshots.adopt(version, home)
    return home, False
