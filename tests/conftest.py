"""The ladder of fixtures, and the clean slate after each test."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from alonzo.testing.daemon import DaemonProcess
from alonzo.testing.functions import DeployedFunction, Source, deploy
from alonzo.testing.residue import holdings
from alonzo.testing.waiting import eventually as wait_until

TESTS = Path(__file__).parent

# A shell has its background jobs ignore Ctrl-C, and whatever they start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What is compiled once is kept, whatever the caller's shell says: a platform that has to compile
# itself takes 2.3 s of work to start and not 0.9, and the tests start hundreds.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The same examples in every run, so that a red test stays red until it is mended.
hypothesis.settings.register_profile(
    "small", max_examples=40, deadline=None, derandomize=True, database=None
)
hypothesis.settings.register_profile("ci", max_examples=500, deadline=None, print_blob=True)
hypothesis.settings.load_profile("small")


#: What a test takes, roughly, by its folder.
_SECONDS = {
    TESTS / "faults": 6.0,
    TESTS / "property": 1.0,
    TESTS / "conformance": 0.8,
    TESTS / "integration": 0.25,
}


@pytest.hookimpl(trylast=True)  # when those that are left out are gone
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no worker is left alone with one at the end."""
    weights: Counter[Path] = Counter()
    for item in items:
        folders = item.path.parents
        weights[item.path] += next((s for folder, s in _SECONDS.items() if folder in folders), 0.01)
    items.sort(key=lambda item: -weights[item.path])


def pytest_collection_finish() -> None:
    """What is there now stays: no look for garbage need go through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _clean_slate(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a descriptor, a thread or a child process behind.

    Clients of the shared platform keep connections open between tests, so there descriptors are
    not counted; the platform itself is checked when it stops.
    """
    with_descriptors = "platform" not in request.fixturenames
    before = holdings(with_descriptors=with_descriptors)
    yield
    left = holdings(with_descriptors=with_descriptors).gained_since(before)
    if left:  # An object in a reference cycle may still own some of it.
        gc.collect()
        left = holdings(with_descriptors=with_descriptors).gained_since(before)
    assert not left, f"the test left behind: {left}"


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A running platform, shared by the tests of one worker."""
    daemon = DaemonProcess(tmp_path_factory.mktemp("platform") / "data")
    daemon.start()
    yield daemon
    daemon.stop()
    assert "Traceback" not in daemon.log, daemon.log


@pytest.fixture
def own_platform(tmp_path: Any) -> Iterator[Callable[..., DaemonProcess]]:
    """Starts platforms of the test's own: ``own_platform("--auth", "off")``."""
    started: list[DaemonProcess] = []

    def start(*options: str, **environment: str) -> DaemonProcess:
        data_dir = tmp_path / f"data-{len(started)}"
        daemon = DaemonProcess(data_dir, *options, environment=environment)
        started.append(daemon)
        daemon.start()
        return daemon

    yield start
    for daemon in started:
        if daemon.is_running:
            daemon.stop()


@pytest.fixture(scope="session")
def boto(platform: DaemonProcess) -> Callable[..., Any]:
    """Makes clients of the platform: ``boto("sts")``, ``boto("lambda", "eu-west-1")``."""
    return platform.client


@pytest.fixture(scope="session")
def lambda_client(platform: DaemonProcess) -> Any:
    """A Lambda client of the platform."""
    return platform.client("lambda")


@pytest.fixture(scope="session")
def logs_client(platform: DaemonProcess) -> Any:
    """A CloudWatch Logs client of the platform."""
    return platform.client("logs")


@pytest.fixture
def function_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses, and that says whose function it is."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:48].strip("-")
    return f"{readable}-{os.urandom(4).hex()}"


@pytest.fixture
def function(lambda_client: Any, function_name: str) -> Iterator[Callable[..., DeployedFunction]]:
    """Deploys functions, Active on return: ``function("def handler(…): …", Timeout=1)``.

    The source is text, a folder or a mapping of files; keywords are members of CreateFunction.
    Its role may write logs and nothing else. ``Role=ADMIN_ROLE`` (``alonzo.testing.functions``) is
    for functions that call other services or have destinations; ``alonzo.testing.roles`` has more.
    """
    made: list[DeployedFunction] = []

    def create(source: Source, **configuration: Any) -> DeployedFunction:
        name = f"{function_name}-{len(made)}"
        made.append(deploy(lambda_client, name, source, **configuration))
        return made[-1]

    yield create
    for deployed in made:
        deployed.delete()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """``eventually(condition, within_s=…)``: wait for a state instead of sleeping."""
    return wait_until
