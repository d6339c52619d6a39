"""What may have provisioned concurrency, and how much. Pure.

Each version has at most one configuration: its own, or that of an alias which sends it calls.
Source: Lambda API, PutProvisionedConcurrencyConfig, and the developer guide; recorded texts where
not noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alonzo.control.aliases import AliasRecord
from alonzo.control.documents import timestamp
from alonzo.control.provisioned.records import ProvisionedRecord
from alonzo.control.records import VersionRecord
from alonzo.model.arns import LATEST, FunctionRef
from alonzo.model.errors import AwsError, invalid_parameter
from alonzo.model.limits import UNRESERVED_CONCURRENCY_MIN
from alonzo.model.provisioned import Allocation


def unpublished() -> AwsError:
    """The refusal to provision ``$LATEST``."""
    return invalid_parameter(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )


def check_published(ref: FunctionRef) -> str:
    """The qualifier, for operations on a configuration that is there.

    Raises:
        AwsError: InvalidParameterValueException: it is ``$LATEST``.
    """
    if ref.qualifier in (None, LATEST):
        raise invalid_parameter(
            "The function resource provided must be an alias or a published version."
        )
    assert ref.qualifier is not None
    return ref.qualifier


def is_alias(qualifier: str) -> bool:
    """Whether a qualifier can only be an alias' name; else it is a version's."""
    return not qualifier.isdecimal() and qualifier != LATEST


def missing() -> AwsError:
    """The error where a version or an alias has no configuration."""
    return AwsError(
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
        members={"Type": "User"},
    )


def check_alias(alias: AliasRecord) -> None:
    """Refuse an alias that cannot get a configuration, or another one, as it is.

    Raises:
        AwsError: InvalidParameterValueException. Source of the second text: public error reports.
    """
    if alias.version == LATEST:
        raise unpublished()
    if alias.routing is not None:
        raise invalid_parameter("Alias with weights can not be used with Provisioned Concurrency")


def check_version(version: VersionRecord) -> None:
    """Refuse a version that cannot be kept ready. Both texts are ours.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if version.configuration["SnapStart"]["ApplyOn"] != "None":
        raise invalid_parameter("Provisioned concurrency cannot be used with SnapStart.")
    if "TenancyConfig" in version.configuration:
        raise invalid_parameter("Provisioned concurrency cannot be used with tenant isolation.")


def check_amount(
    wanted: int, *, beside: int, reserved: int | None, unreserved: int, account: int
) -> None:
    """Refuse more than the function or the account has.

    ``beside`` is what the function's other versions and aliases have, ``reserved`` its reservation.
    ``unreserved`` is what the account has left for functions without a reservation, what is
    provisioned for these taken off, this configuration excepted.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if reserved is not None:
        if beside + wanted > reserved:
            raise invalid_parameter(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        return
    if wanted > unreserved:
        raise _untyped(
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            f"concurrency [{unreserved}]."
        )
    least = min(UNRESERVED_CONCURRENCY_MIN, account)
    if unreserved - wanted < least:
        raise _untyped(
            "Specified ConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{least}]."
        )


def check_reservation(reserved: int, provisioned: int) -> None:
    """Refuse to reserve less than is provisioned.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if reserved < provisioned:
        raise _untyped(
            f" ReservedConcurrentExecutions  {reserved} should not be lower than function's total "
            f"provisioned concurrency [{provisioned}]."
        )


def check_free(qualifier: str, users: Sequence[str]) -> None:
    """Refuse a second configuration of one version. ``users`` are the qualifiers that have one.

    Raises:
        AwsError: ResourceConflictException.
    """
    others = [user for user in users if user != qualifier]
    if others and is_alias(qualifier):
        raise _typed_conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already "
            "Provisioned version"
        )
    if others:
        raise _typed_conflict("Version is pointed by a Provisioned Concurrency alias")


def check_move(alias: AliasRecord, users: Sequence[str]) -> None:
    """Refuse to point an alias with a configuration where it cannot be kept.

    ``users`` are the qualifiers that have configurations of a version that it is to point to.

    Raises:
        AwsError: InvalidParameterValueException. Source: public error reports.
    """
    if alias.version == LATEST or any(user != alias.name for user in users):
        raise invalid_parameter("Invalid alias configuration for Provisioned Concurrency")


def described(record: ProvisionedRecord, allocation: Allocation) -> Mapping[str, Any]:
    """A configuration, as every operation shows it."""
    document: dict[str, Any] = {
        "RequestedProvisionedConcurrentExecutions": record.requested,
        "AvailableProvisionedConcurrentExecutions": allocation.available,
        "AllocatedProvisionedConcurrentExecutions": allocation.allocated,
        "Status": str(allocation.status),
        "LastModified": timestamp(record.modified_at_s),
    }
    if allocation.reason is not None:
        document["StatusReason"] = allocation.reason
    return document


def _untyped(message: str) -> AwsError:
    """AWS was recorded to leave ``Type`` out here."""
    return AwsError("InvalidParameterValueException", message)


def _typed_conflict(message: str) -> AwsError:
    return AwsError("ResourceConflictException", message, members={"Type": "User"})
