"""Which trace header a batch's call bears, and whose fault a stopped loop is. Pure.

A call has one trace header, a batch may have several. The one of the message that has come through
the most calls goes with the batch, so that no loop hides among other messages. Once a loop is
stopped, the messages that came that far are to blame, and the others go without them.

Source: Lambda developer guide, recursive loop detection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from alonzo.eventsources.items import Item

_LINEAGE = re.compile(r"(?:^|;) ?Lineage=(?:1:)?([0-9a-f]{8}:[0-9a-f:|]{1,1024})")
_RUNS = re.compile(r"[0-9a-f]{8}:(\d{1,6})")


def runs_of(header: str | None) -> int:
    """How often a function ran on the way that a trace header tells of; -1 if it does not."""
    found = None if header is None else _LINEAGE.search(header)
    runs = () if found is None else _RUNS.findall(found[1])
    return max((int(each) for each in runs), default=-1)


def trace_of(items: Sequence[Item]) -> str | None:
    """The trace header of a batch's call: the longest way's, else the first that there is."""
    headers = [item.trace_header for item in items if item.trace_header is not None]
    return max(headers, key=runs_of, default=None)


def split_loop(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The items to blame for a loop that was stopped, one at least, and the others."""
    most = max(runs_of(item.trace_header) for item in items)
    blamed = [item for item in items if runs_of(item.trace_header) == most]
    return blamed, [item for item in items if runs_of(item.trace_header) != most]
