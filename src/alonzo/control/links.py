"""Links to a function's package that work for ten minutes without credentials, as AWS's do.

The signature covers what is to be read and until when; whoever has the link may read.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import parse_qs

from alonzo.lib.clock import Clock

#: Source: Lambda API, ``FunctionCodeLocation.Location``.
LINK_S = 600
#: Where the links point, below the platform's endpoint.
CODE_PATH = "/_alonzo/code/"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_QUERY_MEMBERS_MAX = 8
_NUMBER = re.compile(r"[0-9]{1,12}")


class LinkError(Exception):
    """A link does not open anything. ``expired`` tells a link that once did."""

    def __init__(self, text: str, *, expired: bool = False) -> None:
        super().__init__(text)
        self.expired = expired


class CodeLinks:
    """Makes links and checks them. ``key`` is secret and outlives a restart."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def url(self, endpoint: str, sha256: str) -> str:
        """A link to the package with that hex digest; ``endpoint`` is the base URL to use."""
        expires = str(int(self._clock.now_s()) + LINK_S)
        signature = self._sign(sha256, expires)
        base = endpoint.rstrip("/")
        return f"{base}{CODE_PATH}{sha256}?expires={expires}&signature={signature}"

    def open(self, raw_path: bytes, query: bytes) -> str:
        """The digest of the package that a link leads to.

        Raises:
            LinkError: the link was not made here, or its time is over.
        """
        path = raw_path.decode("latin-1")
        sha256 = path.removeprefix(CODE_PATH)
        try:
            members = parse_qs(query.decode("latin-1"), max_num_fields=_QUERY_MEMBERS_MAX)
        except ValueError as error:
            raise LinkError("The link has too many parameters.") from error
        expires = members.get("expires", [""])[0]
        signature = members.get("signature", [""])[0]
        if not path.startswith(CODE_PATH) or _SHA256.fullmatch(sha256) is None:
            raise LinkError("The link names no package.")
        # Compared as bytes: a string of a stranger need not be ASCII.
        expected = self._sign(sha256, expires).encode()
        if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
            raise LinkError("The signature does not match the link.")
        if _NUMBER.fullmatch(expires) is None or int(expires) <= self._clock.now_s():
            raise LinkError("Request has expired", expired=True)
        return sha256

    def _sign(self, sha256: str, expires: str) -> str:
        text = f"{sha256} {expires}".encode("utf-8", "replace")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
