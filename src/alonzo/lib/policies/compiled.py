"""A policy document made ready: what is fixed about it is worked out once.

A policy is asked with ``Request``s. Actions compare without case, resources with it.

Source: IAM user guide, grammar of the IAM JSON policy language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from alonzo.lib.policies.arn_patterns import arn_matcher
from alonzo.lib.policies.conditions import (
    NO_CONDITIONS,
    ConditionError,
    Conditions,
    compile_conditions,
)
from alonzo.lib.policies.patterns import Context, Match, Variable, matcher, split
from alonzo.lib.policies.principals import (
    Caller,
    PrincipalError,
    Principals,
    compile_principals,
)

#: Since this version a policy has variables.
WITH_VARIABLES = "2012-10-17"


class PolicyError(Exception):
    """A document is no policy. The message is fit for a client: AWS's own where AWS has one."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as policies see it.

    ``action`` is ``service:Name``; ``resource`` an ARN, or ``*`` for an action that has none.
    ``account`` is the account of the resource. ``context`` has lower-case keys
    (``aws:sourceip``); a key of several values has a tuple.
    """

    action: str
    resource: str
    caller: Caller
    account: str
    context: Context = field(default_factory=dict[str, str | tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class _Names:
    """``Action`` or ``Resource``, or with ``inverted`` ``NotAction`` or ``NotResource``."""

    exact: frozenset[str]
    matches: tuple[Match, ...]
    inverted: bool

    def include(self, name: str, context: Context) -> bool:
        if name in self.exact:
            return not self.inverted
        for match in self.matches:
            if match(name, context):
                return not self.inverted
        return self.inverted


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. ``place`` counts from 0; ``sid`` is empty where there is none."""

    sid: str
    place: int
    effect: Literal["Allow", "Deny"]
    actions: _Names
    resources: _Names | None
    principals: Principals | None
    conditions: Conditions

    def applies(self, request: Request, action: str) -> bool:
        """Whether action, resource and conditions fit; ``action`` is the request's, lower-case."""
        return (
            self.actions.include(action, request.context)
            and (
                self.resources is None or self.resources.include(request.resource, request.context)
            )
            and self.conditions.hold(request.context)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy made ready. ``name`` says which one it is, for whoever asks why.

    ``context_keys`` are all the keys of a request that its decisions may depend on.
    """

    name: str
    allows: tuple[Statement, ...]
    denies: tuple[Statement, ...]
    context_keys: frozenset[str]


def compile_policy(document: Mapping[str, Any], name: str = "") -> Policy:
    """Make a document ready.

    It may be of any kind: with principals or without. What kind of policy may be stored where is
    for ``grammar`` to say.

    Raises:
        PolicyError: it cannot be evaluated.
    """
    variables = document.get("Version") == WITH_VARIABLES
    found = document.get("Statement")
    statements = cast("list[Any]", found) if isinstance(found, list) else [found]
    compiled = [_statement(each, place, variables) for place, each in enumerate(statements)]
    keys: set[str] = set()
    for each, statement in zip(statements, compiled, strict=True):
        keys |= statement.conditions.keys
        if variables:
            keys |= _resource_variables(cast("Mapping[str, Any]", each))
    return Policy(
        name,
        tuple(each for each in compiled if each.effect == "Allow"),
        tuple(each for each in compiled if each.effect == "Deny"),
        frozenset(keys),
    )


def _statement(value: Any, place: int, variables: bool) -> Statement:
    if not isinstance(value, Mapping):
        raise PolicyError("Statement must hold JSON objects.")
    statement = cast("Mapping[str, Any]", value)
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError("Effect must be Allow or Deny.")
    try:
        conditions = (
            compile_conditions(statement["Condition"], variables=variables)
            if statement.get("Condition")
            else NO_CONDITIONS
        )
        principals = _principals(statement)
    except ConditionError as error:
        raise PolicyError(f"The Condition is not valid: {error}.") from error
    except PrincipalError as error:
        raise PolicyError(f"The Principal is not valid: {error}.") from error
    actions = _actions(statement)
    if actions is None:
        raise PolicyError("Policy statement must contain actions.")
    return Statement(
        sid=str(statement.get("Sid", "")),
        place=place,
        effect=effect,
        actions=actions,
        resources=_resources(statement, variables),
        principals=principals,
        conditions=conditions,
    )


def _principals(statement: Mapping[str, Any]) -> Principals | None:
    if "Principal" in statement:
        return compile_principals(statement["Principal"], inverted=False)
    if "NotPrincipal" in statement:
        return compile_principals(statement["NotPrincipal"], inverted=True)
    return None


def _actions(statement: Mapping[str, Any]) -> _Names | None:
    found = _named(statement, "Action")
    if found is None:
        return None
    texts, inverted = found
    texts = [text.lower() for text in texts]
    return _Names(
        frozenset(text for text in texts if not _is_pattern(text)),
        tuple(
            matcher(split(text, variables=False, wildcards=True))
            for text in texts
            if _is_pattern(text)
        ),
        inverted,
    )


def _resources(statement: Mapping[str, Any], variables: bool) -> _Names | None:
    found = _named(statement, "Resource")
    if found is None:
        return None
    texts, inverted = found
    matches = tuple(arn_matcher(text, variables=variables, completed=True) for text in texts)
    return _Names(frozenset(), matches, inverted)


def _named(statement: Mapping[str, Any], name: str) -> tuple[Sequence[str], bool] | None:
    for element, inverted in ((name, False), (f"Not{name}", True)):
        if element in statement:
            value = statement[element]
            texts = cast("list[Any]", value) if isinstance(value, list) else [value]
            if not texts or not all(isinstance(each, str) for each in texts):
                raise PolicyError(f"{element} must be a string or a list of strings.")
            return texts, inverted
    return None


def _resource_variables(statement: Mapping[str, Any]) -> set[str]:
    found = _named(statement, "Resource")
    texts = () if found is None else found[0]
    parts = (part for text in texts for part in split(text, variables=True, wildcards=False))
    return {part.key for part in parts if isinstance(part, Variable)}


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text
