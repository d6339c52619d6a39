"""The errors of IAM, with AWS's texts where they are known from recordings."""

from __future__ import annotations

from alonzo.model.errors import AwsError

#: How messages begin that are about an entity.
TITLES = {
    "user": "user",
    "group": "group",
    "role": "role",
    "policy": "policy",
    "instance-profile": "Instance Profile",
}


def no_such_entity(message: str) -> AwsError:
    """404."""
    return AwsError("NoSuchEntityException", message)


def not_found(kind: str, name: str) -> AwsError:
    """No entity of that name."""
    if kind == "instance-profile":
        return no_such_entity(f"Instance Profile {name} cannot be found.")
    if kind == "oidc-provider":
        return no_such_entity(f"OpenIDConnect Provider not found for arn {name}")
    return no_such_entity(f"The {TITLES[kind]} with name {name} cannot be found.")


def exists(kind: str, name: str) -> AwsError:
    """The name is in use."""
    if kind == "policy":
        message = f"A policy called {name} already exists. Duplicate names are not allowed."
    elif kind == "instance-profile":
        message = f"Instance Profile {name} already exists."
    elif kind == "oidc-provider":
        message = f"Provider with url https://{name} already exists."
    else:
        message = f"{TITLES[kind].capitalize()} with name {name} already exists."
    return AwsError("EntityAlreadyExistsException", message)


def delete_conflict(message: str) -> AwsError:
    """Something still depends on the entity."""
    return AwsError("DeleteConflictException", message)


def limit_exceeded(quota: str, limit: int) -> AwsError:
    """A quota is used up."""
    return AwsError("LimitExceededException", f"Cannot exceed quota for {quota}: {limit}")


def too_long(kind: str, name: str, limit: int) -> AwsError:
    """The inline policies of an entity together."""
    return AwsError(
        "LimitExceededException", f"Maximum policy size of {limit} bytes exceeded for {kind} {name}"
    )


def malformed(message: str) -> AwsError:
    """A document is no policy of its kind."""
    return AwsError("MalformedPolicyDocumentException", message)


def invalid_input(message: str) -> AwsError:
    """400."""
    return AwsError("InvalidInputException", message)


def validation_error(message: str) -> AwsError:
    """What the framework refuses before the service sees it."""
    return AwsError("ValidationError", message, status=400)


def policy_not_found(arn: str) -> AwsError:
    """No managed policy has the ARN."""
    return no_such_entity(f"Policy {arn} was not found.")


def unmodifiable(message: str) -> AwsError:
    """A service-linked role, or a policy of AWS."""
    return AwsError("UnmodifiableEntityException", message)


def access_denied(message: str) -> AwsError:
    """403, in the words of the query protocol."""
    return AwsError("AccessDenied", message, status=403)
