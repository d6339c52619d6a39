"""The errors of AWS KMS, with AWS's texts where they are known; a comment marks ours."""

from __future__ import annotations

from alonzo.model.errors import AwsError


def key_not_found(arn: str) -> AwsError:
    """No such key, or one that has been deleted."""
    return AwsError("NotFoundException", f"Key '{arn}' does not exist")


def alias_not_found(arn: str) -> AwsError:
    """No such alias."""
    return AwsError("NotFoundException", f"Alias {arn} is not found.")


def invalid_key_id(text: str) -> AwsError:
    """Neither a key's id or ARN nor an alias's name or ARN."""
    return AwsError("NotFoundException", f"Invalid keyId '{text}'")


def invalid_arn(text: str) -> AwsError:
    """An ARN of another service, region or form."""
    return AwsError("InvalidArnException", f"Invalid arn {text}")


def disabled(arn: str) -> AwsError:
    """The key is disabled."""
    return AwsError("DisabledException", f"{arn} is disabled.")


def pending_deletion(arn: str) -> AwsError:
    """The key waits for its deletion."""
    return AwsError("KMSInvalidStateException", f"{arn} is pending deletion.")


def not_pending_deletion(arn: str) -> AwsError:
    """CancelKeyDeletion of a key that does not wait for it."""
    return AwsError("KMSInvalidStateException", f"{arn} is not pending deletion.")


def invalid_ciphertext() -> AwsError:
    """No ciphertext of ours, one that was changed, or another encryption context. No reason."""
    return AwsError("InvalidCiphertextException", "")


def incorrect_key() -> AwsError:
    """The ciphertext was made with another key than the one named."""
    return AwsError(
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )


def unsupported(message: str) -> AwsError:
    """What this platform's KMS does not do. The texts are ours."""
    return AwsError("UnsupportedOperationException", message)


def malformed_policy(message: str) -> AwsError:
    """A document that is no key policy."""
    return AwsError("MalformedPolicyDocumentException", message)


def limit_exceeded(message: str) -> AwsError:
    """A quota is used up. The texts are ours."""
    return AwsError("LimitExceededException", message)


def invalid_marker() -> AwsError:
    """A page token that this service never issued. The text is ours."""
    return AwsError("InvalidMarkerException", "Invalid marker.")


def invalid_grant_id(text: str) -> AwsError:
    """The key has no grant of that id."""
    return AwsError("NotFoundException", f"Grant ID {text} not found")


def invalid_grant_token() -> AwsError:
    """A token that this service never issued. The text is ours."""
    return AwsError("InvalidGrantTokenException", "The grant token is not valid.")


def tag_error(message: str) -> AwsError:
    """Tags that no key may have. The texts are ours."""
    return AwsError("TagException", message)


def managed_by_aws(arn: str) -> AwsError:
    """A change to a key that belongs to a service. The text is ours."""
    return AwsError(
        "AccessDeniedException", f"{arn} is an AWS managed key: it cannot be changed.", status=400
    )


def dry_run() -> AwsError:
    """The request was fine, and nothing was done."""
    return AwsError(
        "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.",
    )
