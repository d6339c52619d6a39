"""Which function URL a request is for, by its host or by its path. Pure.

The host decides: whatever path comes to a URL's own host is the function's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from alonzo.model.function_urls import PATH_PREFIX

_HOST = re.compile(rb"([^.:]+)\.lambda-url\.([a-z0-9-]+)\.[^:]+(?::\d+)?", re.IGNORECASE)
_PREFIX = PATH_PREFIX.encode()
_PATH = re.compile(re.escape(_PREFIX) + rb"([^/]*)(/.*)?", re.DOTALL)


class Address(NamedTuple):
    """One function URL, and the path below it.

    ``region`` is None where the address does not name one. ``path`` is undecoded, and ``/`` at
    least. ``host`` is as the client sent it, without the port; ``port`` is empty where there is
    none.
    """

    url_id: str
    region: str | None
    path: bytes
    host: str
    port: str


def is_url_host(host: bytes) -> bool:
    """Whether a valid ``Host`` is one of function URLs, of ones that exist or not."""
    return _HOST.fullmatch(host) is not None


def address_of(host: bytes, raw_path: bytes) -> Address:
    """The address of a request to the host of a URL, or to a path below ``PATH_PREFIX``."""
    name, port = _split_port(host)
    found = _HOST.fullmatch(host)
    if found is not None:
        url_id, region = found[1].decode().lower(), found[2].decode().lower()
        return Address(url_id, region, raw_path or b"/", name, port)
    by_path = _PATH.fullmatch(raw_path)
    assert by_path is not None, "neither the host nor the path of a function URL"
    return Address(by_path[1].decode("latin-1"), None, by_path[2] or b"/", name, port)


def _split_port(host: bytes) -> tuple[str, str]:
    text = host.decode("latin-1")
    if text.startswith("["):
        name, _, port = text.partition("]")
        return f"{name}]", port.removeprefix(":")
    name, _, port = text.partition(":")
    return name, port
