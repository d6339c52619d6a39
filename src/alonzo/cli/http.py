"""Plain HTTP requests to a platform, over TLS where its address says so."""

from __future__ import annotations

import os
import ssl
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit


def open_connection(endpoint: str, *, timeout_s: float, ca: str | None = None) -> HTTPConnection:
    """A connection to that address, made at its first request.

    A certificate is trusted if an authority in the file ``ca`` vouches for it; without one, in the
    file that ``AWS_CA_BUNDLE`` names, else if one of this host's authorities does.

    Raises:
        OSError: the file of authorities is of no use.
    """
    url = urlsplit(endpoint)
    if url.scheme != "https":
        return HTTPConnection(url.hostname or "", url.port or 80, timeout=timeout_s)
    trusted = ssl.create_default_context(cafile=ca or os.environ.get("AWS_CA_BUNDLE") or None)
    return HTTPSConnection(url.hostname or "", url.port or 443, timeout=timeout_s, context=trusted)
