"""By which names the platform is reached, and which requests come from a web page of somebody else.

A page in a browser on this machine or in this network can send requests here, though nothing but
the browser trusts it. Two ways, two answers:

* *DNS rebinding*: the page's own name is made to lead to us, so that the browser shows it our
  answers. The request still says that name in ``Host``: one that we do not know is refused.
* *Requests across sites*: the page names us, and the browser hides our answer, but not the request.
  It says ``Origin`` or ``Sec-Fetch-Site``: one from another site is refused.

Who signs is past both: the signature covers the host, and no page can make one. So all of this is
for platforms with ``--auth off``, and the first for what is served unsigned. An address in
``Host`` is never refused: no name can be made to lead there in a browser's eyes. Nor is a
host prefix of the SDKs (``host_prefixes.py``) before an address or a known name without a dot: they
are in no public DNS either. Names with a dot are taken as they were given: before one right below a
public suffix, ``stream-`` would make the name of somebody else's site. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from urllib.parse import urlsplit

from alonzo.edge.function_urls.address import is_url_host
from alonzo.edge.http1.head import Head
from alonzo.model.host_prefixes import without_prefix

#: Names of this machine in every browser. Source: RFC 6761, 6.3.
_LOCALHOST = "localhost"

#: No host that matches is longer; the bound keeps the memory of known ones small.
_HOST_BYTES_MAX = 262
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")

#: Hosts that are remembered.
_KEPT_MAX = 1024


class Host(Enum):
    """What a ``Host`` header says."""

    NONE = "none that is valid"
    PLAIN = "the platform"
    URL = "a function URL"


def host_of(head: Head, *, http_1_0: bool) -> Host:
    """There must be one host (RFC 9112, 3.2). A probe in HTTP/1.0 may do without."""
    # Two hosts are folded into one text with a comma, which no host has.
    host = head.fields.get(b"host")
    if host is None:
        return Host.PLAIN if http_1_0 else Host.NONE
    return _read_host(host) if len(host) <= _HOST_BYTES_MAX else Host.NONE


@lru_cache(maxsize=_KEPT_MAX)
def _read_host(text: bytes) -> Host:
    if _HOST.fullmatch(text) is None:
        return Host.NONE
    return Host.URL if is_url_host(text) else Host.PLAIN


class HostRules:
    """The names of one platform."""

    def __init__(self, names: Iterable[str] = (), *, only_this_machine: bool = False) -> None:
        """``names`` are known, and whatever is below them, beside those of this machine.

        Otherwise names without a dot are known too: there are none in public DNS, and containers
        call each other by such.
        """
        self._names = frozenset(name.lower().rstrip(".") for name in names) | {_LOCALHOST}
        #: Those that were given, in lower case.
        self.names = self._names - {_LOCALHOST}
        self._bare = not only_this_machine
        self.knows = lru_cache(maxsize=_KEPT_MAX)(self._knows)

    def _knows(self, host: bytes) -> bool:
        """Whether a ``Host``, which may have a port, is one of ours or an address."""
        text = host.decode("latin-1").lower()
        if text.startswith("["):
            return _is_address(text[1:].partition("]")[0])
        name = text.partition(":")[0].rstrip(".")
        if _is_address(name) or self._is_name(name):
            return True
        plain = without_prefix(name)
        return _is_address(plain) or ("." not in plain and self._is_name(plain))

    def _is_name(self, name: str) -> bool:
        if name in self._names or (self._bare and name and "." not in name):
            return True
        return any(name.endswith(f".{known}") for known in self._names)

    def refusal(self, head: Head) -> str | None:
        """Why a request with this ``Host`` is refused; None: it is not."""
        host = head.fields.get(b"host", b"localhost")
        if self.knows(host):
            return None
        name = host.decode("latin-1").partition(":")[0]
        return (
            f"This platform is not known as '{name}'. If that is its name, start it with "
            f"--hostname {name}"
        )

    def refusal_of_page(self, head: Head) -> str | None:
        """Why a request that a web page had sent is refused; None: it is not, or no page did."""
        fields = head.fields
        if fields.get(b"sec-fetch-site") != b"cross-site":
            origin = fields.get(b"origin")
            if origin is None or self._is_ours(origin):
                return None
        return (
            "With --auth off, web pages of other sites may not call this platform. "
            "Leave authentication on to be called from anywhere."
        )

    def _is_ours(self, origin: bytes) -> bool:
        try:
            host = urlsplit(origin.decode("latin-1")).netloc
        except ValueError:
            return False
        # An address is no proof here: it may be anybody's.
        name = host.partition(":")[0]
        if _is_address(host[1:].partition("]")[0] if host.startswith("[") else name):
            return _is_loopback(host)
        # Nor is a host prefix: no pages are there.
        return self._is_name(name.lower().rstrip("."))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    text = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return ipaddress.ip_address(text).is_loopback
