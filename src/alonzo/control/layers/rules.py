"""What Lambda checks of layers beside the framework's validation.

Texts are AWS's, recorded, except where a comment says that they are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.control.policies.documents import Policy
from alonzo.control.records import BoundLayer, Code
from alonzo.control.rules import Rules
from alonzo.model.context import Principal
from alonzo.model.errors import AwsError, access_denied, invalid_parameter, validation

#: How many layers one function may use. Source: Lambda quotas.
LAYERS_MAX = 5

#: What a version shows as it was given, and only if it was given.
_KEPT = ("CompatibleArchitectures", "CompatibleRuntimes", "LicenseInfo")


def plan_version(params: Mapping[str, Any], created: str) -> dict[str, Any]:
    """What is kept of PublishLayerVersion's parameters; ``created`` is as the API spells dates."""
    document = {member: params[member] for member in _KEPT if params.get(member) is not None}
    return document | {"Description": params.get("Description") or "", "CreatedDate": created}


def check_runtimes(given: Sequence[str], function_rules: Rules) -> None:
    """Refuse a layer for runtimes that no new function can have.

    Raises:
        AwsError: ValidationException. Recorded: it names the runtimes that new functions can have.
    """
    names = [name for name in function_rules.runtimes.names if _is_open(name, function_rules)]
    if not set(given) <= set(names):
        raise _not_one_of(f"[{', '.join(given)}]", "compatibleRuntimes", names)


def _is_open(name: str, function_rules: Rules) -> bool:
    identifier = function_rules.runtimes.identifier(name)
    assert identifier is not None
    return identifier.create_until is None or function_rules.today <= identifier.create_until


def check_runtime_filter(given: str | None, names: Sequence[str]) -> None:
    """Refuse to list by a runtime that never was.

    Raises:
        AwsError: ValidationException.
    """
    if given is not None and given not in names:
        raise _not_one_of(given, "compatibleRuntime", names)


def _not_one_of(value: str, path: str, names: Sequence[str]) -> AwsError:
    # The framework's error, for a list that the service keeps to itself.
    return validation(
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{', '.join(names)}]"
    )


def check_number(number: int) -> None:
    """Refuse what cannot be a version's number.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if number < 1:
        raise invalid_parameter("Layer Version Cannot be less than 1")


def check_count(arns: Sequence[str]) -> None:
    """Refuse more layers than one function may use.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if len(arns) > LAYERS_MAX:
        raise invalid_parameter(f"Cannot reference more than {LAYERS_MAX} layers.")


def check_region(region: str, expected: str) -> None:
    """Refuse a layer of the caller's own account in another region.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if region != expected:
        raise invalid_parameter(
            "Layers are not in the same region as the function. Layers are expected to be in "
            f"region {expected}."
        )


def check_distinct(arn: str, earlier: Sequence[BoundLayer]) -> None:
    """Refuse a second version of a layer, and the same version twice.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    for other in earlier:
        if other.arn.rpartition(":")[0] == arn.rpartition(":")[0]:
            raise invalid_parameter(
                "Two different versions of the same layer are not allowed to be referenced in the "
                f"same function. {other.arn} and {arn} are versions of the same layer."
            )


def check_total(code: Code, layers: Sequence[BoundLayer], bytes_max: int) -> None:
    """Refuse code that together with its layers is too large, unpacked.

    Raises:
        AwsError: InvalidParameterValueException. Source of the text: public error reports.
    """
    total = code.unzipped_bytes + sum(layer.code.unzipped_bytes for layer in layers)
    if layers and total > bytes_max:
        raise invalid_parameter(
            f"Function code combined with layers exceeds the maximum allowed size of {bytes_max} "
            f"bytes. The actual size is {total} bytes."
        )


def missing_for_function(arn: str) -> AwsError:
    """A function asks for a version of its own account that does not exist."""
    return invalid_parameter(f"Layer version {arn} does not exist.")


def denied(principal: Principal, action: str, arn: str) -> AwsError:
    """Another account's layer, without its leave or not there at all: nobody is told which.

    Source: public error reports of AWS Lambda.
    """
    return access_denied(
        f"User: {principal.arn} is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action"
    )


def may_use(policy: Policy | None, account: str) -> bool:
    """Whether a layer version's policy lets ``account`` read and use it.

    There are no organizations here, so a statement that asks for one lets nobody in.
    """
    if policy is None:
        return False
    wanted = f"arn:aws:iam::{account}:root"
    return any(
        "Condition" not in statement and statement["Principal"] in ("*", {"AWS": wanted})
        for statement in policy.statements
    )
