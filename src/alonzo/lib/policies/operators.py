"""Condition operators: how one value of a request is compared with one value of a policy.

Each entry of ``OPERATORS`` reads the policy's value once and gives back the comparison. A value of
the request that is not of the operator's kind (a date that is none) equals nothing.

Source: IAM user guide, condition operators.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from typing import Any

from alonzo.lib.policies.arn_patterns import arn_matcher
from alonzo.lib.policies.patterns import Context, Match, matcher, split

#: A date or number longer than this is none: nobody writes one, and reading it takes time.
_CHARS_MAX = 64
_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2})"
    r"(?:[Tt](?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?)?)?)?",
    re.ASCII,
)
_EPOCH = re.compile(r"-?\d{1,19}(?:\.\d{1,9})?", re.ASCII)
_EPOCH_MAX = 2**63
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


class OperandError(Exception):
    """The policy's value is not of the operator's kind."""


@dataclass(frozen=True, slots=True)
class Operator:
    """``read(value, variables)`` makes the comparison; ``negated`` ones are true where none is."""

    read: Callable[[str, bool], Match]
    negated: bool = False


def read_date(text: str) -> Decimal | None:
    """Epoch seconds of a date in one of the W3C's forms of ISO 8601, or of epoch seconds."""
    if len(text) > _CHARS_MAX:
        return None
    found = _DATE.fullmatch(text)
    if found is None or (len(text) == 4 and int(text) < 1):
        return _read_epoch(text)
    second = int(found["second"] or 0)
    try:
        moment = datetime(
            int(found["year"]),
            int(found["month"] or 1),
            int(found["day"] or 1),
            int(found["hour"] or 0),
            int(found["minute"] or 0),
            min(second, 59),
            tzinfo=_zone(found["zone"]),
        )
        whole = int((moment - _BEGIN) // timedelta(seconds=1)) + max(0, second - 59)
    except (ValueError, OverflowError):
        return None
    return whole + Decimal(f"0.{found['fraction'] or 0}")


_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[3:].lstrip(":") or 0)
    size = timedelta(hours=hours, minutes=minutes)
    return timezone(-size if text[0] == "-" else size)


def _read_epoch(text: str) -> Decimal | None:
    if _EPOCH.fullmatch(text) is None:
        return None
    value = Decimal(text)
    return value if abs(value) < _EPOCH_MAX else None


def read_number(text: str) -> Decimal | None:
    """A number as it is written, or None."""
    if len(text) > _CHARS_MAX or _NUMBER.fullmatch(text) is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


#: Values of requests repeat: the same address, the same second.
_request_date = lru_cache(maxsize=256)(read_date)
_request_number = lru_cache(maxsize=256)(read_number)


def _string(value: str, variables: bool, *, wildcards: bool = False, ignore: bool = False) -> Match:
    return matcher(split(value, variables=variables, wildcards=wildcards), ignore_case=ignore)


def _arn(value: str, variables: bool) -> Match:
    return arn_matcher(value, variables=variables, completed=False)


def _compared(
    read: Callable[[str], Decimal | None],
    read_again: Callable[[str], Decimal | None],
    compare: Callable[[Any, Any], bool],
    value: str,
    _variables: bool,
) -> Match:
    wanted = read(value)
    if wanted is None:
        raise OperandError(value)

    def match(text: str, _: Context) -> bool:
        given = read_again(text)
        return given is not None and compare(given, wanted)

    return match


def _date(compare: Callable[[Any, Any], bool], *, negated: bool = False) -> Operator:
    return Operator(partial(_compared, read_date, _request_date, compare), negated)


def _numeric(compare: Callable[[Any, Any], bool], *, negated: bool = False) -> Operator:
    return Operator(partial(_compared, read_number, _request_number, compare), negated)


def _binary(value: str, _variables: bool) -> Match:
    wanted = _read_binary(value)
    if wanted is None:
        raise OperandError(value)
    return lambda text, _: _read_binary(text) == wanted


def _read_binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _ip(value: str, _variables: bool) -> Match:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise OperandError(value) from error

    def match(text: str, _: Context) -> bool:
        address = _request_address(text)
        return address is not None and address.version == network.version and address in network

    return match


@lru_cache(maxsize=256)
def _request_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A listener for both families shows IPv4 clients so.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


_LIKE = partial(_string, wildcards=True)
_IGNORE_CASE = partial(_string, ignore=True)

#: Every operator by its name in lower case, but ``Null``, which looks at no value.
OPERATORS = {
    "stringequals": Operator(_string),
    "stringnotequals": Operator(_string, negated=True),
    "stringequalsignorecase": Operator(_IGNORE_CASE),
    "stringnotequalsignorecase": Operator(_IGNORE_CASE, negated=True),
    "stringlike": Operator(_LIKE),
    "stringnotlike": Operator(_LIKE, negated=True),
    "numericequals": _numeric(operator.eq),
    "numericnotequals": _numeric(operator.eq, negated=True),
    "numericlessthan": _numeric(operator.lt),
    "numericlessthanequals": _numeric(operator.le),
    "numericgreaterthan": _numeric(operator.gt),
    "numericgreaterthanequals": _numeric(operator.ge),
    "dateequals": _date(operator.eq),
    "datenotequals": _date(operator.eq, negated=True),
    "datelessthan": _date(operator.lt),
    "datelessthanequals": _date(operator.le),
    "dategreaterthan": _date(operator.gt),
    "dategreaterthanequals": _date(operator.ge),
    "bool": Operator(_IGNORE_CASE),
    "binaryequals": Operator(_binary),
    "ipaddress": Operator(_ip),
    "notipaddress": Operator(_ip, negated=True),
    "arnequals": Operator(_arn),
    "arnlike": Operator(_arn),
    "arnnotequals": Operator(_arn, negated=True),
    "arnnotlike": Operator(_arn, negated=True),
}
