""".NET: our own client on an installation of the host, or the package's own program.

A handler ``Assembly::Namespace.Type::Method`` is run by our client. Any other names a program of
the package, which brings AWS's client as a library and speaks to the HTTP Runtime API. Either is
started with the package's dependencies and settings (``.deps.json``, ``.runtimeconfig.json``),
which .NET wants to know when it starts; so it never waits for its function ahead of time.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.dotnets import DOTNET_ROOT
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT

if TYPE_CHECKING:
    from alonzo.runtimes.base import RuntimeIdentifier
    from alonzo.runtimes.dotnets import Dotnet, Dotnets

#: The oldest version that the client runs on, and the one that comes as a wheel.
OLDEST = 6
WHEEL = 8

#: Where hosts keep the library that .NET takes languages and their rules from.
_ICU = ("usr/lib*/libicuuc.so.*", "usr/lib/*-linux-*/libicuuc.so.*", "lib/*-linux-*/libicuuc.so.*")


class DotnetFamily:
    """``dotnet6`` and later, as far as the host has them."""

    name = "dotnet"

    def __init__(self, dotnets: Dotnets) -> None:
        self._dotnets = dotnets

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        return of_family(self.name)

    def launch(self, identifier: str, code: Path) -> Launch:
        """How to start ``identifier``; the handler's name comes in ``_HANDLER``.

        Raises:
            RuntimeUnavailableError: the host has no .NET of that version, or it is .NET Core.
        """
        version = identifier.removeprefix("dotnetcore").removeprefix(self.name)
        major = int(version.partition(".")[0])
        if major < OLDEST:
            raise RuntimeUnavailableError(f"{identifier} is too old to run here: use dotnet10.")
        dotnet = self._dotnets.find(major)
        if dotnet is None:
            command = f"run `alonzo runtime install {identifier}`, or "
            raise RuntimeUnavailableError(
                f"{identifier} needs .NET {major}, which this host does not have: "
                f"{command if major == WHEEL else ''}install aspnetcore-runtime-{major}.0, so that "
                "`dotnet` is on PATH or DOTNET_ROOT names its folder."
            )
        return launch_of(dotnet)


def launch_of(dotnet: Dotnet) -> Launch:
    """How to start functions on an installation, whatever its version."""
    launch = Launch(
        argv=(
            *("/bin/sh", f"{RUNTIME_ROOT}/bootstrap", dotnet.inside),
            f"{RUNTIME_ROOT}/Alonzo.Runtime.dll",
        ),
        link=Link.FRAMED,
        paths=(dotnet.visible, VisiblePath(BOOTSTRAPS / "dotnet", RUNTIME_ROOT)),
        environment={
            # As on AWS.
            "DOTNET_ROOT": DOTNET_ROOT,
            "DOTNET_VERSION": dotnet.version,
            "DOTNET_RUNNING_IN_CONTAINER": "true",
            "DOTNET_NOLOGO": "true",
            "DOTNET_CLI_TELEMETRY_OPTOUT": "true",
            # Without that library .NET ends at once, unless it is told to know one culture only.
            **({} if _has_icu() else {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}),
        },
        version_name=f"dotnet:{dotnet.major}.v1",
    )
    return replace(launch, program=replace(launch, link=Link.HTTP))


def _has_icu() -> bool:
    return any(True for pattern in _ICU for _ in Path("/").glob(pattern))
