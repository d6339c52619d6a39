"""The contract of a runtime family: which identifiers it serves, and how to start one.

A family knows files and arguments. It starts nothing and knows no sandbox: it says which folders
must be visible where, and the environments room does the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Link(StrEnum):
    """How a runtime talks to the daemon.

    ``FRAMED``: our own bootstrap over an inherited Unix socket (``runtimes/framing.py``).
    ``HTTP``: the Runtime API on ``AWS_LAMBDA_RUNTIME_API``.
    """

    FRAMED = "framed"
    HTTP = "http"


#: The descriptor numbers that our bootstraps are given.
CHANNEL_FD = 3
TELEMETRY_FD = 4

#: What a process that waits takes of the host's memory: an interpreter, its sandbox, our own part.
PARKED_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class RuntimeIdentifier:
    """One value of ``Runtime`` as AWS offers it.

    ``create_until`` and ``update_until`` are the last days on which AWS accepts it; None: no date
    is set. Source: Lambda developer guide, runtimes.
    """

    name: str
    family: str
    deprecated_on: date | None = None
    create_until: date | None = None
    update_until: date | None = None


@dataclass(frozen=True, slots=True)
class VisiblePath:
    """A file or folder of the host that must be visible, read-only, inside."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a runtime process. Paths in ``argv`` are as seen inside.

    ``environment`` holds what the runtime adds to the variables that every function has;
    ``paths`` are visible beside ``/usr``, ``/lib`` … and the function's own code.
    ``version_name`` is shown in ``INIT_START`` (``python:3.12.v1``); None: no such line.

    ``parks``: the process may be started before anybody knows what it will run. It then waits for a
    ``CONFIG`` frame. ``preloads`` goes further: the name of a Python module, in the folder of the
    last of ``argv``, whose ``preload()`` and ``main()`` do the same in a fork of a process that has
    imported everything. Neither will do for a function that sets one of ``start_variables``, which
    count only when a program is executed: each is the beginning of names, or a name and ``=``.

    ``parks_with`` names variables that must have their values when the process is parked: it then
    serves only functions with the same. ``parked_bytes`` is what one takes of the host's memory,
    and ``led``: it cannot change its own working folder, so its sandbox has to.

    ``improve`` prepares files with which the same would start faster, once, off everybody's path,
    and answers whether ``launch`` has better to say now; None: there is nothing to improve.

    ``program`` is how a function is started whose handler names no method (``::``) but a program of
    its package, which brings its own runtime client; None: no such thing in this language.
    """

    argv: tuple[str, ...]
    link: Link
    paths: tuple[VisiblePath, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    version_name: str | None = None
    parks: bool = False
    preloads: str | None = None
    start_variables: tuple[str, ...] = ()
    parks_with: tuple[str, ...] = ()
    parked_bytes: int = PARKED_BYTES
    led: bool = False
    improve: Callable[[], Awaitable[bool]] | None = field(default=None, compare=False)
    program: Launch | None = None

    def for_handler(self, handler: str) -> Launch:
        """How to start a function with that handler."""
        return self if self.program is None or "::" in handler else self.program

    def must_start_with(self, variables: Iterable[str]) -> bool:
        """Whether one of a function's own ``variables``, given by name, is a start variable."""
        return any(f"{name}=".startswith(self.start_variables) for name in variables)


class RuntimeUnavailableError(Exception):
    """This host cannot run the identifier. The text names what is missing and the fix."""


class RuntimeFamily(Protocol):
    """One language, or the operating-system-only runtimes."""

    @property
    def name(self) -> str:
        """Its name: ``python``, ``nodejs``, ``provided`` and so on."""
        ...

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        ...

    def launch(self, identifier: str, code: Path) -> Launch:
        """How to start ``identifier`` for the code in the host folder ``code``.

        May start an interpreter the first time, so call it in a thread. A package that holds
        nothing to start gives a ``Launch`` that the sandbox cannot execute:
        ``Runtime.InvalidEntrypoint``.

        Raises:
            RuntimeUnavailableError: the host lacks what it needs.
        """
        ...
