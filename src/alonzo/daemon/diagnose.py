"""What this host gives the platform: isolation, probed by doing it, and which runtimes."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from alonzo.daemon import catalog
from alonzo.daemon.config import Config
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.registry import Runtimes
from alonzo.sandbox.base import SandboxError
from alonzo.store.data_dir import DataDir


@dataclass(frozen=True, slots=True)
class Row:
    """One finding. ``detail`` says how to get what is not there."""

    name: str
    ok: bool
    detail: str


def diagnose() -> list[Row]:
    """Probe the host, in a data directory of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="alonzo-doctor-") as folder:
        config = Config(Path(folder))
        return asyncio.run(_isolation(config)) + _runtimes(catalog.runtimes(config))


async def _isolation(config: Config) -> list[Row]:
    data = DataDir.open(config.data_dir)
    backend = catalog.backend(config, data)
    try:
        await backend.open()
    except SandboxError as err:
        return [Row(f"isolation {backend.name}", False, str(err))]
    else:
        return [Row(layer.name, layer.active, layer.detail) for layer in backend.layers]
    finally:
        await backend.close()
        data.close()


def _runtimes(runtimes: Runtimes) -> list[Row]:
    rows: list[Row] = []
    for name in runtimes.names:
        try:
            launch = runtimes.launch(name, Path("/nonexistent"))
        except RuntimeUnavailableError as err:
            rows.append(Row(name, False, str(err)))
        else:
            source = str(launch.paths[0].source) if launch.paths else "brings its own bootstrap"
            rows.append(Row(name, True, source))
    return rows
