"""The ``Condition`` element of a statement.

    {operator: {key: value, or list of values}}

All operators and all keys must hold; of several values one is enough. A key that the request does
not have equals nothing, so only negated operators hold then, and:

| Form | Without the key | With several values in the request |
|---|---|---|
| ``StringEquals`` | false | one of them is wanted |
| ``StringNotEquals`` | true | none of them is unwanted |
| ``…IfExists`` | true | as without it |
| ``ForAnyValue:…`` | false | the comparison holds for one of them |
| ``ForAllValues:…`` | true | the comparison holds for each of them |
| ``Null`` | ``"true"`` holds | ``"false"`` holds |

Source: IAM user guide, condition operators; multivalued context keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from alonzo.lib.policies.operators import OPERATORS, OperandError
from alonzo.lib.policies.patterns import Context, Match, Variable, split

_NAME = re.compile(
    r"(?:(?P<quantifier>foranyvalue|forallvalues):)?(?P<operator>[a-z]+?)(?P<exists>ifexists)?"
)
_BOOLEANS = {"true": True, "false": False}

_Holds = Callable[[Context], bool]


class ConditionError(Exception):
    """A Condition element is none. The message says where."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Everything a statement demands of the context. ``keys`` are the keys that it looks at."""

    tests: tuple[_Holds, ...]
    keys: frozenset[str]

    def hold(self, context: Context) -> bool:
        """Whether all of it holds."""
        for test in self.tests:  # noqa: SIM110 - a third faster than all()
            if not test(context):
                return False
        return True


NO_CONDITIONS = Conditions((), frozenset())


def is_operator(name: str) -> bool:
    """Whether there is an operator of that name, with whatever is put before and after it."""
    found = _NAME.fullmatch(name.lower())
    if found is None:
        return False
    return found["operator"] in OPERATORS or (found["operator"] == "null" and not found["exists"])


def compile_conditions(element: Mapping[str, Any], *, variables: bool) -> Conditions:
    """Make a ``Condition`` element ready. ``variables``: the policy's version has them.

    Raises:
        ConditionError: an operator or a value is none.
    """
    tests: list[_Holds] = []
    keys: set[str] = set()
    for name, demands in element.items():
        if not isinstance(demands, Mapping):
            raise ConditionError(f"{name} is no object")
        for key, value in cast("Mapping[str, Any]", demands).items():
            values = texts_of(value)
            keys.add(key.lower())
            if variables:
                keys.update(_variables(values))
            tests.append(_compile(name, key.lower(), values, variables))
    return Conditions(tuple(tests), frozenset(keys))


def texts_of(value: Any) -> list[str]:
    """The values of a key, as texts.

    Raises:
        ConditionError: there is something that is neither text nor number nor boolean.
    """
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    texts: list[str] = []
    for each in values:
        if isinstance(each, bool):
            texts.append("true" if each else "false")
        elif isinstance(each, str | int | float):
            texts.append(str(each))
        else:
            raise ConditionError("a value is neither a string, a number nor a boolean")
    return texts


def _variables(values: Sequence[str]) -> set[str]:
    parts = (part for value in values for part in split(value, variables=True, wildcards=False))
    return {part.key for part in parts if isinstance(part, Variable)}


def _compile(name: str, key: str, values: list[str], variables: bool) -> _Holds:
    found = _NAME.fullmatch(name.lower())
    if found is None or not is_operator(name):
        raise ConditionError(f"{name} is no operator")
    if found["operator"] == "null":
        return _null(key, values)
    operator = OPERATORS[found["operator"]]
    try:
        matches = tuple(operator.read(value, variables) for value in values)
    except OperandError as error:
        raise ConditionError(f"{error} is no value for {name}") from error
    quantifier = _QUANTIFIERS[found["quantifier"]]
    return quantifier(key, matches, operator.negated, found["exists"] is not None)


def _null(key: str, values: list[str]) -> _Holds:
    try:
        wanted = {_BOOLEANS[value.lower()] for value in values}
    except KeyError as error:
        raise ConditionError(f"{error} is no value for Null") from error

    def holds(context: Context) -> bool:
        return (context.get(key, ()) == ()) in wanted

    return holds


def _plain(key: str, matches: tuple[Match, ...], negated: bool, if_exists: bool) -> _Holds:
    missing = negated or if_exists

    def holds(context: Context) -> bool:
        given = context.get(key, ())
        if isinstance(given, str):
            return _any(given, matches, context) is not negated
        if not given:
            return missing
        return any(_any(each, matches, context) for each in given) is not negated

    return holds


def _any_value(key: str, matches: tuple[Match, ...], negated: bool, if_exists: bool) -> _Holds:
    def holds(context: Context) -> bool:
        given = context.get(key)
        if given is None:
            return if_exists
        return any(_any(each, matches, context) is not negated for each in _several(given))

    return holds


def _all_values(key: str, matches: tuple[Match, ...], negated: bool, _if_exists: bool) -> _Holds:
    def holds(context: Context) -> bool:
        given = _several(context.get(key, ()))
        return all(_any(each, matches, context) is not negated for each in given)

    return holds


_QUANTIFIERS = {None: _plain, "foranyvalue": _any_value, "forallvalues": _all_values}


def _any(value: str, matches: tuple[Match, ...], context: Context) -> bool:
    for match in matches:  # noqa: SIM110 - a third faster than any()
        if match(value, context):
            return True
    return False


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value
