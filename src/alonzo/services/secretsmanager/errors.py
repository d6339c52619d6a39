"""The errors of Secrets Manager, with AWS's texts where they are known; a comment marks ours."""

from __future__ import annotations

from alonzo.model.errors import AwsError, not_found


def invalid_parameter(message: str) -> AwsError:
    """A parameter has a value that it must not have."""
    return AwsError("InvalidParameterException", message)


def invalid_request(message: str) -> AwsError:
    """The secret is not in a state for the request."""
    return AwsError("InvalidRequestException", message)


def no_secret() -> AwsError:
    """No such secret."""
    return not_found("Secrets Manager can't find the specified secret.")


def no_value_of_stage(stage: str) -> AwsError:
    """No version with a value has the staging label."""
    return not_found(
        f"Secrets Manager can't find the specified secret value for staging label: {stage}"
    )


def no_value_of_version(version_id: str) -> AwsError:
    """No such version, or one that has no value yet."""
    return not_found(
        f"Secrets Manager can't find the specified secret value for VersionId: {version_id}"
    )


def marked_for_deletion() -> AwsError:
    """The secret waits for its deletion."""
    return invalid_request(
        "You can't perform this operation on the secret because it was marked for deletion."
    )


def name_waits_for_deletion() -> AwsError:
    """CreateSecret of a name that a deleted secret still has."""
    return invalid_request(
        "You can't create this secret because a secret with this name is already scheduled for "
        "deletion."
    )


def already_exists(name: str) -> AwsError:
    """CreateSecret of a name in use."""
    return AwsError(
        "ResourceExistsException",
        f"The operation failed because the secret {name} already exists.",
    )


def token_in_use(token: str, arn: str) -> AwsError:
    """The version of that token has another value."""
    return AwsError(
        "ResourceExistsException",
        f"You can't use ClientRequestToken {token} because that value is already in use for a "
        f"version of secret {arn}.",
    )


def limit_exceeded(message: str) -> AwsError:
    """A quota is used up. The texts are ours."""
    return AwsError("LimitExceededException", message)


def malformed_policy(message: str) -> AwsError:
    """A document that is no resource policy."""
    return AwsError("MalformedPolicyDocumentException", message)


def public_policy() -> AwsError:
    """The policy lets everybody in, and that was to be refused. The text is ours."""
    return AwsError("PublicPolicyException", "The resource policy grants access to everybody.")


def invalid_token() -> AwsError:
    """A page token that this service never issued. The text is ours."""
    return AwsError("InvalidNextTokenException", "Invalid token.")


def cannot_invoke() -> AwsError:
    """The function is not there, or its policy does not let Secrets Manager in."""
    return AwsError(
        "AccessDeniedException",
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function "
        "policy grants access to the principal secretsmanager.amazonaws.com.",
        status=400,
    )
