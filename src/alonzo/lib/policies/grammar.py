"""Whether a document may be stored as a policy, and as which kind.

| Kind | Has | Has not |
|---|---|---|
| identity-based, permissions boundary, session | resources | a principal |
| trust policy of a role | a principal, ``sts`` actions | resources |
| resource-based | a principal | |

The order of the checks and their texts are AWS's as recorded from CreatePolicy and CreateRole;
where none is known, a text says that it is one of ours.

Source: IAM user guide, grammar of the IAM JSON policy language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from alonzo.lib.policies.compiled import WITH_VARIABLES, Policy, PolicyError, compile_policy
from alonzo.lib.policies.conditions import is_operator
from alonzo.lib.policies.patterns import has_broken_variable
from alonzo.lib.policies.principals import PrincipalError, compile_principals

_SYNTAX = "Syntax errors in policy."
_LEGACY = "The policy failed legacy parsing"
_VERSIONS = (WITH_VARIABLES, "2008-10-17")
_MEMBERS = frozenset({"Version", "Id", "Statement"})
_ELEMENTS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_PRINCIPALS = frozenset({"Principal", "NotPrincipal"})
_SID = re.compile(r"[A-Za-z0-9]*")
_VENDOR = re.compile(r"[a-zA-Z0-9.-]+")
_TRUST_ACTIONS = frozenset(
    {
        "sts:assumerole",
        "sts:assumerolewithsaml",
        "sts:assumerolewithwebidentity",
        "sts:tagsession",
        "sts:setsourceidentity",
        "sts:setcontext",
    }
)
_ARN_PARTS = 6
_IAM_PATHS = (
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
)

Document = Mapping[str, Any]


def read_identity(text: str, name: str = "") -> tuple[Document, Policy]:
    """Read an identity-based policy, a permissions boundary or a session policy.

    Raises:
        PolicyError: with AWS's text for ``MalformedPolicyDocument``.
    """
    document = _load(text, _SYNTAX)
    statements = _check_syntax(document, _ELEMENTS | _PRINCIPALS)
    if document.get("Version") != WITH_VARIABLES:
        raise PolicyError("Policy document must be version 2012-10-17 or greater.")
    if any(each.keys() & _PRINCIPALS for each in statements):
        raise PolicyError("Policy document should not specify a principal.")
    _check_legacy(statements)
    _check_sids(statements)
    _need(statements, "Action", "Policy statement must contain actions.")
    _need(statements, "Resource", "Policy statement must contain resources.")
    for resource in _all(statements, "Resource"):
        _check_resource(resource)
    _check_actions(statements)
    return document, compiled(document, name)


def read_trust(text: str, name: str = "") -> tuple[Document, Policy]:
    """Read the trust policy of a role. Whether its principals exist is for IAM to say.

    Raises:
        PolicyError: with AWS's text for ``MalformedPolicyDocument``.
    """
    document = _load(text, "This policy contains invalid Json")
    statements = _check_syntax(document, _ELEMENTS | _PRINCIPALS)
    for each in statements:
        for prohibited in ("Resource", "NotResource"):
            if prohibited in each:
                raise PolicyError(f"Has prohibited field {prohibited}")
        if not each.keys() & _PRINCIPALS:
            raise PolicyError("Missing required field Principal")
    _check_legacy(statements)
    _check_sids(statements)
    _need(statements, "Action", "Missing required field Action")
    _check_actions(statements)
    for action in _all(statements, "Action"):
        if action.lower() not in _TRUST_ACTIONS and not action.lower().startswith("sts:"):
            raise PolicyError("AssumeRole policy may only specify STS AssumeRole actions.")
    return document, compiled(document, name)


def read_resource_based(text: str, name: str = "") -> tuple[Document, Policy]:
    """Read a resource-based policy. A statement without resources means the one it belongs to.

    Raises:
        PolicyError: with the text of CreatePolicy; other services have others.
    """
    document = _load(text, _SYNTAX)
    statements = _check_syntax(document, _ELEMENTS | _PRINCIPALS)
    if not all(each.keys() & _PRINCIPALS for each in statements):
        raise PolicyError("Missing required field Principal")
    _check_legacy(statements)
    _check_sids(statements, any_characters=True)
    _need(statements, "Action", "Policy statement must contain actions.")
    _check_actions(statements)
    return document, compiled(document, name)


def compiled(document: Document, name: str = "") -> Policy:
    """Make a checked document ready.

    Raises:
        PolicyError: a value is not of its operator's kind, or a variable is broken.
    """
    if document.get("Version") == WITH_VARIABLES:
        for each in statements_of(document):
            texts = list(_values(each, "Resource")) + list(_values(each, "NotResource"))
            if any(map(has_broken_variable, texts)):
                raise PolicyError(_LEGACY)
    try:
        return compile_policy(document, name)
    except PolicyError as error:
        raise PolicyError(_LEGACY) from error


def statements_of(document: Document) -> list[Mapping[str, Any]]:
    """The statements of a document; one may stand outside of any list."""
    found = document["Statement"]
    return cast("list[Mapping[str, Any]]", found if isinstance(found, list) else [found])


def _load(text: str, refusal: str) -> dict[str, Any]:
    if text[:1].isspace():
        raise PolicyError("JSON strings must not have leading spaces")
    try:
        document: Any = json.loads(text, object_pairs_hook=_unique)
        # Halves of characters, which JSON's escapes allow: no refusal could repeat them.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise PolicyError(refusal) from error
    if not isinstance(document, dict):
        raise PolicyError(_SYNTAX)
    return cast("dict[str, Any]", document)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an element that is there twice: one of the two would count for nothing."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _check_syntax(document: Document, elements: frozenset[str]) -> list[Mapping[str, Any]]:
    statements = document.get("Statement")
    several = cast("list[Any]", statements) if isinstance(statements, list) else [statements]
    fit = (
        document.keys() <= _MEMBERS
        and document.get("Version", _VERSIONS[0]) in _VERSIONS
        and isinstance(document.get("Id", ""), str)
        and several
        and all(_is_statement(each, elements) for each in several)
    )
    if not fit:
        raise PolicyError(_SYNTAX)
    return cast("list[Mapping[str, Any]]", several)


def _is_statement(value: Any, elements: frozenset[str]) -> bool:
    if not isinstance(value, dict):
        return False
    statement = cast("dict[str, Any]", value)
    return (
        statement.keys() <= elements
        and isinstance(statement.get("Sid", ""), str)
        and str(statement.get("Effect")).lower() in ("allow", "deny")
        and all(
            not (name in statement and f"Not{name}" in statement)
            for name in ("Action", "Resource", "Principal")
        )
        and all(
            _is_texts(statement[name])
            for name in ("Action", "NotAction", "Resource", "NotResource")
            if name in statement
        )
        and all(
            _is_principal(statement[name], inverted=name.startswith("Not"))
            for name in _PRINCIPALS & statement.keys()
        )
        and _is_condition(statement.get("Condition", {}))
    )


def _is_texts(value: Any) -> bool:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return all(isinstance(each, str) for each in values)


def _is_principal(value: Any, *, inverted: bool) -> bool:
    try:
        compile_principals(value, inverted=inverted)
    except PrincipalError:
        return False
    return True


def _is_condition(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    for name, demands in cast("dict[str, Any]", value).items():
        if not isinstance(demands, dict):
            return False
        # AWS takes any name for an operator that has nothing to compare.
        if demands and not is_operator(name):
            return False
        for wanted in cast("dict[str, Any]", demands).values():
            values = cast("list[Any]", wanted) if isinstance(wanted, list) else [wanted]
            if not all(isinstance(each, str | int | float) for each in values):
                return False
    return True


def _check_legacy(statements: list[Mapping[str, Any]]) -> None:
    """AWS's older parser, which gives no reason."""
    for each in statements:
        if each["Effect"] not in ("Allow", "Deny"):
            raise PolicyError(_LEGACY)
        for resource in [*_values(each, "Resource"), *_values(each, "NotResource")]:
            if _is_legacy_broken(resource):
                raise PolicyError(_LEGACY)
        try:
            compile_policy({"Version": WITH_VARIABLES, "Statement": _only_condition(each)})
        except PolicyError as error:
            raise PolicyError(_LEGACY) from error


def _is_legacy_broken(resource: str) -> bool:
    """An ARN of ours that skips a part in its middle."""
    parts = resource.split(":")
    if len(parts) < 3 or not parts[1].startswith("aws"):
        return False
    return not parts[2] or (len(parts) < _ARN_PARTS and "::" in resource)


def _only_condition(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"Effect": "Allow", "Action": "*", "Condition": statement.get("Condition", {})}


def _check_sids(statements: list[Mapping[str, Any]], *, any_characters: bool = False) -> None:
    sids = [each["Sid"] for each in statements if each.get("Sid")]
    if not any_characters and not all(map(_SID.fullmatch, sids)):
        raise PolicyError(
            "Statement IDs (SID) must be alpha-numeric. Check that your input "
            "satisfies the regular expression [0-9A-Za-z]*"
        )
    if len(set(sids)) != len(sids):
        raise PolicyError("Statement IDs (SID) in a single policy must be unique.")


def _need(statements: list[Mapping[str, Any]], name: str, refusal: str) -> None:
    for each in statements:
        if not [*_values(each, name), *_values(each, f"Not{name}")]:
            raise PolicyError(refusal)


def _check_actions(statements: list[Mapping[str, Any]]) -> None:
    for action in _all(statements, "Action"):
        vendor, colon, rest = action.partition(":")
        if action == "*":
            continue
        if not colon:
            raise PolicyError(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            )
        if ":" in rest:
            raise PolicyError("Actions/Condition can contain only one colon.")
        if vendor != "*" and _VENDOR.fullmatch(vendor) is None:
            raise PolicyError(f"Vendor {vendor} is not valid")


def _check_resource(resource: str) -> None:
    if resource == "*":
        return
    parts = resource.split(":", _ARN_PARTS - 1)
    if len(parts) == 1:
        raise PolicyError(f'Resource {resource} must be in ARN format or "*".')
    partition = parts[1]
    if not (partition.startswith("aws") or partition in ("*", "")):
        shown = ":".join([*parts[1:], *["*"] * (_ARN_PARTS - len(parts))])
        raise PolicyError(f'Partition "{partition}" is not valid for resource "arn:{shown}".')
    if len(parts) == 2:
        raise PolicyError("Resource vendor must be fully qualified and cannot contain regexes.")
    if len(parts) < _ARN_PARTS:
        return
    service, region, account, path = parts[2:]
    if service == "iam" and region not in ("", "*"):
        raise PolicyError(f"IAM resource {resource} cannot contain region information.")
    if service == "s3" and region and not account:
        raise PolicyError(f"Resource {resource} can not contain region information.")
    if service == "iam" and path != "*" and not path.startswith(_IAM_PATHS):
        raise PolicyError(
            'IAM resource path must either be "*" or start with ' + ", ".join(_IAM_PATHS) + "."
        )


def _all(statements: list[Mapping[str, Any]], name: str) -> Iterator[str]:
    for each in statements:
        yield from _values(each, name)
        yield from _values(each, f"Not{name}")


def _values(statement: Mapping[str, Any], name: str) -> list[str]:
    value = statement.get(name, [])
    return cast("list[str]", value) if isinstance(value, list) else [value]
