"""A thousand environments come and go: no descriptor, process, mount or cgroup is left."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from alonzo.environments.pool import Pool
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.values import EnvironmentSettings, Invocation
from alonzo.lib.clock import SystemClock
from alonzo.lib.ids import SystemIds
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.context import Principal
from alonzo.model.functions import ServingVersion
from alonzo.model.ports.identity import AccessKey
from alonzo.runtimes.interpreters import SearchPlaces
from alonzo.runtimes.registry import Runtimes, families
from alonzo.sandbox.backends.namespaces.backend import NamespaceBackend

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CYCLES = 1000
AT_ONCE = 8


class Platform:
    """What environments need of the rest of the platform."""

    def __init__(self, code):
        self.code = code

    @property
    def batch(self):
        return object()

    def write_nowait(self, stream, events):
        pass

    def issue(self, **_):
        return AccessKey("ASIA", "s", Principal("0" * 12, "arn", "id", "ASIA"), "t")

    async def serve(self, listening):
        return listening.close

    async def prepare(self, code_sha256):
        return self.code


def left(instance, folder):
    """Cgroups and mounts that bear the name of ours."""
    cgroups = [
        name
        for _, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(f"alonzo-{instance}")
    ]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return cgroups + [line for line in mounts if str(folder) in line]


def descriptors():
    return len(os.listdir("/proc/self/fd"))


async def cycle(platform, tmp_path, instance):
    backend = NamespaceBackend(
        run_dir=tmp_path / "run", instance=instance, python=sys.executable,
        clock=SystemClock(),
    )  # fmt: skip
    places = SearchPlaces(
        path=tuple(map(Path, os.environ["PATH"].split(":"))),
        home=Path.home(),
        base_prefix=Path(sys.base_prefix),
    )
    await backend.open()
    async with TaskScope() as scope:
        settings = EnvironmentSettings(environments_max=4 * AT_ONCE)
        around = Surroundings(
            backend, platform, platform, platform.serve, SystemClock(), SystemIds(), scope,
            settings,
        )  # fmt: skip
        pool = Pool(around, Runtimes(families(places)), platform, starts_max=64)
        filling = scope.spawn(pool.fill(), name="fill")
        minor = f"{sys.version_info.major}.{sys.version_info.minor}"
        key = FunctionKey("0" * 12, "us-east-1", "f")

        async def call(n):
            version = ServingVersion(
                key, "$LATEST", f"g{n}", f"python{minor}", "m.h", "arn", "00", log_group="/l",
                timeout_s=30,
            )  # fmt: skip
            invocation = Invocation(f"r{n}", "a", version.arn, b"%d" % n, "trace")
            outcome = await pool.invoke(version, invocation)
            assert (outcome.error_type, outcome.payload) == (None, b"%d" % n)

        held = []
        for first in range(0, CYCLES, AT_ONCE):
            await asyncio.gather(*(call(n) for n in range(first, first + AT_ONCE)))
            pool.retire(key, frozenset({f"g{n}" for n in range(first, first + AT_ONCE)}))
            held.append(descriptors())
        filling.cancel()
        await pool.close()
    await backend.close()
    # Flat: what the last hundred cycles held is what the first few hundred did.
    assert max(held[-12:]) <= max(held[12:50]) + 40, held


@pytest.mark.nightly
def test_a_thousand_environments_come_and_go_and_nothing_stays(tmp_path):
    (tmp_path / "code").mkdir()
    tmp_path.chmod(0o755)
    (tmp_path / "code" / "m.py").write_text("def h(event, context): return event\n")
    (tmp_path / "run").mkdir()
    instance = os.urandom(6).hex()
    asyncio.run(cycle(Platform(tmp_path / "code"), tmp_path, instance))
    assert left(instance, tmp_path) == []
