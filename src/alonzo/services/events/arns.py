"""Names and ARNs of buses, rules, archives and replays, and the tokens of pages. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from alonzo.model.context import RequestContext
from alonzo.services.events.errors import invalid
from alonzo.services.events.limits import PAGE_MAX

T = TypeVar("T")

DEFAULT = "default"
_BUS_ARN = re.compile(r"arn:aws[\w-]*:events:[\w-]+:\d{12}:event-bus/[/.\-_A-Za-z0-9]+", re.ASCII)


def bus_arn(context: RequestContext, name_or_arn: str | None) -> str:
    """The ARN of a bus by its name or ARN; None is the default one."""
    named = name_or_arn or DEFAULT
    if named.startswith("arn:"):
        if _BUS_ARN.fullmatch(named) is None:
            raise invalid("EventBusName", "Provided Arn is not in correct format.")
        if region_of(named) != context.region:
            raise invalid("EventBusName", "The event bus is in another region.")
        return named
    return arn_of(context.account, context.region, f"event-bus/{named}")


def arn_of(account: str, region: str, rest: str) -> str:
    """The ARN of anything of EventBridge; ``rest`` begins with its kind."""
    return f"arn:aws:events:{region}:{account}:{rest}"


def rule_arn(bus: str, name: str) -> str:
    """The ARN of a rule on a bus."""
    bus_name = name_of(bus)
    path = name if bus_name == DEFAULT else f"{bus_name}/{name}"
    return arn_of(account_of(bus), region_of(bus), f"rule/{path}")


def name_of(arn: str) -> str:
    """What follows the kind in an ARN: the name of a bus, an archive or a replay."""
    return arn.split(":", 5)[5].partition("/")[2]


def account_of(arn: str) -> str:
    """The account in an ARN."""
    return arn.split(":", 5)[4]


def region_of(arn: str) -> str:
    """The region in an ARN."""
    return arn.split(":", 5)[3]


def is_bus_arn(arn: str) -> bool:
    """Whether an ARN is that of an event bus."""
    return _BUS_ARN.fullmatch(arn) is not None


def one_page(
    every: Sequence[T], params: Mapping[str, Any], key: Callable[[T], str]
) -> tuple[Sequence[T], dict[str, str]]:
    """A page of entries that are sorted by ``key``, and the token of the next one.

    Raises:
        AwsError: ValidationException: a token that was never issued.
    """
    token = params.get("NextToken")
    if token:
        try:
            after = base64.b64decode(token.encode(), validate=True).decode()
        except (binascii.Error, UnicodeError) as error:
            raise invalid("NextToken") from error
        every = [each for each in every if key(each) > after]
    page = every[: params.get("Limit") or PAGE_MAX]
    if len(every) <= len(page):
        return page, {}
    return page, {"NextToken": base64.b64encode(key(page[-1]).encode()).decode()}
