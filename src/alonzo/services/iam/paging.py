"""Pages of IAM's lists. A marker holds the place of the last entry shown."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from alonzo.services.iam.errors import validation_error
from alonzo.services.iam.limits import PAGE_DEFAULT

T = TypeVar("T")


def page_size(params: Mapping[str, Any]) -> int:
    """How many entries to show."""
    return int(params.get("MaxItems") or PAGE_DEFAULT)


def read_marker(params: Mapping[str, Any]) -> str:
    """The place after which to go on; empty at the start.

    Raises:
        AwsError: ValidationError: no page ever ended there. The text is ours.
    """
    marker = params.get("Marker")
    if not marker:
        return ""
    try:
        return base64.urlsafe_b64decode(marker.encode()).decode()
    except (binascii.Error, ValueError) as error:
        raise validation_error("Invalid Marker.") from error


def one_page(
    name: str, entries: Sequence[T], params: Mapping[str, Any], key: Callable[[T], str]
) -> tuple[Sequence[T], dict[str, Any]]:
    """The entries to show, and the members of the answer that say whether more follow.

    ``entries`` are in the order of ``key``; those up to the marker may be among them.
    """
    size, after = page_size(params), read_marker(params)
    rest = [entry for entry in entries if key(entry) > after]
    shown = rest[:size]
    if len(rest) <= size:
        return shown, {name: shown, "IsTruncated": False}
    marker = base64.urlsafe_b64encode(key(shown[-1]).encode()).decode()
    return shown, {name: shown, "IsTruncated": True, "Marker": marker}
