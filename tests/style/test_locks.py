"""The locks hold what pyproject.toml asks for, pinned and hashed, and name no host."""

import re
import tomllib

import pytest

LOCKS = ("run", "quickstart", "dev")
PINNED = re.compile(r"[\w.-]+==[\w.+!-]+( ; [^\n]*)?( \\\n +--hash=sha256:[0-9a-f]{64})+")
HOST = re.compile(r"://|--(?:index-url|find-links|trusted-host)")


def normal(name):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()


@pytest.fixture(scope="module")
def project(files):
    return tomllib.loads(files["pyproject.toml"])


def pins(files, lock):
    text = files[f"requirements/{lock}.lock"]
    return {
        normal(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    }


def wanted(project, lock):
    found = list(project["project"]["dependencies"])
    groups = {"run": (), "quickstart": ("quickstart",), "dev": ("quickstart", "dev")}[lock]
    for group in groups:
        found += [entry for entry in project["dependency-groups"][group] if isinstance(entry, str)]
    return {normal(name) for name in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_everything_that_the_project_asks_for(files, project, lock):
    assert wanted(project, lock) <= set(pins(files, lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_of_a_lock_is_pinned_and_hashed(files, lock):
    for entry in re.split(r"\n(?=\S)", files[f"requirements/{lock}.lock"].strip()):
        if not entry.startswith("#"):
            assert re.match(
                r"[\w.-]+==[\w.+!-]+( ;.*)? \\\n( +--hash=sha256:[0-9a-f]{64}.*\n?)+", entry
            )


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(files, lock):
    assert not re.search(
        r"://|--(?:index-url|find-links|trusted-host)", files[f"requirements/{lock}.lock"]
    )


def test_the_locks_agree_with_each_other(files):
    everything = pins(files, "dev")
    for lock in ("run", "quickstart"):
        assert pins(files, lock).items() <= everything.items()
