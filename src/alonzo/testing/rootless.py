"""The platform run by an ordinary user, also where the tests are run by root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Generator
from pathlib import Path

import alonzo
from alonzo.testing.daemon import DaemonProcess

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"

#: Shows what a home like root's hides: the installed packages, and this package's source.
_SHOW = 'mount --bind "$0" /mnt && mount --bind "$1" /srv && shift && exec "$@"'


def why_not_rootless() -> str:
    """Why no ordinary user can run the platform here; empty if one can."""
    if os.geteuid() != 0:
        return ""
    ours = f"Python {sysconfig.get_python_version()}"
    if not Path(SYSTEM_PYTHON).exists() or _version(SYSTEM_PYTHON) != ours:
        return f"needs {SYSTEM_PYTHON} to be {ours}, for a user who may not see ours"
    if shutil.which("setpriv") is None or shutil.which("unshare") is None:
        return "needs setpriv and unshare"
    return ""


@contextlib.contextmanager
def rootless_daemon(**environment: str) -> Generator[DaemonProcess]:
    """A running platform of an ordinary user: whoever runs the tests, or nobody if that is root.

    It must end without a traceback in its log. See ``why_not_rootless``.
    """
    with tempfile.TemporaryDirectory(prefix="alonzo-rootless-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        home.mkdir()
        if os.geteuid() == 0:
            os.chown(home, NOBODY, NOBODY)
            seen = {"PYTHONPATH": "/srv:/mnt", "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
            daemon = DaemonProcess(
                home / "data", command=_command(), environment={**seen, **environment}
            )
        else:
            daemon = DaemonProcess(home / "data", environment=environment)
        daemon.start()
        try:
            yield daemon
        finally:
            if daemon.is_running:
                daemon.stop()
        assert "Traceback" not in daemon.log, daemon.log


def _command() -> list[str]:
    source = str(Path(alonzo.__file__).parents[1])
    show = ["unshare", "--mount", "sh", "-c", _SHOW, sysconfig.get_path("purelib"), source]
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return [*show, *drop, SYSTEM_PYTHON, "-m", "alonzo"]


def _version(python: str) -> str:
    done = subprocess.run([python, "-V"], capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition(".")[0]
