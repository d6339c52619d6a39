"""Grant tokens: which grant of which key. They give no right: a grant is in force at once."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_FORM = re.compile(r"(?P<key>[0-9a-f-]{36})/(?P<grant>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class GrantToken:
    """What a token says."""

    key_id: str
    grant_id: str


def write_token(token: GrantToken) -> str:
    """A token as clients get it."""
    return base64.b64encode(f"{token.key_id}/{token.grant_id}".encode()).decode()


def try_read_token(text: str) -> GrantToken | None:
    """What a token says, or None if it is none."""
    try:
        found = _FORM.fullmatch(base64.b64decode(text.encode(), validate=True).decode())
    except (binascii.Error, ValueError):
        return None
    return None if found is None else GrantToken(found["key"], found["grant"])
