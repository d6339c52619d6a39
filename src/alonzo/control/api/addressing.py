"""From the ``FunctionName`` and ``Qualifier`` of a request to the record they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import aliases, records
from alonzo.control.records import FunctionRecord, VersionRecord
from alonzo.model.arns import LATEST, FunctionRef, parse_function_ref
from alonzo.model.context import RequestContext
from alonzo.model.errors import invalid_parameter, not_found
from alonzo.store.base import Connection


def addressed(context: RequestContext, params: Mapping[str, Any]) -> FunctionRef:
    """The function that a request names.

    Raises:
        AwsError: as ``parse_function_ref``.
    """
    return parse_function_ref(
        params["FunctionName"],
        params.get("Qualifier"),
        account=context.account,
        region=context.region,
    )


def unqualified(context: RequestContext, params: Mapping[str, Any]) -> FunctionRef:
    """The function that a request names, for operations on functions as a whole.

    Raises:
        AwsError: as ``addressed``, or InvalidParameterValueException: it has a qualifier.
    """
    ref = addressed(context, params)
    if ref.qualifier is not None:
        raise invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )
    return ref


def latest(context: RequestContext, params: Mapping[str, Any]) -> FunctionRef:
    """The function that a request names, for operations on ``$LATEST``, which it may name too.

    Source of the text: public error reports of Lambda.

    Raises:
        AwsError: as ``addressed``, or InvalidParameterValueException: it has another qualifier.
    """
    ref = addressed(context, params)
    if ref.qualifier not in (None, LATEST):
        raise invalid_parameter("Current operation does not support versions other than $LATEST")
    return ref


def function_not_found(ref: FunctionRef) -> Exception:
    """The error that names the function as it was addressed."""
    return not_found(f"Function not found: {ref.arn}")


def get_version(db: Connection, ref: FunctionRef) -> VersionRecord:
    """The version that ``ref`` means: ``$LATEST`` without a qualifier, an alias' main version.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    record = records.find_version(db, ref.key, ref.qualifier or LATEST)
    if record is None and (alias := aliases.find(db, ref.key, ref.qualifier or "")) is not None:
        record = records.find_version(db, ref.key, alias.version)
    if record is None:
        raise function_not_found(ref)
    return record


def get_function_record(db: Connection, ref: FunctionRef) -> FunctionRecord:
    """What belongs to the function as a whole.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    record = records.find_function(db, ref.key)
    if record is None:
        raise function_not_found(ref)
    return record
