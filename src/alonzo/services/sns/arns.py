"""Names and ARNs of topics and subscriptions, and the tokens of pages. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from alonzo.services.sns.errors import invalid
from alonzo.services.sns.limits import PAGE_MAX

T = TypeVar("T")

FIFO = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")
_HALF = re.compile("[\ud800-\udfff]")
_VISIBLE = re.compile(r"[!-~]{1,1024}")
_PARTS = 6


def topic_arn(account: str, region: str, name: str) -> str:
    """The ARN of a topic."""
    return f"arn:aws:sns:{region}:{account}:{name}"


def check_name(name: str, *, fifo: bool) -> None:
    """Refuse a name that no topic of the kind may have.

    Raises:
        AwsError: InvalidParameter.
    """
    if fifo and _FIFO_NAME.fullmatch(name) is None:
        raise invalid(
            "Topic Name Reason: Fifo Topic names must end with .fifo and must be made up of only "
            "uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must "
            "be between 1 and 256 characters long."
        )
    if not fifo and _NAME.fullmatch(name) is None:
        raise invalid("Topic Name")


def check_arn(arn: str, region: str | None, member: str = "TopicArn") -> str:
    """Refuse what is no ARN of SNS in the region of the call.

    Raises:
        AwsError: InvalidParameter.
    """
    parts = arn.split(":")
    if len(parts) < _PARTS or parts[0] != "arn":
        raise invalid(f"{member} Reason: An ARN must have at least 6 elements, not {len(parts)}")
    if parts[2] != "sns" or (region is not None and parts[3] != region):
        raise invalid(member)
    return arn


def is_text(*texts: str) -> bool:
    """Whether texts can be written as UTF-8: JSON has escapes for halves of characters."""
    return not any(_HALF.search(text) for text in texts)


def account_of(arn: str) -> str:
    """The account in an ARN of at least five parts."""
    return arn.split(":", 5)[4]


def region_of(arn: str) -> str:
    """The region in an ARN of at least four parts."""
    return arn.split(":", 5)[3]


def is_queue_or_function(arn: str, service: str) -> bool:
    """Whether an ARN is that of a queue (``sqs``) or of a function (``lambda``)."""
    parts = arn.split(":")
    if _VISIBLE.fullmatch(arn) is None or parts[:1] != ["arn"] or parts[2:3] != [service]:
        return False
    if not all(parts[1:6]):
        return False
    if service == "sqs":
        return len(parts) == _PARTS
    return parts[5:6] == ["function"] and len(parts) in (7, 8) and all(parts)


def one_page(
    every: Sequence[T], token: str | None, key: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """A page of entries that are sorted by ``key``, and the token of the next one.

    Raises:
        AwsError: InvalidParameter: a token that was never issued.
    """
    if token:
        try:
            after = base64.b64decode(token.encode(), validate=True).decode()
        except (binascii.Error, UnicodeError) as error:
            raise invalid("NextToken Reason: Invalid token") from error
        every = [each for each in every if key(each) > after]
    page = every[:PAGE_MAX]
    more = len(every) > len(page)
    return page, base64.b64encode(key(page[-1]).encode()).decode() if more else None
