"""The head that a streaming function writes before its body. Pure, fed piece by piece.

    {"statusCode": 200, "headers": {…}, "cookies": […]} 8 NULs, body…

A function says that it writes one with the content type ``CONTENT_TYPE``. Without one the answer is
200, with the function's own content type.

Source: Lambda's runtime interface client for Node.js.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from alonzo.edge.function_urls.result import (
    BYTES_TYPE,
    Answer,
    MalformedResultError,
    read_head,
)

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"

#: What ends the prelude.
_END = bytes(8)

#: The longest prelude. AWS documents none; browsers take no longer head.
PRELUDE_BYTES_MAX = 256 * 1024


def is_announced(content_type: str | None) -> bool:
    """Whether a function that answers with this content type writes a prelude."""
    return (content_type or "").partition(";")[0].strip().lower() == CONTENT_TYPE


def plain_head(content_type: str | None) -> Answer:
    """The head of an answer without a prelude."""
    try:
        return read_head({"headers": {"content-type": content_type or BYTES_TYPE}})
    except MalformedResultError:
        return read_head({}, BYTES_TYPE)


class PreludeReader:
    """Finds the end of a prelude in a stream. The time it takes grows with its length alone."""

    def __init__(self) -> None:
        self._begun = bytearray()

    @property
    def begun(self) -> bool:
        """Whether any of it is here."""
        return bool(self._begun)

    def feed(self, data: bytes) -> tuple[Answer, bytes] | None:
        """Take a piece; once the prelude is whole, the head and the first bytes of the body.

        Raises:
            MalformedResultError: it is none, or has no end.
        """
        # The end may have begun in the last piece.
        looked_at = max(0, len(self._begun) - len(_END) + 1)
        self._begun += data
        at = self._begun.find(_END, looked_at, PRELUDE_BYTES_MAX + len(_END))
        if at < 0:
            if len(self._begun) >= PRELUDE_BYTES_MAX + len(_END):
                raise MalformedResultError("the prelude has no end")
            return None
        return _read(bytes(self._begun[:at])), bytes(self._begun[at + len(_END) :])


def split_whole(payload: bytes) -> Answer | None:
    """An answer with a prelude that was gathered whole; None if there is no prelude.

    There is no mistaking it for another: no JSON has a NUL.

    Raises:
        MalformedResultError: there is one, and it says what no response can.
    """
    if payload[:1] != b"{" or payload.find(_END, 0, PRELUDE_BYTES_MAX + len(_END)) < 0:
        return None
    found = PreludeReader().feed(payload)
    assert found is not None
    head, body = found
    return Answer(head.status, head.headers, body)


def _read(text: bytes) -> Answer:
    try:
        value: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedResultError("the prelude is not JSON") from error
    if not isinstance(value, dict):
        raise MalformedResultError("the prelude is no JSON object")
    return read_head(cast("dict[str, Any]", value), BYTES_TYPE)
