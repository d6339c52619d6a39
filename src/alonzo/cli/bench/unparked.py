"""A platform that keeps no sandbox ready: ``python -m alonzo.cli.bench.unparked``.

For what a first call costs when nothing is left of what was made ahead of need. It takes the
options of ``alonzo serve``.
"""

from __future__ import annotations

import sys

from alonzo.cli.serve import serve
from alonzo.daemon.config import Config
from alonzo.daemon.serve import run
from alonzo.environments.values import EnvironmentSettings

if __name__ == "__main__":
    # Each option of the command is a field of the configuration.
    options = serve.make_context("alonzo serve", sys.argv[1:]).params
    run(Config(**options, environments=EnvironmentSettings(parked_floor=0)))
