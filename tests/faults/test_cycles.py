"""Functions come and go, and whatever runs dies at random: service goes on and nothing stays.

By root with a network, in a network namespace of the test's own; and by an ordinary user.
"""

import os
import shutil
import subprocess
import sys

import pytest

from alonzo.testing import cycles
from alonzo.testing.rootless import rootless_daemon, why_not_rootless

SEARCH_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
NAMES = ("come_and_go", pytest.param("die_at_random", marks=pytest.mark.nightly))


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft", path=SEARCH_PATH) is None,
    reason="needs root and nftables",
)
@pytest.mark.parametrize("name", NAMES)
def test_with_a_network_nothing_stays(name, tmp_path):
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "alonzo.testing.cycles", name, str(tmp_path)],
        env={**os.environ, "PATH": SEARCH_PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )
    log = tmp_path / "data.log"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text()[-4000:])


@pytest.mark.parametrize("name", NAMES)
def test_for_an_ordinary_user_nothing_stays(name):
    if reason := why_not_rootless():
        pytest.skip(reason)
    with rootless_daemon() as daemon:
        getattr(cycles, name)(daemon)
