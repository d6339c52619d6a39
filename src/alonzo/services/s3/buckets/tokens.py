"""Tokens that continue a list. Opaque to callers, and no secret: they name where a page ended."""

from __future__ import annotations

import base64
import binascii
import json
from typing import cast

from alonzo.services.s3.errors import invalid_argument

#: A key of 1,024 bytes, each of them escaped.
_BYTES_MAX = 16 * 1024


def token(*place: str) -> str:
    """The token of a place."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def read(text: str) -> list[str]:
    """The place that a token names: at least one text.

    Raises:
        AwsError: InvalidArgument: it is no token.
    """
    try:
        found = json.loads(base64.b64decode(text[:_BYTES_MAX], altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if isinstance(found, list):
        place = cast("list[object]", found)
        if place and all(isinstance(each, str) for each in place):
            return cast("list[str]", found)
    raise invalid_argument("The continuation token provided is incorrect", "continuation-token")
