"""What the backend says of itself, and which mounts it can show. Pure."""

from __future__ import annotations

import posixpath

from alonzo.sandbox.base import NETWORK_LAYER, Layer, Mount, SandboxError
from alonzo.sandbox.places import is_own

_ISOLATED = "use --isolation namespaces for it"

#: What functions are not kept from. Nothing of it is active; the last can still be known.
LAYERS = (
    Layer(
        "isolation",
        False,
        "functions run as plain processes of the user who runs the platform: they read and change "
        f"whatever that user may, other functions' files and memory included; {_ISOLATED}",
    ),
    Layer("memory limit", False, f"not limited, only measured; {_ISOLATED}"),
    Layer("size of /tmp", False, f"not limited, and the host's own is in sight; {_ISOLATED}"),
    Layer("process limit", False, f"not limited; {_ISOLATED}"),
    Layer("cpu share", False, f"not limited; {_ISOLATED}"),
    Layer(NETWORK_LAYER, False, f"the host's own; {_ISOLATED}"),
    Layer("freezer", True, "by SIGSTOP"),
)


def check(mounts: tuple[Mount, ...], shown: frozenset[str]) -> None:
    """Refuse what a tree of links cannot show beside what it has ``shown``.

    Raises:
        SandboxError: the text says which mount it is.
    """
    targets = set(shown)
    for mount in mounts:
        target = mount.target
        if not target.startswith("/") or posixpath.normpath(target) != target or "\0" in target:
            raise SandboxError(f"mount target {target!r}: want an absolute path in its plain form")
        if not is_own(target) and str(mount.source) != target:
            raise SandboxError(
                f"mount target {target}: without isolation the host's own files are there"
            )
        if not mount.source.is_absolute():
            raise SandboxError(f"mount source {mount.source}: want an absolute path")
        if any(_beside(target, other) for other in targets):
            raise SandboxError(f"mount target {target}: another mount is there, above or below")
        targets.add(target)


def _beside(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")
