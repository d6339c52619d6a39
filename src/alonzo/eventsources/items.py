"""What pollers hand over: one item of a source, whatever the source is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One message, or one record.

    ``id`` is what a partial batch response calls it, ``document`` the member of ``Records`` as
    bytes of JSON. ``metadata`` are the members that filters see beside ``data``: the text, or the
    bytes, that filter patterns look into, which they know as ``data_key``. ``group`` orders: items
    of one group are handed over one after another; None: there is no order. ``handle`` is the
    poller's own. ``arrived_at_s`` is when the source got it, epoch seconds.
    """

    id: str
    document: bytes
    metadata: Mapping[str, Any]
    data: str | bytes
    data_key: str
    handle: str
    arrived_at_s: float
    group: str | None = None
    trace_header: str | None = None
