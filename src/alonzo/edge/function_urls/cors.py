"""Cross-origin resource sharing, as a function URL is configured for it. Pure.

* A request with ``OPTIONS`` is answered from the configuration; nothing is invoked for it.
* Every other answer to an allowed origin has the configured headers in the place of the function's.
* Who is not allowed gets an answer without such headers: keeping it from a page is the browser's
  part.

Source: Lambda developer guide, cross-origin resource sharing; WHATWG Fetch, CORS protocol.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.edge.function_urls.result import Headers
from alonzo.edge.http1.head import Head

#: What is configured says all there is to say of these, also to those who are not allowed.
_ALWAYS_OURS = frozenset({"access-control-allow-origin", "access-control-allow-credentials"})
_EXPOSE = "access-control-expose-headers"
_ANY = "*"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Printable, and without what would end a header or a list.
_ORIGIN = re.compile(r"[\x21-\x2b\x2d-\x7e]+")


def answers_preflight(head: Head) -> bool:
    """Whether a URL that has a configuration answers the request in its function's place."""
    return head.method == "OPTIONS"


def preflight_headers(cors: Mapping[str, Any], head: Head) -> Headers:
    """The headers of the answer to a preflight."""
    headers = _origin_headers(cors, head)
    if not _is_allowed(headers):
        return headers
    methods = _tokens(cors.get("AllowMethods"))
    asked_method = _asked(head, b"access-control-request-method")
    if _ANY in methods:
        # With credentials a star is a method of that name, and no wildcard.
        methods = asked_method or methods
    if methods:
        headers.append(("access-control-allow-methods", ",".join(methods)))
    names = _tokens(cors.get("AllowHeaders"))
    if _ANY in names:
        # As with methods; and never does a star stand for Authorization.
        names = _asked(head, b"access-control-request-headers") or names
    if names:
        headers.append(("access-control-allow-headers", ",".join(names)))
    if (age_s := cors.get("MaxAge")) is not None:
        headers.append(("access-control-max-age", str(int(age_s))))
    return headers


def with_cors(cors: Mapping[str, Any] | None, head: Head, headers: Headers) -> Headers:
    """The headers of an answer together with the configured ones."""
    if cors is None:
        return headers
    exposed = _tokens(cors.get("ExposeHeaders"))
    ours = _origin_headers(cors, head)
    if exposed and _is_allowed(ours):
        ours.append((_EXPOSE, ",".join(exposed)))
    replaced = _ALWAYS_OURS | ({_EXPOSE} if exposed else set[str]())
    return [header for header in headers if header[0] not in replaced] + ours


def _origin_headers(cors: Mapping[str, Any], head: Head) -> Headers:
    """Which origin may read the answer, and on what the answer depends."""
    allowed = [str(origin) for origin in cors.get("AllowOrigins") or ()]
    if not allowed:
        return []
    credentials = cors.get("AllowCredentials") is True
    origin = head.fields.get(b"origin", b"").decode("latin-1")
    if _ANY in allowed and not credentials:
        return [("access-control-allow-origin", _ANY)] if origin else []
    headers: Headers = [("vary", "Origin")]
    if _ORIGIN.fullmatch(origin) and (_ANY in allowed or _is_one_of(origin, allowed)):
        headers.append(("access-control-allow-origin", origin))
        if credentials:
            headers.append(("access-control-allow-credentials", "true"))
    return headers


def _is_one_of(origin: str, allowed: Sequence[str]) -> bool:
    # Browsers send scheme and host in lower case, whatever a page's address was typed as.
    return any(origin == each or origin == each.lower().rstrip("/") for each in allowed)


def _is_allowed(headers: Headers) -> bool:
    return any(name == "access-control-allow-origin" for name, _ in headers)


def _asked(head: Head, name: bytes) -> list[str]:
    """The names that a preflight asks for."""
    return _tokens(head.fields.get(name, b"").decode("latin-1").split(","))


def _tokens(values: Sequence[Any] | None) -> list[str]:
    """Those that are tokens: only such can be methods or names of headers."""
    texts = [str(value).strip() for value in values or ()]
    return [text for text in texts if _TOKEN.fullmatch(text)]
