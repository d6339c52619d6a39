"""Ruby: our own bootstrap on an interpreter of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT
from alonzo.runtimes.start_variables import C_LIBRARY, OPENSSL

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier
    from alonzo.runtimes.rubies import Rubies, Ruby

#: The oldest version that the bootstrap runs on.
OLDEST = (2, 7)
#: ``RUBYOPT`` and the settings of the garbage collector. The bootstrap itself reads ``RUBYLIB``,
#: and RubyGems reads its own variables again.
START_VARIABLES = (*C_LIBRARY, *OPENSSL, "RUBYOPT", "RUBYSHELL", "RUBY_")


class RubyFamily:
    """``ruby2.7`` and later, as far as the host has them."""

    name = "ruby"

    def __init__(self, rubies: Rubies) -> None:
        self._rubies = rubies

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        return of_family(self.name)

    def launch(self, identifier: str, code: Path) -> Launch:
        """How to start ``identifier``; the handler's name comes in ``_HANDLER``.

        The first call starts the candidates among the host's interpreters once, about 20 ms each.

        Raises:
            RuntimeUnavailableError: the host has no such Ruby, or it is older than 2.7.
        """
        version = identifier.removeprefix(self.name)
        if tuple(map(int, version.split("."))) < OLDEST:
            raise RuntimeUnavailableError(f"{identifier} is too old to run here: use ruby3.4.")
        ruby = self._rubies.find(version)
        if ruby is None:
            raise RuntimeUnavailableError(
                f"{identifier} needs Ruby {version}, which this host does not have: have that "
                f"`ruby` on PATH, or run `rbenv install {version}`."
            )
        return launch_of(ruby)


def launch_of(ruby: Ruby) -> Launch:
    """How to start the bootstrap on an installation, whatever its version."""
    version = ".".join(ruby.version.split(".")[:2])
    return Launch(
        argv=(*ruby.argv, "-EUTF-8", f"{RUNTIME_ROOT}/bootstrap.rb"),
        link=Link.FRAMED,
        paths=(*ruby.paths, VisiblePath(BOOTSTRAPS / "ruby", RUNTIME_ROOT)),
        environment={
            # Ruby keeps the gems of all patch releases of a version together.
            "GEM_PATH": f"/var/task/vendor/bundle/ruby/{version}.0:/opt/ruby/gems/{version}.0",
            "RUBYLIB": f"/var/task:{RUNTIME_ROOT}/lib:/opt/ruby/lib",
        },
        version_name=f"ruby:{version}.v1",
        parks=True,
        start_variables=START_VARIABLES,
    )
