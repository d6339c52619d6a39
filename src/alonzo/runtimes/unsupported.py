"""Families that AWS has and we do not run yet: known by name, refused with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.runtimes.identifiers import of_family

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier

#: Why each family does not run, and what to do about it.
REASONS = {
    "go": "go1.x functions do not run here: build an executable `bootstrap` for provided.al2023.",
    "custom": "Customer-managed runtimes do not run here yet: use provided.al2023.",
}


class UnsupportedFamily:
    """A family whose identifiers are valid and cannot be started."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        return of_family(self.name)

    def launch(self, identifier: str, code: Path) -> NoReturn:
        """Refuse.

        Raises:
            RuntimeUnavailableError: always.
        """
        raise RuntimeUnavailableError(self._reason)


UNSUPPORTED = tuple(UnsupportedFamily(name, reason) for name, reason in REASONS.items())
