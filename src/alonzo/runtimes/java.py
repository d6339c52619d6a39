"""Java: our own client on a Java of the host.

Three things are fixed when Java starts, and belong to the function. One that is parked has them so:

* its heap: it is started for functions of one memory size;
* its working folder: it is told that it is in ``/var/task``, and its sandbox takes it there;
* its variables: room is made for them, and the client writes them there before anybody reads any.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT
from alonzo.runtimes.start_variables import C_LIBRARY, OPENSSL

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier
    from alonzo.runtimes.jvms import Jvm, Jvms

#: The versions that come as a wheel.
WHEELS = (11, 17, 21, 25)

#: The part of the function's memory that the heap may take, in percent, as on AWS.
HEAP_PERCENT = 85

#: How many variables there is room for in one that is parked, and how long they are on average. A
#: function has at most 512 of its own, whose names and values are 4 KB together.
_ROOM = 768
_ROOM_BYTES = 48

#: Gives Java its heap. A shell, because only the process's own variables say how large it may be.
_SIZED = f"""\
unset PWD OLDPWD SHLVL
if [ "$_ALONZO_PARK" ]; then
  i=0
  while [ $i -lt {_ROOM} ]; do
    export "_ALONZO_$i={"." * _ROOM_BYTES}"
    i=$((i + 1))
  done
  set -- -Duser.dir=/var/task "$@" parked
fi
exec "$0" "-Xmx$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * {HEAP_PERCENT} / 100))m" "$@"
"""

#: What a waiting one takes of the host's memory: its own pages after what it does ahead.
_PARKED_BYTES = 48 << 20

#: Read natively, by Java itself and by what it loads for fonts: the home of its user too.
START_VARIABLES = (
    *C_LIBRARY,
    *OPENSSL,
    "JAVA_TOOL_OPTIONS=",
    "JDK_JAVA_OPTIONS=",
    "_JAVA_",  # options of the machine and of its launcher
    "HOME=",
    "TZ=",
)

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
        parks=True,
        start_variables=START_VARIABLES,
        parks_with=("AWS_LAMBDA_FUNCTION_MEMORY_SIZE",),
        parked_bytes=_PARKED_BYTES,
        led=True,
    )
