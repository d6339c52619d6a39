"""Events as documents: how they are made and written. Pure.

A document is what ``event_patterns.read_document`` answers: numbers stay as they are written, from
``PutEvents`` to the target.

Source: EventBridge user guide, event structure; a time has no fraction of a second.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from alonzo.lib.clock import utc
from alonzo.lib.event_patterns import Number
from alonzo.services.events.limits import DETAIL_DEPTH_MAX

Document = Mapping[str, Any]

REPLAY_NAME = "replay-name"
_SCALARS: Mapping[Any, str] = {True: "true", False: "false", None: "null"}


def render(value: Any, depth: int = 0) -> str:
    """A document, or a part of one, as JSON without spaces.

    Raises:
        ValueError: it is deeper than ``DETAIL_DEPTH_MAX``.
    """
    if depth > DETAIL_DEPTH_MAX + 2:
        raise ValueError("deeper than a detail may be")
    if type(value) is Number:
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        written = [f"{render(name)}:{render(each, depth + 1)}" for name, each in members.items()]
        return "{" + ",".join(written) + "}"
    if isinstance(value, list | tuple):
        entries = cast("Sequence[Any]", value)
        return "[" + ",".join([render(each, depth + 1) for each in entries]) + "]"
    return _SCALARS[value]


def as_bytes(value: Any) -> bytes:
    """The same, encoded; halves of characters, which JSON's escapes allow, are replaced."""
    return render(value).encode("utf-8", "replace")


def time_text(epoch_s: float) -> str:
    """A time as events bear it."""
    return f"{utc(math.floor(epoch_s)).replace(tzinfo=None).isoformat()}Z"


def time_of(text: str) -> float:
    """The time that an event bears, epoch seconds."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC).timestamp()


def envelope(
    *,
    event_id: str,
    source: str,
    detail_type: str,
    account: str,
    region: str,
    at_s: float,
    resources: Sequence[str] = (),
    detail: Any = None,
) -> dict[str, Any]:
    """An event as rules see it and targets get it."""
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": time_text(at_s),
        "region": region,
        "resources": list(resources),
        "detail": {} if detail is None else detail,
    }
