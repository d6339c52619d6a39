"""The errors of Parameter Store, with AWS's texts where they are known; a comment marks ours."""

from __future__ import annotations

from alonzo.model.errors import AwsError


def not_found(name: str) -> AwsError:
    """No such parameter."""
    return AwsError("ParameterNotFound", f"Parameter {name} not found.")


def version_not_found(name: str, number: int) -> AwsError:
    """The parameter has no such version, or not any more."""
    return AwsError(
        "ParameterVersionNotFound",
        f"Systems Manager could not find version {number} of {name}. Verify the version and try "
        "again.",
    )


def label_not_found(name: str, label: str) -> AwsError:
    """No version of the parameter has the label."""
    return AwsError(
        "ParameterVersionNotFound",
        f"Systems Manager could not find label {label} for parameter {name}. Verify the label and "
        "try again.",
    )


def already_exists() -> AwsError:
    """PutParameter of a name in use, without Overwrite."""
    return AwsError(
        "ParameterAlreadyExists",
        "The parameter already exists. To overwrite this value, set the overwrite option in the "
        "request to true.",
    )


def type_mismatch() -> AwsError:
    """Overwrite with another type."""
    return AwsError(
        "HierarchyTypeMismatchException",
        "Parameter Store does not support changing a parameter type in a hierarchy. For example, "
        "you can't change a parameter from a String type to a SecureString type. You must create "
        "a new, unique parameter.",
    )


def oldest_is_labelled(name: str, number: int) -> AwsError:
    """The version that would have to go has a label."""
    return AwsError(
        "ParameterMaxVersionLimitExceeded",
        f"You attempted to create a new version of {name} by calling the PutParameter API with "
        f"the overwrite flag. Version {number}, the oldest version, can't be deleted because it "
        "has a label associated with it. Move the label to another version of the parameter, and "
        "try again.",
    )


def too_many_labels() -> AwsError:
    """More than ten labels on one version."""
    return AwsError(
        "ParameterVersionLabelLimitExceeded",
        "A parameter version can have maximum 10 labels. Move one or more labels to another "
        "version and try again.",
    )


def limit_exceeded(tier: str) -> AwsError:
    """No more parameters of the tier. The text is ours."""
    return AwsError(
        "ParameterLimitExceeded",
        f"The quota of parameters of the {tier} tier in this account and region is used up.",
    )


def too_deep() -> AwsError:
    """More than 15 levels. The text is the API reference's."""
    return AwsError(
        "HierarchyLevelLimitExceededException",
        "A hierarchy can have a maximum of 15 levels. For more information, see Requirements and "
        "constraints for parameter names in the AWS Systems Manager User Guide.",
    )


def invalid_pattern(pattern: str) -> AwsError:
    """No regular expression, or one that this platform does not take. The text is ours."""
    return AwsError(
        "InvalidAllowedPatternException",
        f"The regular expression {pattern} is not valid or has a construct that is not supported.",
    )


def pattern_mismatch(pattern: str) -> AwsError:
    """The value does not match the pattern that is to hold for it."""
    return AwsError(
        "ParameterPatternMismatchException",
        f"Parameter value, cannot be validated against allowedPattern: {pattern}",
    )


def invalid_key(message: str) -> AwsError:
    """KMS refuses the key; the text is its own."""
    return AwsError("InvalidKeyId", message)


def invalid_token() -> AwsError:
    """A page token that this service never issued."""
    return AwsError("InvalidNextToken", "The specified token is not valid.")


def invalid_resource(kind: str, name: str) -> AwsError:
    """Tags of what is no parameter. The texts are ours."""
    if kind != "Parameter":
        return AwsError("InvalidResourceType", "Only the tags of parameters are supported.")
    return AwsError("InvalidResourceId", f"There is no parameter {name}.")


def too_many_tags() -> AwsError:
    """More than 50 tags. The text is ours."""
    return AwsError("TooManyTagsError", "A parameter can have no more than 50 tags.")
