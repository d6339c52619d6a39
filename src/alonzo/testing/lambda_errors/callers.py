"""Errors of function URLs, provisioned concurrency and streamed responses."""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.testing.lambda_errors.rows import (
    ARN,
    AS_A_WHOLE,
    FAILED,
    MARKER,
    NO_FUNCTION,
    NO_MARKER,
    NONE,
    NONE_ARN,
    NOT_JSON,
    NOT_THERE,
    QUALIFIED,
    TWO,
    TWO_QUALIFIERS,
    F,
    Row,
    conflict,
    ipv,
    rnf,
)

_TWO_ALIASES = {"FunctionName": "errors:prod", "Qualifier": "other"}
_NOT_PUBLISHED = "The function resource provided must be an alias or a published version."
_NO_CONFIG = "No Provisioned Concurrency Config found for this function"
_NO_URL_FUNCTION = "Function does not exist"
_ONE = {"ProvisionedConcurrentExecutions": 1}

ERRORS: Mapping[str, tuple[Row, ...]] = {
    "CreateFunctionUrlConfig": (
        ipv({**_TWO_ALIASES, "AuthType": "NONE"}, TWO),
        conflict(
            {**F, "AuthType": "NONE"},
            f"Failed to create function url config for [functionArn = {ARN}]. Error message:  "
            "FunctionUrlConfig exists for this Lambda function",
        ),
        rnf({**NONE, "AuthType": "NONE"}, _NO_URL_FUNCTION),
        rnf({**F, "Qualifier": "none", "AuthType": "NONE"}, _NO_URL_FUNCTION),
    ),
    "DeleteFunctionUrlConfig": (ipv(_TWO_ALIASES, TWO), rnf({"FunctionName": "other"}, NOT_THERE)),
    "GetFunctionUrlConfig": (
        ipv(_TWO_ALIASES, TWO),
        rnf({"FunctionName": "other"}, NOT_THERE),
        rnf({**F, "Qualifier": "prod"}, NOT_THERE),
    ),
    "ListFunctionUrlConfigs": (
        ipv({**F, **MARKER}, NO_MARKER),
        ipv({"FunctionName": "errors:prod"}, AS_A_WHOLE),
        rnf(NONE, _NO_URL_FUNCTION),
    ),
    "UpdateFunctionUrlConfig": (ipv(_TWO_ALIASES, TWO), rnf({"FunctionName": "other"}, NOT_THERE)),
    "DeleteProvisionedConcurrencyConfig": (
        ipv({**F, "Qualifier": "$LATEST"}, _NOT_PUBLISHED),
        rnf({**NONE, "Qualifier": "1"}, f"{NO_FUNCTION}:1"),
    ),
    "GetProvisionedConcurrencyConfig": (
        ipv({**F, "Qualifier": "$LATEST"}, _NOT_PUBLISHED),
        rnf({**F, "Qualifier": "9"}, f"Function not found: {ARN}:9"),
        rnf({**F, "Qualifier": "none"}, f"Cannot find alias arn: {ARN}:none"),
        Row("ProvisionedConcurrencyConfigNotFound", {**F, "Qualifier": "2"}, _NO_CONFIG),
    ),
    "ListProvisionedConcurrencyConfigs": (
        ipv({**F, **MARKER}, NO_MARKER),
        ipv(QUALIFIED, AS_A_WHOLE),
        rnf(NONE, NO_FUNCTION),
    ),
    "PutProvisionedConcurrencyConfig": (
        ipv(
            {**F, "Qualifier": "$LATEST", **_ONE},
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ),
        conflict(
            {**F, "Qualifier": "1", **_ONE}, "Version is pointed by a Provisioned Concurrency alias"
        ),
        rnf({**NONE, "Qualifier": "1", **_ONE}, f"Function not found: {NONE_ARN}:1"),
    ),
    "InvokeWithResponseStream": (
        ipv(TWO_QUALIFIERS, TWO),
        rnf(NONE, f"{NO_FUNCTION}:$LATEST"),
        conflict({"FunctionName": "broken"}, FAILED),
        Row("InvalidRequestContent", {**F, "Payload": b"{oops"}, NOT_JSON),
        Row("TooManyRequests", {"FunctionName": "idle"}, "Rate Exceeded."),
    ),
}
