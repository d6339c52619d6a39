"""What measurements work on: servers and the load generator, started when first asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator as Generated
from collections.abc import Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from alonzo.cli.bench.figures import Effort
from alonzo.cli.bench.functions import python
from alonzo.cli.bench.host import Noise
from alonzo.cli.bench.processes import Cores, Server, on_cores, running
from alonzo.cli.bench.target import REGION, Generator, Platform, Target

BASELINES = "alonzo.cli.bench.baselines"
SERVE = ("alonzo", "serve")
UNPARKED = (*SERVE, "--set", "environments.parked_floor=0")


@dataclass(slots=True)
class Workbench:
    """One run's servers. ``stack`` ends them; ``cores`` is where all of it runs, if it matters.

    ``noise`` is of the times in which the generator worked.
    """

    effort: Effort
    serve_options: Sequence[str]
    stack: ExitStack
    cores: Cores = None
    noise: Noise = field(default_factory=Noise)
    _generator: Generator | None = None
    _platforms: dict[tuple[str, ...], Platform] = field(
        default_factory=dict[tuple[str, ...], Platform]
    )
    _targets: list[Target] = field(default_factory=list[Target])

    @property
    def generator(self) -> Generator:
        """The load generator."""
        if self._generator is None:
            self._generator = self.stack.enter_context(load_generator(self.noise, self.cores))
        return self._generator

    @property
    def alonzo(self) -> Platform:
        """The platform as a user starts it."""
        return self._platform(*SERVE)

    @property
    def unparked(self) -> Platform:
        """A platform that keeps nothing ready."""
        return self._platform(*UNPARKED)

    @property
    def targets(self) -> list[Target]:
        """The baselines, then the platform with its function ``echo``."""
        if not self._targets:
            from botocore.credentials import Credentials

            nobody = Credentials("AKIDEXAMPLE", "none of the baselines looks at it")
            for kind in ("echo", "worker"):
                server = self.stack.enter_context(running(BASELINES, kind, cores=self.cores))
                self._targets.append(Target(kind, server, self.generator, nobody))
            self.alonzo.create("echo", python())
            self._targets.append(self.alonzo)
        return self._targets

    def _platform(self, *command: str) -> Platform:
        if command not in self._platforms:
            self._platforms[command] = self.stack.enter_context(self.started(*command))
        return self._platforms[command]

    @contextmanager
    def started(self, *command: str) -> Generated[Platform]:
        """A platform of its own, with an empty data directory, until the block is left."""
        with tempfile.TemporaryDirectory(prefix="alonzo-bench-") as folder:
            options = ("--port", "0", "--data-dir", folder, *self.serve_options)
            with running(*command, *options, cores=self.cores) as server:
                platform = self._connected(server, Path(folder))
                with closing(platform.lambda_client):
                    yield platform

    def _connected(self, server: Server, data_dir: Path) -> Platform:
        import botocore.config
        import botocore.session
        from botocore.credentials import Credentials

        key = json.loads((data_dir / "keys" / "root.json").read_text())
        names = {
            "aws_access_key_id": key["access_key_id"],
            "aws_secret_access_key": key["secret_access_key"],
        }
        session = cast("Any", botocore.session.Session())

        def client(service: str) -> Any:
            return session.create_client(
                service,
                REGION,
                endpoint_url=server.url,
                config=botocore.config.Config(proxies={}, read_timeout=120),
                **names,
            )

        signer = Credentials(key["access_key_id"], key["secret_access_key"])
        return Platform(server, self.generator, signer, client("lambda"), client)

    @contextmanager
    def pinned(self) -> Generated[Workbench]:
        """A workbench of its own, all of whose processes share one core."""
        core = frozenset({max(os.sched_getaffinity(0))})
        with ExitStack() as stack:
            yield Workbench(self.effort, self.serve_options, stack, core, self.noise)


@contextmanager
def load_generator(noise: Noise, cores: Cores = None) -> Generated[Generator]:
    """The generator's process, on the given cores."""
    with on_cores(cores):
        process = subprocess.Popen(
            [sys.executable, "-m", "alonzo.cli.bench.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    with process:
        try:
            yield Generator(process, noise)
        finally:
            assert process.stdin is not None
            process.stdin.close()
