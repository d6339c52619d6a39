"""All runtimes of a platform, by identifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.dotnet import DotnetFamily
from alonzo.runtimes.dotnets import Dotnets
from alonzo.runtimes.interpreters import Nodes, Pythons
from alonzo.runtimes.java import JavaFamily
from alonzo.runtimes.jvms import Jvms
from alonzo.runtimes.nodejs import NodejsFamily
from alonzo.runtimes.provided import ProvidedFamily
from alonzo.runtimes.python import PythonFamily
from alonzo.runtimes.rubies import Rubies
from alonzo.runtimes.ruby import RubyFamily
from alonzo.runtimes.unsupported import UNSUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alonzo.runtimes.base import Launch, RuntimeFamily, RuntimeIdentifier
    from alonzo.runtimes.interpreters import SearchPlaces


def families(places: SearchPlaces) -> tuple[RuntimeFamily, ...]:
    """Every family, looking for interpreters in ``places``. Starts nothing."""
    return (
        PythonFamily(Pythons(places), places.extra, places.compiled),
        NodejsFamily(Nodes(places), places.extra),
        RubyFamily(Rubies(places)),
        JavaFamily(Jvms(places)),
        DotnetFamily(Dotnets(places)),
        ProvidedFamily(),
        *UNSUPPORTED,
    )


class Runtimes:
    """Answers for all identifiers of ``families``. Implements ``ports.invoking.RuntimeFacts``."""

    def __init__(self, families: Iterable[RuntimeFamily]) -> None:
        self._known = {
            identifier.name: (identifier, family)
            for family in families
            for identifier in family.identifiers
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Every identifier, whether this host can run it or not."""
        return tuple(self._known)

    def identifier(self, name: str) -> RuntimeIdentifier | None:
        """What is known of an identifier; None: there is no such runtime."""
        known = self._known.get(name)
        return known[0] if known else None

    def launch(self, identifier: str, code: Path) -> Launch:
        """How to start ``identifier`` for the code in the host folder ``code``.

        The first call for an identifier may start an interpreter, some tens of milliseconds.

        Raises:
            RuntimeUnavailableError: there is no such runtime, or the host lacks what it needs.
        """
        known = self._known.get(identifier)
        if known is None:
            raise RuntimeUnavailableError(f"There is no runtime named {identifier}.")
        return known[1].launch(identifier, code)

    def unavailable(self, identifier: str) -> str | None:
        """None if this host can run the identifier, else a sentence that names the fix."""
        try:
            self.launch(identifier, Path("/nonexistent"))
        except RuntimeUnavailableError as error:
            return str(error)
        return None
