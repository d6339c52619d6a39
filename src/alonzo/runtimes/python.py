"""Python: our own bootstrap on an interpreter of the host."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.compiled import CompiledCopies, Sources
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT
from alonzo.runtimes.sdks import PYTHON_TARGET, python_sdk
from alonzo.runtimes.start_variables import C_LIBRARY, OPENSSL

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier
    from alonzo.runtimes.interpreters import Pythons

#: The oldest minor version of Python 3 that the bootstrap runs on.
OLDEST_MINOR = 8
#: ``PYTHON``: paths, encodings, hashing, what is traced; all of them read before the first line.
START_VARIABLES = (*C_LIBRARY, *OPENSSL, "PYTHON")


class PythonFamily:
    """``python3.8`` and later, as far as the host has them."""

    name = "python"

    def __init__(
        self, pythons: Pythons, extra: tuple[Path, ...] = (), compiled: Path | None = None
    ) -> None:
        """``extra`` is where AWS's SDK may be; both folders are those of ``SearchPlaces``."""
        self._pythons = pythons
        self._extra = extra
        self._copies = CompiledCopies(compiled)

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        return of_family(self.name)

    def launch(self, identifier: str, code: Path) -> Launch:
        """How to start ``identifier``; the handler's name comes in ``_HANDLER``.

        The first call for an identifier starts its interpreter once, about 50 ms.

        Raises:
            RuntimeUnavailableError: the host has no such Python, or it is older than 3.8.
        """
        version = identifier.removeprefix("python")
        if not version.startswith("3.") or int(version[2:]) < OLDEST_MINOR:
            raise RuntimeUnavailableError(
                f"{identifier} is too old to run here: use python3.{OLDEST_MINOR} or later."
            )
        interpreter = self._pythons.find(version)
        if interpreter is None:
            raise RuntimeUnavailableError(
                f"{identifier} needs Python {version}, which this host does not have: run "
                f"`alonzo runtime install {identifier}`, or have `python{version}` on PATH."
            )
        own = VisiblePath(BOOTSTRAPS / "python", RUNTIME_ROOT)
        sources = [
            Sources(root, paths, interpreter.executable, version)
            for root, paths in (
                (RUNTIME_ROOT, (own,)),
                (PYTHON_TARGET, python_sdk(version, self._extra)),
            )
        ]
        shown = [path for each in sources for path in self._copies.shown(each)]
        wanted = [each for each in sources if self._copies.wants(each)]
        return Launch(
            # -s: no packages of the user's home, which is no part of the function.
            argv=(interpreter.inside, "-s", f"{RUNTIME_ROOT}/start.py"),
            link=Link.FRAMED,
            paths=(interpreter.visible, *shown),
            environment={"PYTHONPATH": RUNTIME_ROOT, "PWD": "/var/task", "SHLVL": "0"},
            version_name=f"python:{version}.v1",
            parks=True,
            preloads="_alonzo_parked",
            start_variables=START_VARIABLES,
            improve=functools.partial(self._copies.make, wanted) if wanted else None,
        )
