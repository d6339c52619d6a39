"""Filter policies: which messages a subscription gets. Pure.

A policy is an event pattern (``lib/event_patterns.py``) with ``cidr`` as a further operator. It is
asked about the message, which must be a JSON object, or about the attributes of the message:

| Attribute of type | Is, for the policy |
|---|---|
| ``String``, ``String.x`` | a text |
| ``Number``, ``Number.x`` | a number |
| ``String.Array`` | the values of the array |
| ``Binary``, ``Binary.x`` | not there |

Source: SNS developer guide, subscription filter policies, their constraints; texts as recorded
from AWS, without the place in the text that AWS names after them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from alonzo.lib.event_operators import OPERATORS
from alonzo.lib.event_patterns import (
    Number,
    Pattern,
    PatternError,
    parse,
    read_document,
)
from alonzo.services.sns.errors import invalid
from alonzo.services.sns.limits import (
    FILTER_BYTES_MAX,
    FILTER_COMBINATIONS_MAX,
    FILTER_KEYS_MAX,
)

BY_ATTRIBUTES = "MessageAttributes"
BY_BODY = "MessageBody"

_OR = "$or"
#: Of the policy's document, so that hostile ones end before the stack does.
_DEPTH_MAX = 64
_TEXT_OPERATORS = ("equals-ignore-case", "prefix", "suffix")
_COMPARISONS = ("<", "<=", "=", ">", ">=")


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the walk over a policy needs to know. ``place`` begins every error."""

    place: str
    scope: str


class Filter:
    """A policy that was checked, and the scope it is asked in."""

    def __init__(self, pattern: Pattern, scope: str) -> None:
        self._pattern = pattern
        self._scope = scope

    def lets_through(self, text: str, attributes: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether the subscription gets a message."""
        if self._scope == BY_ATTRIBUTES:
            return self._pattern.matches(_document_of(attributes))
        try:
            return self._pattern.matches(read_document(text))
        except ValueError:
            return False


def read_filter(text: str, scope: str, place: str = "") -> Filter | None:
    """Read a filter policy; None: it lets everything through.

    ``place`` is what stands before the name of the attribute in errors.

    Raises:
        AwsError: InvalidParameter.
    """
    place = f"{place}FilterPolicy: "
    if len(text.encode("utf-8", "surrogatepass")) > FILTER_BYTES_MAX:
        raise invalid(f"{place}Filter policy is too large")
    try:
        document = read_document(text)
    except ValueError as error:
        raise invalid(f"{place}failed to parse JSON.") from error
    if document == {}:
        return None
    if not isinstance(document, dict):
        raise invalid(f"{place}Filter is not an object")
    policy = cast("dict[str, Any]", document)
    if len(policy) > FILTER_KEYS_MAX:
        raise invalid(f"{place}Filter policy can not have more than 5 keys")
    _combinations(policy, _Rules(place, scope), 1, 1)
    for entry in _entries(policy):
        _check_entry(entry, place)
    try:
        return Filter(parse(text, {"cidr": OPERATORS["cidr"]}), scope)
    except PatternError as error:
        raise invalid(f"{place}{error}") from error


def _document_of(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The attributes of a message as a document for a pattern."""
    found: dict[str, Any] = {}
    for name, attribute in attributes.items():
        kind, text = str(attribute["DataType"]), attribute.get("StringValue")
        if text is None:
            continue
        if kind == "String.Array":
            try:
                value = read_document(text)
            except ValueError:
                continue
            if isinstance(value, list):
                found[name] = value
        elif kind.partition(".")[0] == "Number":
            found[name] = Number(text)
        else:
            found[name] = str(text)
    return found


def _combinations(policy: Mapping[str, Any], rules: _Rules, depth: int, so_far: int) -> int:
    """The values of all lists multiplied with each other and with the depths they stand at."""
    if depth > _DEPTH_MAX:
        raise invalid(f"{rules.place}Filter policy is too complex")
    for key, value in policy.items():
        if isinstance(value, dict):
            if rules.scope == BY_ATTRIBUTES:
                before = rules.place.removesuffix("FilterPolicy: ")
                raise invalid(
                    f"{before}Filter policy scope MessageAttributes does not support nested "
                    "filter policy"
                )
            so_far = _combinations(cast("dict[str, Any]", value), rules, depth + 1, so_far)
        elif not isinstance(value, list):
            raise invalid(f'{rules.place}"{key[:100]}" must be an object or an array')
        elif not value:
            raise invalid(f"{rules.place}Empty arrays are not allowed")
        elif (branches := _branches(key, cast("list[Any]", value))) is not None:
            so_far = sum(_combinations(each, rules, depth, so_far) for each in branches)
        else:
            so_far *= len(cast("list[Any]", value)) * depth
        if so_far > FILTER_COMBINATIONS_MAX:
            raise invalid(f"{rules.place}Filter policy is too complex")
    return so_far


def _branches(key: str, value: list[Any]) -> list[dict[str, Any]] | None:
    """The alternatives of an ``$or``; None: it is a member of that name like any other."""
    if key != _OR or len(value) < 2 or not all(isinstance(each, dict) for each in value):
        return None
    return cast("list[dict[str, Any]]", value)


def _entries(policy: Mapping[str, Any]) -> Iterator[Any]:
    """What stands in the lists of a policy, wherever they are."""
    for key, value in policy.items():
        if isinstance(value, dict):
            yield from _entries(cast("dict[str, Any]", value))
        elif (branches := _branches(key, value)) is not None:
            for each in branches:
                yield from _entries(each)
        else:
            yield from value


def _check_entry(entry: Any, place: str) -> None:
    if isinstance(entry, list):
        raise invalid(f"{place}Match value must be String, number, true, false, or null")
    if not isinstance(entry, dict):
        return
    operation = cast("dict[str, Any]", entry)
    if len(operation) != 1:
        raise invalid(f"{place}Only one key allowed in match expression")
    ((name, operand),) = operation.items()
    check = _CHECKS.get(name)
    if check is None:
        raise invalid(f"{place}Unrecognized match type {name[:100]}")
    check(name, operand, place)


def _check_text(name: str, operand: Any, place: str) -> None:
    if type(operand) is not str:
        raise invalid(f"{place}{name} match pattern must be a string")


def _check_exists(_name: str, operand: Any, place: str) -> None:
    if not isinstance(operand, bool):
        raise invalid(f"{place}exists match pattern must be either true or false.")


def _check_anything_but(_name: str, operand: Any, place: str) -> None:
    if isinstance(operand, dict):
        inner = cast("dict[str, Any]", operand)
        for name, text in inner.items():
            if name != "prefix":
                raise invalid(f"{place}Unsupported anything-but pattern: {name[:100]}")
            _check_text(name, text, place)
    elif isinstance(operand, list):
        for each in cast("list[Any]", operand):
            if isinstance(each, dict | list):
                raise invalid(f"{place}Match value must be String, number, true, false, or null")


def _check_numeric(_name: str, operand: Any, place: str) -> None:
    parts = cast("list[Any]", operand) if isinstance(operand, list) else []
    if not parts:
        raise invalid(f"{place}Invalid member in numeric match: ]")
    sign = parts[0]
    if type(sign) is not str:
        raise invalid(f"{place}Invalid member in numeric match: {_shown(sign)}")
    if sign not in _COMPARISONS:
        raise invalid(f"{place}Unrecognized numeric range operator: {_shown(sign)}")
    _check_bound(sign, parts[1:2], place)
    if len(parts) == 2:
        return
    if sign not in (">", ">="):
        raise invalid(f"{place}Too many elements in numeric expression")
    upper = parts[2]
    if type(upper) is not str:
        raise invalid(f"{place}Bad value in numeric range: {_shown(upper)}")
    if upper not in ("<", "<="):
        raise invalid(f"{place}Bad numeric range operator: {_shown(upper)}")
    _check_bound(upper, parts[3:4], place)
    if len(parts) > 4:
        raise invalid(f"{place}Too many terms in numeric range expression")
    if float(parts[3]) <= float(parts[1]):
        raise invalid(f"{place}Bottom must be less than top")


def _check_bound(sign: str, bound: list[Any], place: str) -> None:
    if not bound or type(bound[0]) is not Number:
        name = "equals" if sign == "=" else sign
        raise invalid(f"{place}Value of {name} must be numeric")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text[:100]


def _check_cidr(_name: str, operand: Any, place: str) -> None:
    try:
        OPERATORS["cidr"](operand, "")
    except PatternError as error:
        raise invalid(f"{place}{error}") from error


_CHECKS: Mapping[str, Callable[[str, Any, str], None]] = {
    **dict.fromkeys(_TEXT_OPERATORS, _check_text),
    "anything-but": _check_anything_but,
    "cidr": _check_cidr,
    "exists": _check_exists,
    "numeric": _check_numeric,
}
