"""From the ``FunctionName`` and ``Qualifier`` of a request to the record they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alonzo.control import records
from alonzo.control.records import VersionRecord
from alonzo.model.arns import LATEST, FunctionRef, parse_function_ref
from alonzo.model.context import RequestContext
from alonzo.model.errors import not_found
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


def function_not_found(ref: FunctionRef) -> Exception:
    """The error that names the function as it was addressed."""
    return not_found(f"Function not found: {ref.arn}")


def get_version(db: Connection, ref: FunctionRef) -> VersionRecord:
    """The version that ``ref`` means: ``$LATEST`` without a qualifier.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    record = records.find_version(db, ref.key, ref.qualifier or LATEST)
    if record is None:
        raise function_not_found(ref)
    return record
