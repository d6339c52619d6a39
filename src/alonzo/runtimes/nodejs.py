"""Node.js: our own bootstrap on an interpreter of the host or of a wheel.

Its heap is fixed when Node.js starts, so one that is parked serves functions of one memory size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.interpreters import BOOTSTRAPS, RUNTIME_ROOT
from alonzo.runtimes.sdks import nodejs_sdk
from alonzo.runtimes.start_variables import C_LIBRARY, OPENSSL

if TYPE_CHECKING:
    from pathlib import Path

    from alonzo.runtimes.base import RuntimeIdentifier
    from alonzo.runtimes.interpreters import Nodes

#: The oldest major version that the bootstrap runs on.
OLDEST_MAJOR = 18
#: The major versions that come as a wheel; others come through npm.
WHEELS = (20, 22, 24)
#: As on AWS: nine tenths of the memory are for what lives long, and ``gc()`` is there. Without a
#: size Node.js takes the host's memory for its own, and is killed before it looks for garbage. A
#: shell, because only the process's own variables say how large it may be. It sets none: one of
#: the function's may have any name.
_SIZE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
_SIZED = f"""\
unset PWD OLDPWD SHLVL
exec "$0" --expose-gc --max-http-header-size=81920 \
"--max-semi-space-size=$(({_SIZE} / 20))" "--max-old-space-size=$(({_SIZE} - {_SIZE} / 10))" "$@"
"""
#: What a waiting one takes of the host's memory: its own pages, and those of its sandbox.
_PARKED_BYTES = 12 << 20

#: Not ``NODE_`` as a whole: ``NODE_ENV`` is every third function's, and nothing to Node.js itself.
#: ``NODE_PATH`` is read again by the bootstrap. Source: ``node(1)``, environment.
START_VARIABLES = (
    *C_LIBRARY,
    *OPENSSL,
    "NODE_CHANNEL_",  # the socket to a parent process
    "NODE_COMPILE_CACHE",
    "NODE_DEBUG",
    "NODE_DISABLE_COMPILE_CACHE",
    "NODE_EXTRA_CA_CERTS",
    "NODE_ICU_DATA",
    "NODE_NO_WARNINGS",
    "NODE_OPTIONS",
    "NODE_PENDING_DEPRECATION",
    "NODE_PRESERVE_SYMLINKS",
    "NODE_REDIRECT_WARNINGS",
    "NODE_UNIQUE_ID",  # a worker of the cluster module
    "NODE_USE_",  # certificates and proxies of the system
    "NODE_V8_COVERAGE",
    "UV_",  # libuv: size of the thread pool, io_uring
)


class NodejsFamily:
    """``nodejs18.x`` and later, as far as the host has them."""

    name = "nodejs"

    def __init__(self, nodes: Nodes, extra: tuple[Path, ...] = ()) -> None:
        """``extra`` is where AWS's SDK may be, as in ``SearchPlaces``."""
        self._nodes = nodes
        self._extra = extra

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
            raise RuntimeUnavailableError(
                f"{identifier} needs Node.js {major}, which this host does not have: "
                f"run `alonzo runtime install {identifier}`, or have that `node` on PATH."
            )
        sdk = nodejs_sdk(self._extra)
        return Launch(
            argv=("/bin/sh", "-c", _SIZED, interpreter.inside, f"{RUNTIME_ROOT}/bootstrap.cjs"),
            link=Link.FRAMED,
            paths=(
                interpreter.visible,
                VisiblePath(BOOTSTRAPS / "nodejs", RUNTIME_ROOT),
                *sdk,
            ),
            environment={
                "NODE_PATH": ":".join(
                    (
                        f"/opt/nodejs/node{major}/node_modules",
                        "/opt/nodejs/node_modules",
                        f"{RUNTIME_ROOT}/node_modules",
                        *(path.target for path in sdk),
                        RUNTIME_ROOT,
                        "/var/task",
                    )
                )
            },
            version_name=f"nodejs:{major}.v1",
            parks=True,
            start_variables=START_VARIABLES,
            parks_with=(_SIZE,),
            parked_bytes=_PARKED_BYTES,
        )
