"""Page tokens: where the next page begins, and of which question. Pure.

They are not secret and bound to nothing but the question: whoever changes one reads other pages of
what may be read anyway.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

import orjson

from alonzo.services.cloudwatch.errors import invalid_token


def fingerprint(question: Any) -> str:
    """A short text that another question does not have."""
    text = orjson.dumps(question, default=str, option=orjson.OPT_SORT_KEYS)
    return sha256(text).hexdigest()[:16]


def make_token(mark: str, *place: str | int) -> str:
    """The token of a place in the answer to the question with that fingerprint."""
    return urlsafe_b64encode(orjson.dumps([mark, *place])).decode()


def read_token(token: str, mark: str, *kinds: type) -> list[Any]:
    """The place that a token names.

    Raises:
        AwsError: InvalidNextToken.
    """
    try:
        given, *place = orjson.loads(urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        raise invalid_token() from None
    if given != mark or [type(each) for each in place] != list(kinds):
        raise invalid_token()
    return place
