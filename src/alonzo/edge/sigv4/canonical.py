"""The canonical forms of Signature Version 4: pure functions of bytes.

What is signed must mean the same to whoever reads the request afterwards. So a query is brought to
the one spelling that all readers agree on: ``+`` and ``%20`` are both a space, every other byte is
itself, hex digits are upper case.

Source: IAM User Guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from urllib.parse import quote, unquote_to_bytes

from alonzo.edge.http1.head import trim

ALGORITHM = b"AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = b"UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()

#: RFC 3986, 2.3, beside letters and digits. ``quote`` itself always keeps these.
_UNRESERVED = "-_.~"

#: Paths kept, and the longest of them; both bound their memory.
_PATHS_MAX = 2048
_KEPT_BYTES_MAX = 256

# Paths and queries that already are in canonical spelling, which is nearly all of them.
_PLAIN_PATH = re.compile(rb"(?:/[A-Za-z0-9_~%-][A-Za-z0-9_.~%-]*)+/?|/")
_PLAIN_QUERY = re.compile(rb"(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2}|[=&])*")
_ESCAPED_UNRESERVED = re.compile(rb"%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])")


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Derive the key of one day, region and service. ``date`` is ``YYYYMMDD``."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_path(raw_path: bytes, *, service: str) -> bytes:
    """The path as signed: normalised and encoded once more; S3 alone signs it as it was sent."""
    if len(raw_path) <= _KEPT_BYTES_MAX:
        return _kept_path(raw_path, service)
    return _encode_path(raw_path, service)


def _encode_path(raw_path: bytes, service: str) -> bytes:
    if service == "s3":
        return quote(unquote_to_bytes(raw_path), safe="/" + _UNRESERVED).encode()
    if _PLAIN_PATH.fullmatch(raw_path):
        return raw_path.replace(b"%", b"%25")
    return quote(_remove_dot_segments(raw_path), safe="/" + _UNRESERVED).encode()


_kept_path = lru_cache(maxsize=_PATHS_MAX)(_encode_path)


def _remove_dot_segments(path: bytes) -> bytes:
    """RFC 3986, 5.2.4, and repeated slashes become one."""
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments:
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    slash = b"/" if kept and segments[-1] in (b"", b".", b"..") else b""
    return b"/" + b"/".join(kept) + slash


def canonical_query(query: bytes, *, without: bytes | None = None) -> bytes:
    """The query as signed: each name and value encoded anew, then sorted.

    ``without`` names the one parameter that is no part of what is signed.
    """
    if not query:
        return b""
    plain = _PLAIN_QUERY.fullmatch(query) and not _ESCAPED_UNRESERVED.search(query)
    pairs: list[tuple[bytes, bytes]] = []
    for piece in query.split(b"&"):
        name, _, value = piece.partition(b"=")
        if piece and name != without:
            if not plain or b"=" in value:
                name, value = _recode(name), _recode(value)
            pairs.append((name, value))
    pairs.sort()
    return b"&".join([name + b"=" + value for name, value in pairs])


def _recode(text: bytes) -> bytes:
    return quote(unquote_to_bytes(text.replace(b"+", b" ")), safe=_UNRESERVED).encode()


class CanonicalForm:
    """The canonical request for one list of signed headers, but for what differs each time."""

    __slots__ = ("_name", "_shape", "_signed_headers", "_values")

    def __init__(self, signed_headers: bytes) -> None:
        """``signed_headers`` is the list as the client wrote it, ``a;b;c``."""
        names = signed_headers.split(b";")
        block = b"".join([name.replace(b"%", b"%%") + b":%b\n" for name in names])
        self._shape = b"%b\n%b\n%b\n" + block + b"\n%b\n%b"
        self._signed_headers = signed_headers
        self._values = itemgetter(*names)
        # Of a single name, ``itemgetter`` makes no tuple.
        self._name = names[0] if len(names) == 1 else None

    def fill(
        self,
        *,
        method: str,
        path: bytes,
        query: bytes,
        fields: Mapping[bytes, bytes],
        payload_hash: bytes,
    ) -> bytes:
        """The canonical request. ``fields`` are the folded headers.

        Raises:
            KeyError: a signed header is not in the request.
        """
        values = self._values(fields) if self._name is None else (fields[self._name],)
        signed_headers = self._signed_headers
        text = self._shape % (method.encode(), path, query, *values, signed_headers, payload_hash)
        # One look over all of it: hardly a request signs a header that could need trimming.
        if b" " in text or b"\t" in text:
            values = map(trim, values)
            text = self._shape % (
                method.encode(),
                path,
                query,
                *values,
                signed_headers,
                payload_hash,
            )
        return text


def string_to_sign(timestamp: str, scope: str, request: bytes) -> bytes:
    """What the signature is made of. ``scope`` is ``date/region/service/aws4_request``."""
    digest = sha256(request).hexdigest()
    return f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}".encode()
