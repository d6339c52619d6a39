"""Java: our own client on a Java of the host.

It is not started ahead of need. A Java program cannot change its working folder, nor how much
memory its heap may take, once it runs; both belong to the function.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier
    from alonzo.runtimes.jvms import Jvm, Jvms

#: The versions that come as a wheel.
WHEELS = (11, 17, 21, 25)

#: The part of the function's memory that the heap may take, in percent, as on AWS.
HEAP_PERCENT = 85

#: Gives Java its heap. A shell, because only the process's own variables say how large it may be.
_SIZED = f'exec "$0" "-Xmx$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * {HEAP_PERCENT} / 100))m" "$@"'

#: As on AWS: what starts fast, on one processor and in little memory.
_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    # No file for monitoring tools in the function's /tmp.
    "-XX:-UsePerfData",
    "-Dfile.encoding=UTF-8",
    "-Dsun.net.inetaddr.negative.ttl=1",
)


class JavaFamily:
    """``java8`` and later, as far as the host has them."""

    name = "java"

    def __init__(self, jvms: Jvms) -> None:
        self._jvms = jvms

    @property
    def identifiers(self) -> tuple[RuntimeIdentifier, ...]:
        """Every identifier of the family, oldest first."""
        return of_family(self.name)

    def launch(self, identifier: str, code: Path) -> Launch:
        """How to start ``identifier``; the handler's name comes in ``_HANDLER``.

        Raises:
            RuntimeUnavailableError: the host has no Java of that version.
        """
        version = re.match(r"java(\d+)", identifier)
        assert version is not None
        major = int(version[1])
        jvm = self._jvms.find(major)
        if jvm is None:
            command = f"run `alonzo runtime install {identifier}`, or "
            raise RuntimeUnavailableError(
                f"{identifier} needs Java {major}, which this host does not have: "
                f"{command if major in WHEELS else ''}have that `java` on PATH or below "
                "/usr/lib/jvm."
            )
        return launch_of(jvm)


def launch_of(jvm: Jvm) -> Launch:
    """How to start the client on an installation, whatever its version."""
    return Launch(
        argv=(
            *("/bin/sh", "-c", _SIZED, jvm.interpreter.inside),
            *(*_OPTIONS, "-jar", f"{RUNTIME_ROOT}/client.jar"),
        ),
        link=Link.FRAMED,
        paths=(jvm.interpreter.visible, VisiblePath(BOOTSTRAPS / "java", RUNTIME_ROOT)),
        version_name=f"java:{jvm.major}.v1",
    )
