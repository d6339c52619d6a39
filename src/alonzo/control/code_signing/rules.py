"""What code signing configurations hold, and what one that enforces signatures refuses.

Source: Lambda API; recorded texts except where a comment says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from alonzo.control.code_signing.records import ConfigKey, ConfigRecord
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError, access_denied, not_found

ID_CHARS = 17

_ARN = re.compile(
    r"arn:(?:aws[a-zA-Z-]*)?:lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    rf"code-signing-config:(?P<id>csc-[a-z0-9]{{{ID_CHARS}}})"
)

_CHANGEABLE = ("Description", "AllowedPublishers", "CodeSigningPolicies")


def plan_document(
    current: Mapping[str, Any], params: Mapping[str, Any], *, modified: str
) -> dict[str, Any]:
    """What a configuration holds after a change: members left out stay as they are.

    ``modified`` is the time of the change as the API spells times.
    """
    given = {member: params[member] for member in _CHANGEABLE if params.get(member) is not None}
    document: dict[str, Any] = {**current, **given, "LastModified": modified}
    policies: dict[str, str] = document.get("CodeSigningPolicies") or {}
    document["CodeSigningPolicies"] = {"UntrustedArtifactOnDeployment": "Warn"} | policies
    return document


def parse_config(arn: str, context: RequestContext) -> ConfigKey:
    """Read the ARN of a configuration.

    Raises:
        AwsError: AccessDeniedException for one of another account, ResourceNotFoundException for
            one of another region and for what is no such ARN.
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise missing(arn)
    if found["account"] != context.account:
        raise access_denied(f"Cross-account access to {arn} is not allowed.")
    if found["region"] != context.region:
        raise missing(arn)
    return ConfigKey(found["account"], found["region"], found["id"])


def missing(arn: str) -> AwsError:
    """There is no such configuration."""
    return not_found(f"The Lambda code signing configuration {arn} can not be found.")


def missing_for_function(arn: str) -> AwsError:
    """A function is to get a configuration that is not there."""
    return AwsError(
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration is "
        f"not deleted: {arn}.",
        members={"Type": "User"},
    )


def check_unsigned(config: ConfigRecord | None, function_name: str) -> None:
    """Refuse a package or layer, none of which is signed, where signatures are enforced.

    Source of the text: public error reports of Lambda. ``function_name`` is as it was given.

    Raises:
        AwsError: CodeVerificationFailedException.
    """
    if config is not None and config.enforces:
        raise AwsError(
            "CodeVerificationFailedException",
            "Lambda cannot deploy the function. The function or layer might be signed using a "
            "signature that the client is not configured to accept. Check the provided signature "
            f"for {function_name}.",
            members={"Type": "User"},
        )
