"""The operating-system-only runtimes: the package brings its own ``bootstrap``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link
from alonzo.runtimes.identifiers import of_family

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier


class ProvidedFamily:
    """``provided``, ``provided.al2`` and ``provided.al2023``: any executable, over HTTP."""

    name = "provided"

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        return of_family(self.name)

    def launch(self, identifier: str, code: Path) -> Launch:
        """Start the first of ``/var/task/bootstrap`` and ``/opt/bootstrap``.

        The host's system takes the place of AWS's. AWS looks in ``/var/runtime`` before; nothing is
        ever there. Whether the file can be executed is for the sandbox to find out when it starts
        it, and becomes ``Runtime.InvalidEntrypoint`` then.
        """
        folder = "/var/task" if (code / "bootstrap").is_file() else "/opt"
        return Launch(argv=(f"{folder}/bootstrap",), link=Link.HTTP)
