"""What a bucket's CORS configuration says of a request from a browser. Pure.

The first rule that fits the origin, the method and all headers that are asked for counts.

Source: S3 user guide, how Amazon S3 evaluates the CORS configuration on a bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rules = Sequence[Mapping[str, Any]]

_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def preflight(
    rules: Rules, origin: str, method: str, headers: Sequence[str]
) -> dict[str, str] | None:
    """The headers that answer ``OPTIONS``; None: it is not allowed.

    ``method`` and ``headers``, which are names, are of the request that the page would send.
    """
    wanted = [each.lower() for each in headers]
    for rule in rules:
        allowed = [each.lower() for each in rule.get("AllowedHeaders") or ()]
        if (found := _fits(rule, origin, method)) and all(
            any(_matches(pattern, each) for pattern in allowed) for each in wanted
        ):
            answer = _allowed(rule, found, origin)
            if wanted:
                answer["Access-Control-Allow-Headers"] = ", ".join(wanted)
            return answer
    return None


def on_answer(rules: Rules, origin: str, method: str) -> dict[str, str]:
    """The headers that an answer to a request of a page gets; none where no rule fits."""
    for rule in rules:
        if found := _fits(rule, origin, method):
            return _allowed(rule, found, origin)
    return {}


def _fits(rule: Mapping[str, Any], origin: str, method: str) -> str | None:
    """The allowed origin that lets the page in."""
    if method not in rule["AllowedMethods"]:
        return None
    return next((each for each in rule["AllowedOrigins"] if _matches(each, origin)), None)


def _allowed(rule: Mapping[str, Any], pattern: str, origin: str) -> dict[str, str]:
    answer = {
        "Access-Control-Allow-Origin": "*" if pattern == "*" else origin,
        "Access-Control-Allow-Methods": ", ".join(rule["AllowedMethods"]),
        "Vary": _VARY,
    }
    if pattern != "*":
        answer["Access-Control-Allow-Credentials"] = "true"
    if rule.get("ExposeHeaders"):
        answer["Access-Control-Expose-Headers"] = ", ".join(rule["ExposeHeaders"])
    if rule.get("MaxAgeSeconds") is not None:
        answer["Access-Control-Max-Age"] = str(rule["MaxAgeSeconds"])
    return answer


def _matches(pattern: str, text: str) -> bool:
    """``*`` stands for any text, and is there once at most."""
    head, star, tail = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(head) + len(tail) and text.startswith(head) and text.endswith(tail)
