"""Finds the host's installations of Ruby.

Ruby looks for its library where it was built to be, so a prefix cannot simply be shown elsewhere.
One below ``/usr``, which is visible inside, is used where it is. Any other is shown at
``/var/lang`` and started with its library folders named on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alonzo.runtimes.base import VisiblePath
from alonzo.runtimes.interpreters import (
    LANGUAGE_ROOT,
    Interpreter,
    SearchPlaces,
    ask,
    installations,
    newest_first,
    system_folders,
)

#: Where every sandbox shows the host's own files.
_VISIBLE_ROOT = Path("/usr")

_TELL = ("--disable-gems", "-e", "puts RUBY_VERSION, $LOAD_PATH")

#: Below a user's home, where the version managers put what they build.
_VERSION_MANAGERS = (
    ".rbenv/versions/*",
    ".rubies/*",
    ".rvm/rubies/*",
    ".asdf/installs/ruby/*",
    ".local/share/mise/installs/ruby/*",
)


@dataclass(frozen=True, slots=True)
class Ruby:
    """One installation. ``folders`` are its library, in its own order, as on the host."""

    interpreter: Interpreter
    version: str
    folders: tuple[Path, ...]

    @property
    def paths(self) -> tuple[VisiblePath, ...]:
        """What must be visible inside beside ``/usr``."""
        return (self.interpreter.visible,) if self._moves else ()

    @property
    def argv(self) -> tuple[str, ...]:
        """The beginning of a command line, as seen inside."""
        if not self._moves:
            return (str(self.interpreter.executable),)
        inside = (
            f"-I{LANGUAGE_ROOT}/{folder.relative_to(self.interpreter.prefix)}"
            for folder in self.folders
            if folder.is_relative_to(self.interpreter.prefix) and folder.is_dir()
        )
        return (self.interpreter.inside, *inside)

    @property
    def _moves(self) -> bool:
        return not self.interpreter.executable.is_relative_to(_VISIBLE_ROOT)


class Rubies:
    """The installations of this host, by version (``3.4``)."""

    def __init__(self, places: SearchPlaces) -> None:
        self._places = places
        self._told: dict[Path, Ruby | None] = {}

    def find(self, version: str) -> Ruby | None:
        """The installation to use for ``version``; each candidate is started once, about 20 ms."""
        for ruby in self.all():
            if ruby.version.startswith(f"{version}."):
                return ruby
        return None

    def all(self) -> Iterator[Ruby]:
        """Every installation that answers, the best place first."""
        for candidate in self._candidates():
            if candidate.executable not in self._told:
                self._told[candidate.executable] = _question(candidate)
            if (told := self._told[candidate.executable]) is not None:
                yield told

    def _candidates(self) -> Iterator[Interpreter]:
        places = self._places
        prefixes: list[Path] = []
        for folder in places.extra:
            prefixes += [folder, *newest_first(folder.glob("*"))]
        if places.home is not None:
            for pattern in _VERSION_MANAGERS:
                prefixes += newest_first(places.home.glob(pattern))
        prefixes += newest_first(Path("/opt/rubies").glob("*"))
        folders = [*places.path, *(prefix / "bin" for prefix in prefixes), *system_folders()]
        # Debian's has its version in its name.
        return installations(
            file
            for folder in folders
            for file in (folder / "ruby", *newest_first(folder.glob("ruby[0-9].[0-9]")))
        )


def _question(candidate: Interpreter) -> Ruby | None:
    version, *folders = (ask(candidate, _TELL) or "").splitlines() or [""]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return None
    return Ruby(candidate, version, tuple(map(Path, folders)))
