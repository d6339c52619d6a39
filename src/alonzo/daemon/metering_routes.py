"""The routes to figures: usage for the account's root user, metrics for scrapers."""

from __future__ import annotations

import os
from collections.abc import Sized

from alonzo.daemon.config import Config
from alonzo.edge.route import Route
from alonzo.lib.clock import Clock
from alonzo.services.cloudwatch.metering import Metering
from alonzo.services.cloudwatch.prometheus import MetricsRoute
from alonzo.services.cloudwatch.usage.route import UsageRoute
from alonzo.store.base import Store
from alonzo.store.data_dir import DataDir, read_or_create

#: The file below ``keys/`` with the token of scrapers, which can read it from there.
TOKEN_FILE = "metrics.token"  # noqa: S105 - the name of a file


def metering_routes(
    config: Config,
    data: DataDir,
    store: Store,
    metering: Metering,
    environments: Sized,
    clock: Clock,
) -> list[Route]:
    """``/_alonzo/usage`` and ``/_alonzo/metrics``."""
    token = None
    if config.auth == "sigv4":
        made = read_or_create(data.keys / TOKEN_FILE, lambda: os.urandom(24).hex().encode())
        token = made.decode("ascii")
    gauges = [
        (
            "alonzo_environments",
            "Execution environments that there are.",
            lambda: float(len(environments)),
        )
    ]
    usage = UsageRoute(store, metering.folder, clock, account=config.account)
    metrics = MetricsRoute(metering.writer.totals, clock, token=token, gauges=gauges)
    return [
        Route("GET", b"/_alonzo/usage", usage.answer, for_root=True),
        Route("GET", b"/_alonzo/metrics", metrics.answer),
    ]
