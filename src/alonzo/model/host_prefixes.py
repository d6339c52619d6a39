"""What SDKs put in front of an endpoint's name, by themselves, for some operations.

``StartLiveTail`` of the endpoint ``http://127.0.0.1:4566`` goes to ``stream-127.0.0.1:4566``: AWS
serves it from other machines. Here one endpoint serves all, so such names have to lead to it too.
Pure.

Source: ``endpoint.hostPrefix`` of the service models, which a test compares with this. Prefixes
with a label of the request in them, as S3's ``WriteGetObjectResponse`` has, can be told by nobody
ahead; operations of such are not served.
"""

from __future__ import annotations

#: Of what models of today say, and of what they said once: SDKs of then are still in packages.
HOST_PREFIXES = ("stream-", "streaming-")

#: What an endpoint that is reached over a loopback is called.
_LOOPBACK_NAMES = ("127.0.0.1", "localhost")

#: The names for a hosts file beside ``localhost``.
LOOPBACK_NAMES = tuple(prefix + name for prefix in HOST_PREFIXES for name in _LOOPBACK_NAMES)


def without_prefix(name: str) -> str:
    """The name that an SDK was given which now asks for ``name``."""
    found = next((prefix for prefix in HOST_PREFIXES if name.startswith(prefix)), "")
    return name[len(found) :]
