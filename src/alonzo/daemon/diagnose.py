"""What this host gives the platform: isolation, probed by doing it, and which runtimes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from alonzo.daemon import advice, catalog, host
from alonzo.daemon.advice import Availability, Row
from alonzo.daemon.config import Config
from alonzo.lib.clock import SystemClock
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.registry import Runtimes
from alonzo.sandbox.base import Layer, SandboxError
from alonzo.store.data_dir import DataDir


def isolation() -> list[Row]:
    """Probe the default backend, in a data directory of its own that is gone afterwards."""
    facts = host.read()
    with tempfile.TemporaryDirectory(prefix="alonzo-doctor-") as folder:
        layers, refusal = asyncio.run(_probe(Config(Path(folder))))
    return [*advice.of_isolation(facts, layers, refusal), advice.of_gvisor(facts)]


async def _probe(config: Config) -> tuple[tuple[Layer, ...], str | None]:
    data = DataDir.open(config.data_dir)
    backend = catalog.backend(config, data)
    try:
        await backend.open()
    except SandboxError as err:
        return (), str(err)
    else:
        return backend.layers, None
    finally:
        await backend.close()
        data.close()


def runtimes() -> list[Row]:
    """Which runtimes can be used here, of those that AWS still creates functions for."""
    known = catalog.runtimes(Config(Path.cwd()))
    today = datetime.fromtimestamp(SystemClock().now_s(), UTC).date()
    return advice.of_runtimes(_availability(known, today))


def _availability(known: Runtimes, today: date) -> Iterator[Availability]:
    for name in known.names:
        identifier = known.identifier(name)
        assert identifier is not None
        if identifier.create_until is not None and identifier.create_until < today:
            continue
        try:
            launch = known.launch(name, Path("/nonexistent"))
        except RuntimeUnavailableError as err:
            yield Availability(name, identifier.family, fix=str(err))
        else:
            source = str(launch.paths[0].source) if launch.paths else "brings its own bootstrap"
            yield Availability(name, identifier.family, found=source)
