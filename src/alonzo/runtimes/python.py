"""Python: our own bootstrap on an interpreter of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT
from alonzo.runtimes.sdks import python_sdk
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

    def __init__(self, pythons: Pythons, extra: tuple[Path, ...] = ()) -> None:
        """``extra`` is where AWS's SDK may be, as in ``SearchPlaces``."""
        self._pythons = pythons
        self._extra = extra

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
        sdk = python_sdk(version, self._extra)
        return Launch(
            # -s: no packages of the user's home, which is no part of the function.
            argv=(interpreter.inside, "-s", f"{RUNTIME_ROOT}/start.py"),
            link=Link.FRAMED,
            paths=(interpreter.visible, VisiblePath(BOOTSTRAPS / "python", RUNTIME_ROOT), *sdk),
            environment={"PYTHONPATH": RUNTIME_ROOT, "PWD": "/var/task", "SHLVL": "0"},
            version_name=f"python:{version}.v1",
            parks=True,
            preloads="_alonzo_parked",
            start_variables=START_VARIABLES,
        )
