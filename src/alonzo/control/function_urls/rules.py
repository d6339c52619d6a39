"""What a function URL may say. Pure. The bounds of each member are the service model's.

Source: Lambda API, CreateFunctionUrlConfig; recorded texts where not noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from alonzo.control.function_urls.records import UrlRecord
from alonzo.lib.clock import utc
from alonzo.model.errors import AwsError, conflict, invalid_parameter, not_found
from alonzo.model.function_urls import url_of


def applied(record: UrlRecord, params: Mapping[str, Any], *, now_s: float) -> UrlRecord:
    """``record`` with the settings that a request names; the same record if nothing changes.

    ``Cors`` is replaced as a whole, and an empty one ends it.
    """
    cors = params.get("Cors")
    changed = replace(
        record,
        auth_type=params.get("AuthType") or record.auth_type,
        invoke_mode=params.get("InvokeMode") or record.invoke_mode,
        cors=record.cors if cors is None else _given(cors),
    )
    return record if changed == record else replace(changed, modified_at_s=now_s)


def _given(cors: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return {name: value for name, value in cors.items() if value is not None} or None


def check_tenants(configuration: Mapping[str, Any]) -> None:
    """Refuse a URL for a function whose tenants are kept apart: its callers could not name one.

    AWS documents the rule; this text is ours.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    if "TenancyConfig" in configuration:
        raise invalid_parameter("Function URLs are not supported for functions with tenants.")


def exists(arn: str) -> AwsError:
    """The refusal of a second URL. The two blanks are AWS's."""
    return conflict(
        f"Failed to create function url config for [functionArn = {arn}]. "
        "Error message:  FunctionUrlConfig exists for this Lambda function"
    )


def function_missing() -> AwsError:
    """There is no function or alias to have a URL."""
    return not_found("Function does not exist")


def created(record: UrlRecord, endpoint: str) -> dict[str, Any]:
    """The answer to CreateFunctionUrlConfig. ``endpoint`` is how the caller reached us."""
    document: dict[str, Any] = {
        "FunctionUrl": url_of(endpoint, record.key.region, record.id),
        "FunctionArn": record.arn,
        "AuthType": record.auth_type,
        "CreationTime": _timestamp(record.created_at_s),
        "InvokeMode": record.invoke_mode,
    }
    if record.cors is not None:
        document["Cors"] = record.cors
    return document


def described(record: UrlRecord, endpoint: str) -> dict[str, Any]:
    """A FunctionUrlConfig."""
    return {**created(record, endpoint), "LastModifiedTime": _timestamp(record.modified_at_s)}


def _timestamp(epoch_s: float) -> str:
    """These, unlike Lambda's others, end in ``Z`` and go to the microsecond. Recorded."""
    return utc(epoch_s).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
