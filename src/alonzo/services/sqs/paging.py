"""Pages of SQS's lists of queues. A token holds the name of the last queue shown."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.services.sqs.errors import invalid_value
from alonzo.services.sqs.queue import QueueKey

#: Source: SQS API reference, ListQueues.
PAGE_MAX = 1000


def one_page(
    keys: Sequence[QueueKey], params: Mapping[str, Any]
) -> tuple[Sequence[QueueKey], dict[str, str]]:
    """The queues to show of those in the order of their names, and a token if more follow.

    Without ``MaxResults`` there is no token, however many more there are, as on AWS.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    wanted = params.get("MaxResults")
    if wanted is not None and not 1 <= wanted <= PAGE_MAX:
        raise invalid_value(
            f"Value {wanted} for parameter MaxResults is invalid. Reason: MaxResults must be an "
            f"integer between 1 and {PAGE_MAX}."
        )
    after = _read(params.get("NextToken"))
    rest = [key for key in keys if key.name > after]
    page = rest[: wanted or PAGE_MAX]
    if wanted is None or len(rest) <= len(page):
        return page, {}
    return page, {"NextToken": base64.urlsafe_b64encode(page[-1].name.encode()).decode()}


def _read(token: str | None) -> str:
    if not token:
        return ""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_value("Invalid or expired next token.") from None
