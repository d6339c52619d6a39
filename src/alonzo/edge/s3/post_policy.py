"""The policy of an upload from a form: what whoever signed it lets the form say. Pure.

Source: S3 API reference, POST policy.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from alonzo.model.errors import AwsError

#: Fields that no condition need name.
_FREE = frozenset({"awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"})
_FREE_PREFIX = "x-ignore-"
_LENGTH = "content-length-range"
_SHOWN_CHARS_MAX = 200
#: Operator, field, value.
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Range:
    """How many bytes the file may have."""

    least: int = 0
    most: int = sys.maxsize


def check_policy(policy: str, fields: Mapping[str, str], now_s: float) -> Range:
    """Hold a form against its policy, as it was sent. ``fields`` have ``bucket`` as well.

    Raises:
        AwsError: it is none, it is over, or the form is not what it says.
    """
    document = _read(policy)
    if now_s >= _expiration_s(document):
        raise _refused("Policy expired.")
    conditions = document.get("conditions")
    if not isinstance(conditions, list):
        raise _invalid("Invalid Policy: 'conditions' is missing or is no list.")
    named: set[str] = set()
    length = Range()
    for condition in cast("list[Any]", conditions):
        if _is_length(condition):
            length = _range_of(condition)
            continue
        for operator, name, value in _tests_of(condition):
            named.add(name)
            if not _holds(operator, name, fields.get(name, ""), value):
                shown = json.dumps([operator, f"${name}", value])[:_SHOWN_CHARS_MAX]
                raise _refused(f"Policy Condition failed: {shown}")
    extra = sorted(
        name
        for name in fields
        if name not in named and name not in _FREE and not name.startswith(_FREE_PREFIX)
    )
    if extra:
        raise _refused(f"Extra input fields: {extra[0][:_SHOWN_CHARS_MAX]}")
    return length


def _read(policy: str) -> Mapping[str, Any]:
    try:
        text = base64.b64decode("".join(policy.split()), validate=True)
        document = json.loads(text)
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("Invalid Policy: Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid Policy: Invalid JSON.")
    return cast("Mapping[str, Any]", document)


def _expiration_s(document: Mapping[str, Any]) -> float:
    text = document.get("expiration")
    if not isinstance(text, str):
        raise _invalid("Invalid Policy: Policy document must have an expiration.")
    for form in ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    raise _invalid(f"Invalid Policy: Invalid 'expiration' value: '{text[:_SHOWN_CHARS_MAX]}'")


def _is_length(condition: Any) -> bool:
    return (
        isinstance(condition, list)
        and bool(cast("list[Any]", condition))
        and str(cast("list[Any]", condition)[0]).lower() == _LENGTH
    )


def _range_of(condition: list[Any]) -> Range:
    try:
        _, least, most = condition
        found = Range(int(least), int(most))
    except (TypeError, ValueError, OverflowError):
        raise _invalid("Invalid Policy: Invalid content-length-range.") from None
    if found.least < 0 or found.most < found.least:
        raise _invalid("Invalid Policy: Invalid content-length-range.")
    return found


def _tests_of(condition: Any) -> list[tuple[str, str, str]]:
    """Operator, name of the field in lower case, and value, of each test in a condition."""
    if isinstance(condition, dict) and condition:
        pairs = cast("Mapping[str, Any]", condition).items()
        tests = [("eq", f"${name}", value) for name, value in pairs]
    elif isinstance(condition, list) and len(cast("list[Any]", condition)) == _PARTS:
        tests = [cast("tuple[Any, Any, Any]", tuple(cast("list[Any]", condition)))]
    else:
        raise _unknown(cast("Any", condition))
    found: list[tuple[str, str, str]] = []
    for operator, name, value in tests:
        if not all(isinstance(each, str) for each in (operator, name, value)):
            raise _unknown(cast("Any", condition))
        if operator.lower() not in ("eq", "starts-with") or not name.startswith("$"):
            raise _unknown(cast("Any", condition))
        found.append((operator.lower(), name[1:].lower(), value))
    return found


def _holds(operator: str, name: str, given: str, value: str) -> bool:
    if operator == "eq":
        return given == value
    if name == "content-type" and "," in given:
        # Of a list of types each must be meant.
        return all(each.strip().startswith(value) for each in given.split(","))
    return given.startswith(value)


def _refused(text: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {text}", status=403)


def _unknown(condition: Any) -> AwsError:
    shown = json.dumps(condition)[:_SHOWN_CHARS_MAX]
    return _invalid(f"Invalid Policy: Invalid Simple-Condition: {shown}")


def _invalid(text: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", text, status=400)
