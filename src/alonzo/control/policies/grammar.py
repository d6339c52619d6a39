"""Whether a document that a caller writes is a policy. Source: IAM, grammar of JSON policies.

Only the form is checked, down to the last value, so that whoever evaluates it later meets no
surprise. Texts are ours: AWS documents none for Lambda.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import orjson

from alonzo.model.errors import AwsError, invalid_parameter

_VERSIONS = ("2012-10-17", "2008-10-17")
_MEMBERS = frozenset({"Version", "Id", "Statement"})
_ELEMENTS = frozenset({"Sid", "Effect", "Condition"})
#: Each of these has a twin that begins with ``Not``; a statement has one of the two at most.
_TWINS = {"Principal": True, "Action": True, "Resource": False}
_PRINCIPALS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_SID = re.compile(r"[a-zA-Z0-9-_ ]*")
_ACTION = re.compile(r"\*|[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+")


def parse(text: str) -> dict[str, Any]:
    """Read a policy document.

    Raises:
        AwsError: InvalidParameterValueException; it names what is wrong.
    """
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _refused("it is not JSON") from error
    if not isinstance(document, dict):
        raise _refused("it is not a JSON object")
    policy = cast("dict[str, Any]", document)
    if unknown := policy.keys() - _MEMBERS:
        raise _refused(f"{min(unknown)} is no element of a policy")
    if "Version" in policy and policy["Version"] not in _VERSIONS:
        raise _refused("Version must be 2012-10-17 or 2008-10-17")
    if not isinstance(policy.get("Id", ""), str):
        raise _refused("Id must be a string")
    statements = policy.get("Statement")
    each = cast("list[Any]", statements) if isinstance(statements, list) else [statements]
    if not each:
        raise _refused("Statement must hold a statement")
    sids: set[str] = set()
    for statement in each:
        sid = _check_statement(statement)
        if sid and sid in sids:
            raise _refused(f"the Sid {sid} is there twice")
        sids.add(sid)
    return policy


def _check_statement(value: Any) -> str:
    if not isinstance(value, dict):
        raise _refused("Statement must hold JSON objects")
    statement = cast("dict[str, Any]", value)
    twins = {name for each in _TWINS for name in (each, f"Not{each}")}
    if unknown := statement.keys() - _ELEMENTS - twins:
        raise _refused(f"{min(unknown)} is no element of a statement")
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or _SID.fullmatch(sid) is None:
        raise _refused("Sid must be letters, digits, blanks, - and _")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _refused("Effect must be Allow or Deny")
    for element, needed in _TWINS.items():
        given = [name for name in (element, f"Not{element}") if name in statement]
        if len(given) > 1 or (needed and not given):
            raise _refused(f"a statement has either {element} or Not{element}")
        for name in given:
            _check_element(element, name, statement[name])
    if "Condition" in statement:
        _check_condition(statement["Condition"])
    return sid


def _check_element(element: str, name: str, value: Any) -> None:
    if element == "Principal":
        _check_principal(name, value)
        return
    texts = _texts(value)
    if not texts:
        raise _refused(f"{name} must be a string or a list of strings")
    if element == "Action" and not all(map(_ACTION.fullmatch, texts)):
        raise _refused(f"{name} must name actions as service:action")


def _check_principal(name: str, value: Any) -> None:
    if value == "*":
        return
    if not isinstance(value, dict) or not value:
        raise _refused(f"{name} must be * or a JSON object")
    for kind, who in cast("dict[str, Any]", value).items():
        if kind not in _PRINCIPALS or not _texts(who):
            raise _refused(f"{name} must name {', '.join(sorted(_PRINCIPALS))} by strings")


def _check_condition(value: Any) -> None:
    fit = isinstance(value, dict) and all(
        isinstance(keys, dict) and all(map(_is_wanted, cast("Mapping[str, Any]", keys).values()))
        for keys in cast("Mapping[str, Any]", value).values()
    )
    if not fit:
        raise _refused("Condition must map operators to keys, and keys to values")


def _is_wanted(value: Any) -> bool:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return all(isinstance(each, str | int | float | bool) for each in values)


def _texts(value: Any) -> list[str]:
    """The strings that a value holds; none if it holds anything else."""
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return values if all(isinstance(each, str) and each for each in values) else []


def _refused(what: str) -> AwsError:
    return invalid_parameter(f"The policy is not valid: {what}.")
