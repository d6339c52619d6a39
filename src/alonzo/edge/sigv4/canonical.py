"""The canonical forms of Signature Version 4: pure functions of bytes.

What is signed must mean the same to whoever reads the request afterwards. So a query is brought to
the one spelling that all readers agree on: ``+`` and ``%20`` are both a space, every other byte is
itself, hex digits are upper case.

Source: IAM User Guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = b"AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = b"UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256(b"").hexdigest()

#: RFC 3986, 2.3, beside letters and digits. ``quote`` itself always keeps these.
_UNRESERVED = "-_.~"

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
    if service == "s3":
        return quote(unquote_to_bytes(raw_path), safe="/" + _UNRESERVED).encode()
    if _PLAIN_PATH.fullmatch(raw_path):
        return raw_path.replace(b"%", b"%25")
    return quote(_remove_dot_segments(raw_path), safe="/" + _UNRESERVED).encode()


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


def fold_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; the values of a repeated one are trimmed and joined by commas, in order."""
    folded: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in folded:
            folded[name] = trim(folded[name]) + b"," + trim(value)
        else:
            folded[name] = value
    return folded


def trim(value: bytes) -> bytes:
    """A header value without outer white space, and with one space for each run within."""
    return b" ".join(value.split())


def canonical_request(
    *,
    method: str,
    path: bytes,
    query: bytes,
    headers: Mapping[bytes, bytes],
    signed_headers: bytes,
    payload_hash: bytes,
) -> bytes:
    """Put the canonical parts together.

    ``headers`` are folded; ``signed_headers`` is the list as the client wrote it, ``a;b;c``.

    Raises:
        KeyError: a signed header is not in the request.
    """
    names = signed_headers.split(b";")
    block = b"\n".join([name + b":" + headers[name] for name in names]) + b"\n"
    # One look over all of them: hardly a request has a header that needs trimming.
    if b"  " in block or b": " in block or b" \n" in block or b"\t" in block:
        block = b"".join([name + b":" + trim(headers[name]) + b"\n" for name in names])
    return b"\n".join((method.encode(), path, query, block, signed_headers, payload_hash))


def string_to_sign(timestamp: str, scope: str, request: bytes) -> bytes:
    """What the signature is made of. ``scope`` is ``date/region/service/aws4_request``."""
    digest = sha256(request).hexdigest()
    return f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}".encode()
