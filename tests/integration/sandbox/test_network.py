"""The networks of sandboxes, each scenario in network namespaces of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import alonzo

HERE = Path(__file__).parent
PROGRAM = HERE / "network_scenarios.py"
SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"

#: What an ordinary user finds: the tun device open to all, as most hosts have it, his files, and a
#: server of names on the loopback, to which slirp4netns would lead.
ROOM = (
    "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 "
    '&& mount --bind "$0"/resolv.conf /etc/resolv.conf && mount --bind "$0" /mnt && exec "$@"'
)


def _scenarios(kind: str) -> list[str]:
    spec = importlib.util.spec_from_file_location("network_scenarios", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(getattr(module, kind))


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft", path=SEARCH_PATH) is None,
    reason="needs root and nftables",
)
@pytest.mark.parametrize("name", _scenarios("SCENARIOS"))
def test_as_root(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, str(PROGRAM), name, str(tmp_path)],
        env={"PATH": SEARCH_PATH, "PYTHONPATH": str(Path(alonzo.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> Path:
    """A copy of what an ordinary user needs, which all may read."""
    place = tmp_path_factory.mktemp("shown")
    shutil.copytree(Path(alonzo.__file__).parent, place / "alonzo")
    shutil.copytree(HERE, place / "scenarios")
    (place / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
    return place


@pytest.mark.skipif(
    os.geteuid() != 0
    or shutil.which("slirp4netns") is None
    or not Path("/dev/net").is_dir()
    or not Path(SYSTEM_PYTHON).exists(),
    reason="needs root to make a network for the user, slirp4netns, and a Python below /usr",
)
@pytest.mark.parametrize("name", _scenarios("OF_USERS"))
def test_as_an_ordinary_user(name: str, shown: Path) -> None:
    (shown / name).mkdir()
    os.chown(shown / name, NOBODY, NOBODY)
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    program = "/mnt/scenarios/network_scenarios.py"
    user = [*drop, SYSTEM_PYTHON, program, "--as-user", name, f"/mnt/{name}"]
    done = subprocess.run(
        [
            *("unshare", "--net", "--mount", "sh", "-c", ROOM, str(shown)),
            *(sys.executable, str(PROGRAM), "--by-user", name, *user),
        ],
        env={"PATH": SEARCH_PATH, "PYTHONPATH": "/mnt", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
