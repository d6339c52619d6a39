"""Finds the host's installations of .NET, by their folders. Nothing is started.

An installation is a folder that holds ``dotnet``, and every version that was installed there:
``host/fxr/8.0.20``, ``shared/Microsoft.NETCore.App/8.0.20``, and with the SDK ``sdk/8.0.414``. It
runs wherever it is shown, for ``dotnet`` looks for all of them beside itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alonzo.runtimes.base import VisiblePath
from alonzo.runtimes.interpreters import (
    LANGUAGE_ROOT,
    SearchPlaces,
    is_elf,
    newest_first,
    readable,
)

#: Where an installation is inside, ``dotnet`` in it. AWS's own place.
DOTNET_ROOT = f"{LANGUAGE_ROOT}/bin"

#: The framework that every program needs.
_CORE = "shared/Microsoft.NETCore.App"
#: What ``alonzo runtime install`` brings, below the folder that it has filled.
_WHEEL = "dnv/net/runtime/.net"

#: Where packages for all users of a host put it.
_SYSTEM_FOLDERS = (
    "/usr/share/dotnet",
    "/usr/lib/dotnet",
    "/usr/lib64/dotnet",
    "/usr/local/share/dotnet",
    "/opt/dotnet",
)
#: Below a user's home: Microsoft's script and the version managers.
_OF_USERS = (
    ".dotnet",
    ".local/share/mise/dotnet-root",
    ".local/share/mise/installs/dotnet/*",
    ".asdf/installs/dotnet/*",
    ".asdf/installs/dotnet-core/*",
)
#: Not a preview (``10.0.0-rc.1``): AWS runs none.
_VERSION = re.compile(r"(\d+)\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Dotnet:
    """One installation, seen as its newest ``version`` of one ``major``."""

    root: Path
    major: int
    version: str

    @property
    def visible(self) -> VisiblePath:
        """The installation, at its place inside."""
        return VisiblePath(self.root, DOTNET_ROOT)

    @property
    def inside(self) -> str:
        """The path of ``dotnet`` inside."""
        return f"{DOTNET_ROOT}/dotnet"


class Dotnets:
    """The installations of this host, by major version (``8``)."""

    def __init__(self, places: SearchPlaces) -> None:
        self._places = places
        self._found: dict[int, Dotnet] = {}

    def find(self, major: int) -> Dotnet | None:
        """The installation to use for ``major``. Looks at a few folders and starts nothing."""
        if major not in self._found:
            found = next((each for each in self.all() if each.major == major), None)
            if found is None:
                return None
            self._found[major] = found
        return self._found[major]

    def all(self) -> Iterator[Dotnet]:
        """Every installation, once for each of its major versions, the best place first."""
        for root in _installations(self._candidates()):
            seen: set[int] = set()
            for folder in newest_first((root / _CORE).iterdir()):
                version = _VERSION.fullmatch(folder.name)
                if version is None or int(version[1]) in seen or not readable(folder):
                    continue
                seen.add(int(version[1]))
                yield Dotnet(root, int(version[1]), folder.name)

    def _candidates(self) -> Iterator[Path]:
        places = self._places
        if places.dotnet_root is not None:
            yield places.dotnet_root / "dotnet"
        for folder in places.path:
            yield folder / "dotnet"
        roots = [Path(folder) for folder in _SYSTEM_FOLDERS]
        if places.home is not None:
            for pattern in _OF_USERS:
                roots += newest_first(places.home.glob(pattern))
        # Last: what the host's own package manager keeps up to date is to be preferred.
        for extra in places.extra:
            roots += [extra, *newest_first(extra.glob("*"))]
            roots += [extra / _WHEEL, *newest_first(extra.glob(f"*/{_WHEEL}"))]
        for root in roots:
            yield root / "dotnet"


def _installations(files: Iterable[Path]) -> Iterator[Path]:
    """The folder of each real installation among ``files``, in order, once."""
    seen: set[Path] = set()
    for file in files:
        # Not Path.resolve: that raises for a loop of links.
        real = Path(os.path.realpath(file))
        root = real.parent
        if not file.is_absolute() or root in seen:
            continue
        seen.add(root)
        whole = (root / _CORE).is_dir() and (root / "host/fxr").is_dir()
        if whole and is_elf(real) and readable(real, program=True) and readable(root):
            yield root
