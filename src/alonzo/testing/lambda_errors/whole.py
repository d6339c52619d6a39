"""Errors of functions, versions and aliases, of their settings, and of calls."""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.testing.lambda_errors.rows import (
    ALIAS,
    ARN,
    AS_A_WHOLE,
    DESTINATION,
    FAILED,
    FOREIGN,
    FUNCTIONS_ELSEWHERE,
    LAMBDA,
    LATEST_ONLY,
    MARKER,
    MISSING_CONFIG_OF_FUNCTION,
    NEW,
    NO_CONFIG,
    NO_FUNCTION,
    NO_MARKER,
    NO_SETTING,
    NONE,
    NOT_CONFIGURED,
    NOT_ITSELF,
    NOT_JSON,
    OF_ANY_VERSION,
    OF_FUNCTION,
    QUALIFIED,
    ROUTED_TWICE,
    TWICE,
    TWO,
    TWO_QUALIFIERS,
    UNSIGNED,
    ZIP,
    F,
    Row,
    conflict,
    ipv,
    rnf,
    stale,
)

ERRORS: Mapping[str, tuple[Row, ...]] = {
    "CreateAlias": (
        ipv({**F, **ALIAS, **TWICE}, ROUTED_TWICE),
        conflict({**F, **ALIAS, "Name": "prod"}, f"Alias already exists: {ARN}:prod"),
        rnf({**F, **ALIAS, "FunctionVersion": "9"}, f"Function not found: {ARN}:9"),
    ),
    "CreateFunction": (
        ipv(
            {name: value for name, value in NEW.items() if name != "Handler"},
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages.",
        ),
        conflict({**NEW, **F}, "Function already exist: errors"),
        rnf({**NEW, "FunctionName": f"{FOREIGN}function:new"}, FUNCTIONS_ELSEWHERE),
        Row(
            "CodeSigningConfigNotFound",
            {**NEW, "CodeSigningConfigArn": NO_CONFIG},
            MISSING_CONFIG_OF_FUNCTION,
        ),
        Row(
            "CodeVerificationFailed",
            {**NEW, "CodeSigningConfigArn": "@enforce@"},
            f"{UNSIGNED}new.",
        ),
    ),
    "DeleteAlias": (
        ipv({**QUALIFIED, "Name": "prod"}, AS_A_WHOLE),
        rnf({**NONE, "Name": "prod"}, NO_FUNCTION),
    ),
    "DeleteFunction": (
        ipv(
            {**F, "Qualifier": "$LATEST"},
            "$LATEST version cannot be deleted without deleting the function.",
        ),
        conflict(
            {**F, "Qualifier": "1"},
            "Unable to delete version because the following aliases reference it: [prod]",
        ),
        rnf(NONE, NO_FUNCTION),
    ),
    "DeleteFunctionConcurrency": OF_FUNCTION,
    "DeleteFunctionEventInvokeConfig": (ipv(TWO_QUALIFIERS, TWO), rnf(F, NOT_CONFIGURED)),
    "GetAccountSettings": (),
    "GetAlias": (
        ipv({**QUALIFIED, "Name": "prod"}, AS_A_WHOLE),
        rnf({**F, "Name": "none"}, f"Cannot find alias arn: {ARN}:none"),
    ),
    "GetFunction": OF_ANY_VERSION,
    "GetFunctionConcurrency": OF_FUNCTION,
    "GetFunctionConfiguration": OF_ANY_VERSION,
    "GetFunctionEventInvokeConfig": (ipv(TWO_QUALIFIERS, TWO), rnf(F, NOT_CONFIGURED)),
    "GetFunctionRecursionConfig": (rnf(NONE, NO_FUNCTION),),
    "GetRuntimeManagementConfig": OF_ANY_VERSION,
    "Invoke": (
        ipv(TWO_QUALIFIERS, TWO),
        rnf(NONE, f"{NO_FUNCTION}:$LATEST"),
        rnf({**F, "Qualifier": "9"}, f"Function not found: {ARN}:9"),
        conflict({"FunctionName": "broken"}, FAILED),
        Row("InvalidRequestContent", {**F, "Payload": b"{oops"}, NOT_JSON),
        Row(
            "InvalidRequestContent",
            {**F, "ClientContext": "e"},
            "Client context must be a valid Base64-encoded JSON object.",
        ),
        Row("TooManyRequests", {"FunctionName": "idle"}, "Rate Exceeded."),
    ),
    "InvokeAsync": (
        rnf({**NONE, "InvokeArgs": b"{}"}, f"{NO_FUNCTION}:$LATEST"),
        conflict({"FunctionName": "broken", "InvokeArgs": b"{}"}, FAILED),
        Row("InvalidRequestContent", {**F, "InvokeArgs": b"{oops"}, NOT_JSON),
    ),
    "ListAliases": (ipv({**F, **MARKER}, NO_MARKER), rnf(NONE, NO_FUNCTION)),
    "ListFunctionEventInvokeConfigs": (
        ipv({**F, **MARKER}, NO_MARKER),
        rnf(NONE, "The function doesn't exist."),
    ),
    "ListFunctions": (ipv(MARKER, NO_MARKER),),
    "ListVersionsByFunction": (
        ipv({**F, **MARKER}, NO_MARKER),
        ipv(QUALIFIED, LATEST_ONLY),
        rnf(NONE, NO_FUNCTION),
    ),
    "PublishVersion": (
        ipv({**F, "CodeSha256": "x"}, "CodeSHA256 (x) is different from current CodeSHA256 in …"),
        conflict({"FunctionName": "broken"}, FAILED),
        rnf(NONE, NO_FUNCTION),
        stale(F, "GetFunction/GetAlias"),
    ),
    "PutFunctionConcurrency": (
        ipv(
            {**F, "ReservedConcurrentExecutions": 901},
            "Specified ReservedConcurrentExecutions for function decreases account's "
            "UnreservedConcurrentExecution below its minimum value of [100].",
        ),
        rnf({**NONE, "ReservedConcurrentExecutions": 1}, NO_FUNCTION),
    ),
    "PutFunctionEventInvokeConfig": (
        ipv(F, NO_SETTING),
        ipv({**F, **DESTINATION}, NOT_ITSELF),
        rnf({**NONE, "MaximumRetryAttempts": 0}, "The function doesn't exist."),
    ),
    "PutFunctionRecursionConfig": (rnf({**NONE, "RecursiveLoop": "Allow"}, NO_FUNCTION),),
    "PutRuntimeManagementConfig": (
        ipv({**F, "UpdateRuntimeOn": "Manual"}, "RuntimeVersionArn: the mode Manual needs it."),
        rnf({**NONE, "UpdateRuntimeOn": "Auto"}, NO_FUNCTION),
    ),
    "UpdateAlias": (
        ipv({**F, "Name": "prod", **TWICE}, ROUTED_TWICE),
        rnf({**F, "Name": "none"}, f"Alias not found: {ARN}:none"),
        stale({**F, "Name": "prod"}, "GetFunction/GetAlias"),
    ),
    "UpdateFunctionCode": (
        ipv(F, "Please provide a source for function code."),
        ipv({**F, "ZipFile": b"no zip"}, "Could not unzip uploaded file. Please check your …"),
        conflict({"FunctionName": "broken", "ZipFile": ZIP}, FAILED),
        rnf({**NONE, "ZipFile": ZIP}, NO_FUNCTION),
        Row(
            "CodeVerificationFailed",
            {"FunctionName": "strict", "ZipFile": ZIP},
            f"{UNSIGNED}strict.",
        ),
        stale({**F, "ZipFile": ZIP}, "GetFunction/GetAlias"),
    ),
    "UpdateFunctionConfiguration": (
        ipv({**QUALIFIED, "Timeout": 4}, LATEST_ONLY),
        conflict({"FunctionName": "broken", "Timeout": 4}, FAILED),
        rnf({**NONE, "Timeout": 4}, NO_FUNCTION),
        Row(
            "CodeVerificationFailed",
            {"FunctionName": "strict", "Layers": [f"{LAMBDA}layer:errors:1"]},
            f"{UNSIGNED}strict.",
        ),
        stale({**F, "Timeout": 4}, "GetFunction/GetAlias"),
    ),
    "UpdateFunctionEventInvokeConfig": (
        ipv(F, NO_SETTING),
        rnf({**F, "MaximumRetryAttempts": 0}, NOT_CONFIGURED),
    ),
}
