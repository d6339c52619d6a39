"""Copies of packages with the bytecode of the Python that will run them."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from alonzo.runtimes import compiled
from alonzo.runtimes.base import VisiblePath
from alonzo.runtimes.compiled import CompiledCopies, Sources
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, Pythons, SearchPlaces
from alonzo.runtimes.registry import Runtimes, families

OWN = f"3.{sys.version_info.minor}"
PROGRAM = Path(os.path.realpath(sys.executable))
ROOT = "/var/sdk"

#: Imports what the arguments name, from the first of them; says what had to be compiled for it.
_IMPORT = """
import importlib, json, os, sys
compiled = []
def hook(event, args):
    if event == "compile" and str(args[1]).startswith(sys.argv[1]):
        compiled.append(os.path.basename(args[1]))
sys.path.insert(0, sys.argv[1])
sys.addaudithook(hook)
modules = [importlib.import_module(name) for name in sys.argv[2:]]
print(json.dumps([compiled, [getattr(module, "NAME", None) for module in modules]]))
"""


def imported(folder, *names, program=PROGRAM):
    """Which files had to be compiled to import ``names``, and what each calls itself."""
    command = (str(program), "-I", "-S", "-B", "-c", _IMPORT, str(folder), *names)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def site(tmp_path):
    """A package with data, and a module, as a package manager of another Python leaves them."""
    package = tmp_path / "site/shop"
    (package / "data/deep").mkdir(parents=True)
    (package / "parts").mkdir()
    (package / "__init__.py").write_text("from . import parts\nNAME = 'shop'\n")
    (package / "parts/__init__.py").write_text("")
    (package / "data/deep/prices.json").write_text("[1]")
    (package / "__pycache__").mkdir()
    (package / "__pycache__/__init__.cpython-30.pyc").write_bytes(b"old")
    (tmp_path / "site/single.py").write_text("NAME = 'single'\n")
    return tmp_path / "site"


def sources_of(site):
    names = ("shop", "single.py")
    paths = tuple(VisiblePath(site / name, f"{ROOT}/{name}") for name in names)
    return Sources(ROOT, paths, PROGRAM, OWN)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "compiled"


def look(folder, sources):
    """What a platform that starts now would show, and whether it would make a copy."""
    copies = CompiledCopies(folder)
    return copies.shown(sources), copies.wants(sources)


def make(folder, sources):
    """The copy that a platform makes, which still holds it."""
    copies = CompiledCopies(folder)
    copies.shown(sources)
    made = asyncio.run(copies.make([sources]))
    paths = copies.shown(sources)
    assert made == (paths != sources.paths)
    assert not copies.wants(sources)
    return copies, paths[0].source


def names(folder):
    return sorted(each.name for each in folder.iterdir() if each.name != ".new")


def test_a_copy_needs_no_compiling_and_has_the_data_too(folder, site):
    sources = sources_of(site)
    assert look(folder, sources) == (sources.paths, True)
    assert imported(site, "shop", "single")[0] == ["__init__.py", "__init__.py", "single.py"]
    copies, copy = make(folder, sources)
    assert copies.shown(sources) == (VisiblePath(copy, ROOT),)
    assert imported(copy, "shop", "single") == [[], ["shop", "single"]]
    assert (copy / "shop/data/deep/prices.json").read_text() == "[1]"
    assert list(copy.rglob("*cpython-30*")) == []
    # The next platform shows it at once.
    assert look(folder, sources) == (copies.shown(sources), False)
    assert list((folder / ".new").iterdir()) == []


def test_it_stays_good_when_the_times_of_its_files_change(folder, site):
    _, copy = make(folder, sources_of(site))
    os.utime(copy / "single.py", (1, 1))
    assert imported(copy, "single") == [[], ["single"]]


def test_sandboxes_of_other_users_can_read_it_whatever_the_umask(folder, site):
    before = os.umask(0o077)
    try:
        _, copy = make(folder, sources_of(site))
    finally:
        os.umask(before)
    for each in (copy, *copy.rglob("*")):
        if each.suffix != ".json":  # the same file as the one that was installed
            wanted = 0o005 if each.is_dir() else 0o004
            assert each.stat().st_mode & wanted == wanted, each
            assert not each.stat().st_mode & 0o022, each


def test_other_sources_and_another_interpreter_get_copies_of_their_own(folder, site, tmp_path):
    sources = sources_of(site)
    _, old = make(folder, sources)
    (site / "single.py").write_text("NAME = 'SINGLE'\n")
    assert look(folder, sources) == (sources.paths, True)
    _, new = make(folder, sources)
    assert imported(old, "single") == [[], ["single"]]
    assert imported(new, "single") == [[], ["SINGLE"]]
    other = tmp_path / "bin/python"
    other.parent.mkdir()
    shutil.copy(PROGRAM, other)
    assert look(folder, Sources(ROOT, sources.paths, other, OWN))[1]


def test_what_is_compiled_where_it_is_is_shown_as_it_is(folder, site):
    subprocess.run((str(PROGRAM), "-m", "compileall", "-q", str(site)), check=True)
    sources = sources_of(site)
    # A file that is shown by itself shows nothing of what is beside it.
    assert look(folder, sources) == (sources.paths, True)
    bytecode = f"__pycache__/single.{sources.tag}.pyc"
    beside = VisiblePath(site / bytecode, f"{ROOT}/{bytecode}")
    sources = replace(sources, paths=(*sources.paths, beside))
    assert look(folder, sources) == (sources.paths, False)
    # Python believes bytecode only if it names the source's own time.
    os.utime(site / "single.py", (1, 1))
    assert look(folder, sources) == (sources.paths, True)
    _, copy = make(folder, sources)
    assert imported(copy, "shop", "single") == [[], ["shop", "single"]]


def test_what_cannot_be_compiled_is_tried_once_and_leaves_nothing(folder, site):
    (site / "single.py").write_text("def (:\n")
    sources = sources_of(site)
    copies = CompiledCopies(folder)
    copies.shown(sources)
    assert not asyncio.run(copies.make([sources]))
    assert copies.shown(sources) == sources.paths
    assert not copies.wants(sources)
    assert (names(folder), list((folder / ".new").iterdir())) == ([], [])
    assert copies._held == []


def test_one_that_was_left_half_made_is_never_shown_and_goes_with_the_next(folder, site):
    sources = sources_of(site)
    left = folder / ".new" / f"{compiled._name(sources)}.1"
    shutil.copytree(site, left)
    (folder / ".new/of-another.2.gone").mkdir()
    assert look(folder, sources) == (sources.paths, True)
    make(folder, sources)
    assert list((folder / ".new").iterdir()) == []


def test_a_platform_that_stops_meanwhile_leaves_nothing(folder, site, monkeypatch):
    sources = sources_of(site)
    started = []

    async def never(_, staging):
        started.append(staging)
        await asyncio.Event().wait()

    async def stop():
        copies = CompiledCopies(folder)
        copies.shown(sources)
        making = asyncio.ensure_future(copies.make([sources]))
        while not started:  # noqa: ASYNC110 - a thread begins it
            await asyncio.sleep(0.001)
        # Another platform leaves alone what is being made.
        CompiledCopies(folder)._sweep([started[0]])
        assert started[0].is_dir()
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        return copies

    monkeypatch.setattr(compiled, "_compile", never)
    assert asyncio.run(stop())._held == []
    assert (names(folder), list((folder / ".new").iterdir())) == ([], [])


def test_one_that_is_deleted_again_by_a_stop_never_comes_to_its_place(folder, site, monkeypatch):
    sources, flushing, deleting = sources_of(site), Event(), Event()

    def flush_until_deleted(_):
        flushing.set()
        assert deleting.wait(30)

    def delete_slowly(_, **__):
        deleting.set()
        flushed.shutdown()  # It goes on to its end while the copy is being deleted.

    async def stop():
        loop.set_default_executor(flushed)
        copies = CompiledCopies(folder)
        copies.shown(sources)
        making = asyncio.ensure_future(copies.make([sources]))
        while not flushing.is_set():  # noqa: ASYNC110 - a thread begins it
            await asyncio.sleep(0.001)
        monkeypatch.setattr(shutil, "rmtree", delete_slowly)
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        monkeypatch.undo()

    monkeypatch.setattr(compiled, "flush", flush_until_deleted)
    with ThreadPoolExecutor(1) as flushed, asyncio.Runner() as runner:
        loop = runner.get_loop()
        runner.run(stop())
    assert names(folder) == []


def test_of_two_platforms_that_make_it_at_once_both_show_the_same(folder, site):
    sources = sources_of(site)
    both = [CompiledCopies(folder), CompiledCopies(folder)]
    for copies in both:
        copies.shown(sources)

    async def make_both():
        # Copies of one process have one name; these two stand for two processes.
        _, copy = await asyncio.to_thread(make, folder, sources)
        return copy, await both[0].make([sources]), await both[1].make([sources])

    copy, *_ = asyncio.run(make_both())
    assert {copies.shown(sources) for copies in both} == {(VisiblePath(copy, ROOT),)}
    assert names(folder) == [copy.name]


@pytest.mark.parametrize("place", ["", "copy"])
def test_nothing_is_shown_of_a_place_where_others_may_write(folder, site, place):
    sources = sources_of(site)
    _, copy = make(folder, sources)
    (copy if place else folder).chmod(0o777)
    assert look(folder, sources) == (sources.paths, True)


def test_nothing_is_made_in_a_place_where_others_may_write(folder, site):
    folder.mkdir()
    folder.chmod(0o777)
    assert make(folder, sources_of(site))[1] == site / "shop"
    assert names(folder) == []


def test_a_platform_without_a_place_shows_things_as_they_are(site, tmp_path):
    sources = sources_of(site)
    assert look(None, sources) == (sources.paths, False)
    (tmp_path / "file").touch()
    assert make(tmp_path / "file", sources)[1] == site / "shop"


def test_old_copies_go_unless_somebody_holds_them(folder, site, monkeypatch):
    monkeypatch.setattr(compiled, "KEPT", 2)
    made, held = [], None
    for number in range(4):
        (site / "single.py").write_text(f"NAME = {number}\n")
        copies, copy = make(folder, sources_of(site))
        os.utime(copy, (number, number))
        made.append(copy.name)
        if number == 1:
            held = copies
        del copies
    # The first went when there were three, the second is in use, the others are the last two.
    assert held is not None
    assert names(folder) == sorted(made[1:])


def others_with_boto3():
    """Versions of Python on this host which are not the platform's and whose functions have it."""
    path = tuple(map(Path, os.environ["PATH"].split(":")))
    places = SearchPlaces(path=path, home=Path.home())
    known = Pythons(places)
    versions = [each.name.removeprefix("python") for each in of_family("python")]
    fit = [v for v in versions if v.startswith("3.") and int(v[2:]) >= 10 and v != OWN]
    return [version for version in fit if known.find(version)][-1:], places


def test_boto3_and_the_bootstrap_are_compiled_for_another_python(folder, tmp_path, monkeypatch):
    versions, places = others_with_boto3()
    if not versions:
        pytest.skip("this host has one Python that boto3 admits")
    # As it is installed where its own folder cannot be written.
    ours = tmp_path / "bootstraps"
    shutil.copytree(BOOTSTRAPS, ours, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr("alonzo.runtimes.python.BOOTSTRAPS", ours)
    (version,) = versions
    places = SearchPlaces(path=places.path, home=places.home, compiled=folder)
    runtimes = Runtimes(families(places))
    launch = runtimes.launch(f"python{version}", Path("/nowhere"))
    assert len(launch.paths) > 3
    assert asyncio.run(launch.improve())
    better = runtimes.launch(f"python{version}", Path("/nowhere"))
    assert better.improve is None
    lang, runtime, sdk = better.paths
    assert (lang, runtime.target, sdk.target) == (launch.paths[0], "/var/runtime", "/var/sdk")
    program = Pythons(places).find(version).executable
    assert imported(sdk.source, "boto3", "botocore.client", program=program)[0] == []
    assert imported(runtime.source, "bootstrap", "_alonzo_snapshot", program=program)[0] == []
    assert imported(ours / "python", "bootstrap", program=program)[0] != []
