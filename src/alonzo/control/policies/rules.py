"""How policies change, and what Lambda refuses. Texts are AWS's unless a comment says otherwise."""

from __future__ import annotations

from alonzo.control.policies.documents import (
    POLICY_BYTES_MAX,
    Policy,
    Statement,
    dump,
    with_statements,
)
from alonzo.control.refusals import stale_revision
from alonzo.model.arns import LATEST
from alonzo.model.errors import AwsError, conflict, invalid_parameter, not_found


def no_policy() -> AwsError:
    """There is a resource, and it has no policy."""
    return not_found("No policy is associated with the given resource.")


def check_qualifier(qualifier: str | None) -> None:
    """Refuse a policy for ``$LATEST``; the function itself may have one.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if qualifier == LATEST:
        raise invalid_parameter("We currently do not support adding policies for $LATEST.")


def check_revision(given: str | None, current: str | None, api: str) -> None:
    """Refuse a change that was made for another revision; ``api`` names the call that shows it.

    Raises:
        AwsError: PreconditionFailedException.
    """
    if given and given != current:
        raise stale_revision(api)


def check_size(text: str) -> None:
    """Refuse a policy that is too long.

    Raises:
        AwsError: PolicyLengthExceededException. Source of the text: public error reports.
    """
    n_bytes = len(text.encode("utf-8", "surrogatepass"))
    if n_bytes > POLICY_BYTES_MAX:
        raise AwsError(
            "PolicyLengthExceededException",
            f"The final policy size ({n_bytes}) is bigger than the limit ({POLICY_BYTES_MAX}).",
            members={"Type": "User"},
        )


def plan_added(current: Policy | None, statement: Statement, revision_id: str) -> Policy:
    """The policy with one more statement, under a new revision.

    Raises:
        AwsError: ResourceConflictException, or PolicyLengthExceededException.
    """
    statements = current.statements if current is not None else []
    sid = statement["Sid"]
    if any(other.get("Sid") == sid for other in statements):
        raise conflict(
            f"The statement id ({sid}) provided already exists. Please provide a new statement "
            "id, or remove the existing statement."
        )
    document = with_statements(current and current.document, [*statements, statement])
    check_size(dump(document))
    return Policy(document, revision_id)


def plan_removed(current: Policy | None, sid: str, revision_id: str) -> Policy | None:
    """The policy without one statement, under a new revision; None once none is left.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    if current is None:
        raise no_policy()
    kept = [statement for statement in current.statements if statement.get("Sid") != sid]
    if len(kept) == len(current.statements):
        raise not_found(f"Statement {sid} is not found in resource policy.")
    return Policy(with_statements(current.document, kept), revision_id) if kept else None
