"""The contract of ``sandbox/base.py`` and the attack battery, as root and as an ordinary user."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import alonzo
from alonzo.sandbox.backends.namespaces import cgroup_trees

HERE = Path(__file__).parent
NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"


def _load_scenarios():
    spec = importlib.util.spec_from_file_location("sandbox_scenarios", HERE / "scenarios.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


scenarios = _load_scenarios()

#: How Python code is started: one contract for both.
WAYS = ("executed", "forked")
CASES = [
    *((name, way) for name in scenarios.SCENARIOS for way in WAYS),
    *((name, "forked") for name in scenarios.ZYGOTES),
]

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not Path(SYSTEM_PYTHON).exists(),
    reason="needs Linux, and a Python below /usr to run inside",
)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize(("name", "way"), CASES)
def test_as_root(name: str, way: str, tmp_path: Path) -> None:
    asyncio.run(scenarios.run(name, tmp_path, way))


def _version_1_alone(_: str) -> cgroup_trees.Trees:
    texts = (Path(f"/proc/self/{name}").read_text() for name in ("cgroup", "mountinfo"))
    needs = {
        need: cgroup_trees.Tree(1, hierarchy.path, hierarchy.controllers)
        for hierarchy in cgroup_trees.parse_hierarchies(*texts)
        for need in ("memory", "pids", "freezer", "cpu")
        if hierarchy.version == 1 and need in hierarchy.controllers
    }
    if len(needs) < 3 or not os.access(needs["freezer"].path, os.W_OK):
        pytest.skip("this host has no version 1 cgroups")
    return cgroup_trees.Trees(**needs)


def _no_cgroups(_: str) -> cgroup_trees.Trees:
    return cgroup_trees.Trees()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("find", [_version_1_alone, _no_cgroups])
@pytest.mark.parametrize("name", scenarios.LIMITS)
def test_as_root_on_a_poorer_host(
    name: str, find: Callable[[str], cgroup_trees.Trees], way: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(cgroup_trees, "find", find)
    asyncio.run(scenarios.run(name, tmp_path, way))


def _user_namespaces() -> bool:
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    argv = [*(drop if os.geteuid() == 0 else []), "unshare", "-Urnmp", "true"]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _visible_to_nobody(folder: Path) -> list[str]:
    """A command prefix: become nobody, with ``folder`` shown in a place that nobody may enter.

    pytest keeps its folders closed to others, and closes them again whenever a session starts.
    """
    script = 'mount --bind "$0" /mnt && exec "$@"'
    show = ["unshare", "--mount", "sh", "-c", script, str(folder)]
    return [*show, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@pytest.fixture(scope="module")
def ordinary_user(tmp_path_factory) -> Iterator[Callable[[str, str], str]]:
    """Runs scenarios one after the other in one process of an ordinary user; says what failed.

    It runs a copy of what it needs that all may read.
    """
    place = tmp_path_factory.mktemp("package")
    shutil.copytree(Path(alonzo.__file__).parent, place / "alonzo")
    shutil.copytree(HERE, place / "scenarios")
    (place / "work").mkdir()
    prefix, python, seen = [], sys.executable, place
    if os.geteuid() == 0:
        prefix, python, seen = _visible_to_nobody(place), SYSTEM_PYTHON, Path("/mnt")
        subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
        os.chown(place / "work", NOBODY, NOBODY)
    with subprocess.Popen(
        [*prefix, python, str(seen / "scenarios" / "scenarios.py")],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(seen), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, answers = process.stdin, process.stdout

        def run(name: str, way: str) -> str:
            order = (name, str(seen / "work" / f"{name}-{way}"), way)
            print(json.dumps(order), file=orders, flush=True)
            return json.loads(answers.readline() or '"the process ended"')

        yield run
        orders.close()


#: As root both ways run each time; here what is executed runs in ``make test-all``.
ORDINARY_CASES = [
    pytest.param(*case, marks=pytest.mark.nightly) if case[1] == "executed" else case
    for case in CASES
]


@pytest.mark.skipif(not _user_namespaces(), reason="no user namespaces for ordinary users here")
@pytest.mark.parametrize(("name", "way"), ORDINARY_CASES)
def test_as_an_ordinary_user(name: str, way: str, ordinary_user: Callable[[str, str], str]) -> None:
    assert not (told := ordinary_user(name, way)), told
