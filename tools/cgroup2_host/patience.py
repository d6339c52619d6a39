"""A plug-in for pytest on an emulated processor, where seconds are minutes: longer limits of time.

So are those of functions, but for short ones that tests give them, which are there to be missed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from alonzo.runtimes import interpreters
from alonzo.testing import daemon, environments, functions, waiting

LONG_S = 600.0

interpreters.PROBE_TIMEOUT_S = LONG_S
daemon.STOP_S_MAX = daemon.READ_S_MAX = functions.ACTIVE_S_MAX = LONG_S
waiting.TIMES = 10
daemon.START_S_MAX = LONG_S / waiting.TIMES
environments.RUN_S_MAX = LONG_S
environments.VERSION = replace(environments.VERSION, timeout_s=120)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the limits of tests away."""
    for item in items:
        for node in item.listchain():
            node.own_markers[:] = [one for one in node.own_markers if one.name != "timeout"]
