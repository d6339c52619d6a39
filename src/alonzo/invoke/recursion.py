"""Loops of functions that call each other, found by the lineage in the trace header. Pure.

    Lineage=1:a84cdf6d:2|5e1d42a3:0

Each entry is a function on the way to this call, and how often it ran before its latest run. SDKs
hand the header on with every call that a function makes, so a function that meets its own entry
has called itself. Source: Lambda developer guide, recursive loop detection.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256

from alonzo.model.arns import FunctionKey
from alonzo.model.errors import AwsError
from alonzo.model.limits import RECURSIVE_INVOCATIONS_MAX

#: Functions that a lineage names at most; the one that ran the longest ago is forgotten first.
ENTRIES_MAX = 32

_LINEAGE = re.compile(r"(?:^|;) ?Lineage=(?:1:)?(?P<entries>[0-9a-f]{8}:[0-9a-f:|]{1,1024})")
_ENTRY = re.compile(r"([0-9a-f]{8}):(\d{1,6})")


def continue_lineage(incoming: str | None, key: FunctionKey) -> tuple[str, int]:
    """The lineage of a call to ``key``, and how often the function ran in the chain before.

    ``incoming`` is the caller's trace header. What is no lineage in it counts as none.
    """
    own = _entry_name(key)
    found = _LINEAGE.search(incoming) if incoming is not None and "Lineage=" in incoming else None
    if found is None:
        return f"1:{own}:0", 0
    entries = {name: int(runs) for name, runs in _ENTRY.findall(found["entries"])}
    before = entries.pop(own, -1) + 1
    entries[own] = before
    latest = list(entries.items())[-ENTRIES_MAX:]
    return "1:" + "|".join(f"{name}:{runs}" for name, runs in latest), before


@lru_cache(maxsize=2048)
def _entry_name(key: FunctionKey) -> str:
    return sha256(key.arn.encode()).hexdigest()[:8]


def check_recursion(runs_before: int) -> None:
    """Refuse the call that would go on with a loop.

    Raises:
        AwsError: RecursiveInvocationException, with the text of the service model.
    """
    if runs_before >= RECURSIVE_INVOCATIONS_MAX:
        raise loop_stopped()


def loop_stopped() -> AwsError:
    """The refusal of a call that would go on with a loop, with the text of the service model."""
    return AwsError(
        "RecursiveInvocationException",
        "Lambda has detected your function being invoked in a recursive loop with other "
        "Amazon Web Services resources and stopped your function's invocation.",
        members={"Type": "User"},
    )
