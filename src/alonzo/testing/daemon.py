"""A daemon in its own process with its own data directory, as a user would start one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import botocore.config

from alonzo.testing.clients import make_client
from alonzo.testing.residue import descendants, left_of_daemon
from alonzo.testing.roles import ADMIN, BASIC, make_role
from alonzo.testing.waiting import eventually

START_S_MAX = 20.0
STOP_S_MAX = 20.0
#: How long a client waits for the next piece of an answer.
READ_S_MAX = 60.0
REGION = "us-east-1"

READY = re.compile(r"listening on (https?://\S+)")


class DaemonProcess:
    """``alonzo serve`` on a free port. Start it again after a stop or a kill: the data stays.

    The first start makes the roles of functions (``functions.ROLE``, see ``roles``).

    ``command`` runs the package; this interpreter does by default. Functions have no network unless
    the options say so: the machine that tests run on keeps its own as it is.
    """

    def __init__(
        self,
        data_dir: Path,
        *options: str,
        environment: dict[str, str] | None = None,
        command: Sequence[str] = (sys.executable, "-m", "alonzo"),
    ) -> None:
        self.data_dir = data_dir
        self.endpoint = ""
        self._options = (
            *("--port", "0", "--network", "none", "--data-dir", str(data_dir)),
            *options,
        )
        self._environment = environment or {}
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._has_roles = False
        self._log_file = data_dir.with_name(data_dir.name + ".log")
        self._clients: dict[str, Any] = {}

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not yet ended by us."""
        return self._process is not None

    @property
    def log(self) -> str:
        """Everything the daemon printed since it was last started."""
        return self._log_file.read_text(errors="replace") if self._log_file.exists() else ""

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the daemon is not running"
        return self._process

    def start(self) -> None:
        """Start it and wait until it says where it listens."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ALONZO_"))}
        with self._log_file.open("wb") as output:
            self._process = subprocess.Popen(
                [*self._command, "serve", *self._options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**kept, "PYTHONUNBUFFERED": "1", **self._environment},
            )
        try:
            self.endpoint = eventually(self._endpoint, START_S_MAX)
            if not self._has_roles:
                self.role("test", BASIC)
                self.role("admin", ADMIN)
        except AssertionError:
            self.kill()
            raise
        self._has_roles = True

    def _endpoint(self) -> str:
        code = self._running().poll()
        assert code is None, f"the daemon exited with {code}:\n{self.log}"
        found = READY.search(self.log)
        return found[1].rstrip(".,") if found else ""

    def stop(self) -> None:
        """SIGTERM, as a service manager does it; it must drain, exit with 0 and leave nothing."""
        process = self._running()
        below = descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        code = self._reap(process, STOP_S_MAX)
        assert code == 0, f"the daemon exited with {code} on SIGTERM:\n{self.log}"
        assert not (left := left_of_daemon(self.data_dir, below)), f"left behind: {left}"

    def kill(self) -> None:
        """SIGKILL, as an accident does it. Leftovers are for the next start to sweep."""
        process = self._running()
        process.kill()
        self._reap(process, STOP_S_MAX)

    def _reap(self, process: subprocess.Popen[bytes], within_s: float) -> int:
        try:
            return process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the daemon did not end in {within_s} s:\n{self.log}") from None
        finally:
            self._process = None
            self.close_clients()

    def arm(self, faults: str) -> None:
        """From the next start on, have the daemon die at these fault points (comma-separated)."""
        self._environment["ALONZO_FAULTS"] = faults

    def go_ahead(self, seconds: float) -> None:
        """From the next start on, the platform's wall clock is so much ahead of this host's.

        It refuses every signature then, so this is for what it does by itself.
        """
        code = (
            "import runpy, sys, time; now = time.time; "
            f"time.time = lambda: now() + {seconds}; "
            "sys.argv[0] = 'alonzo'; runpy.run_module('alonzo', run_name='__main__')"
        )
        self._command = (sys.executable, "-c", code)

    def wait_killed(self) -> None:
        """Wait until the daemon has died at a fault point."""
        code = self._reap(self._running(), START_S_MAX)
        assert code == -signal.SIGKILL, f"the daemon exited with {code}:\n{self.log}"

    def root_key(self) -> tuple[str, str]:
        """The root key: its id and its secret."""
        key = json.loads((self.data_dir / "keys" / "root.json").read_text())
        return key["access_key_id"], key["secret_access_key"]

    def role(self, name: str, *policies: str) -> str:
        """Make a role for functions, if there is none; answers its ARN.

        ``policies`` are AWS's own, by their names: ``roles.ADMIN``, ``"AmazonSQSFullAccess"``.
        """
        key = self.root_key()
        return make_role(self.endpoint, key, name, *policies)

    def client(self, service: str, region: str = REGION) -> Any:
        """A client that signs with the root key; one per service and region.

        Nothing is retried, so that a test sees every answer that the platform gives.
        """
        # A thread may ask while the platform is down, and must not leave a client of its last life.
        name = f"{self.endpoint}/{region}/{service}"
        if name not in self._clients:
            key_id, secret = self.root_key()
            self._clients[name] = make_client(
                service,
                region,
                endpoint_url=self.endpoint,
                config=botocore.config.Config(
                    retries={"mode": "standard", "total_max_attempts": 1},
                    connect_timeout=5,
                    read_timeout=READ_S_MAX,
                    max_pool_connections=64,
                    proxies={},
                    parameter_validation=True,
                ),
                aws_access_key_id=key_id,
                aws_secret_access_key=secret,
            )
        return self._clients[name]

    def close_clients(self) -> None:
        """Close every client's connections."""
        while self._clients:
            self._clients.popitem()[1].close()
