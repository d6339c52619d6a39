"""Errors of layers, policies, tags, code signing and event source mappings."""

from __future__ import annotations

from collections.abc import Mapping

from alonzo.testing.lambda_errors.rows import (
    ARN,
    AS_A_WHOLE,
    FOREIGN,
    FUNCTIONS_ELSEWHERE,
    LAMBDA,
    LAYER,
    LAYER_0,
    LAYER_PERMISSION,
    LAYERS_ELSEWHERE,
    MARKER,
    MISSING_CONFIG,
    MISSING_CONFIG_OF_FUNCTION,
    NO_CONFIG,
    NO_FUNCTION,
    NO_LAYER,
    NO_MARKER,
    NO_POLICY,
    NO_STATEMENT,
    NO_UUID,
    NONE,
    NONE_ARN,
    NOT_THERE,
    NUMBER,
    OF_FUNCTION,
    PERMISSION,
    QUALIFIED,
    QUEUE,
    STATEMENT,
    STATEMENT_EXISTS,
    TAGS,
    TOO_MANY_TAGS,
    TWO,
    TWO_QUALIFIERS,
    UNTAGGABLE,
    ZIP,
    F,
    Row,
    conflict,
    ipv,
    rnf,
    stale,
)

ERRORS: Mapping[str, tuple[Row, ...]] = {
    "AddLayerVersionPermission": (
        ipv({**LAYER_PERMISSION, **LAYER_0}, NUMBER),
        conflict({**LAYER_PERMISSION, "StatementId": "s"}, STATEMENT_EXISTS),
        rnf(
            {**LAYER_PERMISSION, **NO_LAYER}, f"Layer version {LAMBDA}layer:none:1 does not exist."
        ),
        stale(LAYER_PERMISSION, "GetLayerPolicy"),
    ),
    "AddPermission": (
        ipv(
            {**F, **PERMISSION, "Principal": "nobody"},
            "The provided principal was invalid. Please check the principal and try again.",
        ),
        ipv(
            {**F, **PERMISSION, "Qualifier": "$LATEST"},
            "We currently do not support adding policies for $LATEST.",
        ),
        conflict({**F, **PERMISSION, "StatementId": "s"}, STATEMENT_EXISTS),
        rnf({**NONE, **PERMISSION}, NO_FUNCTION),
        rnf({**F, **PERMISSION, "Qualifier": "none"}, f"Cannot find alias arn: {ARN}:none"),
        stale({**F, **PERMISSION}, "GetPolicy"),
    ),
    "CreateCodeSigningConfig": (
        ipv(
            {"AllowedPublishers": {"SigningProfileVersionArns": ["arn:aws:signer:::p"]}}
            | {"Tags": TAGS},
            TOO_MANY_TAGS,
        ),
    ),
    "CreateEventSourceMapping": (
        ipv({**NONE, "EventSourceArn": QUEUE}, "Function does not exist"),
        conflict(
            {**F, "EventSourceArn": QUEUE},
            f'An event source mapping with SQS arn (" {QUEUE} ") and function (" errors ") already '
            "exists. Please update or delete the existing mapping with UUID @uuid@",
        ),
        rnf(
            {"FunctionName": f"{FOREIGN}function:errors", "EventSourceArn": QUEUE},
            FUNCTIONS_ELSEWHERE,
        ),
    ),
    "DeleteCodeSigningConfig": (
        conflict(
            {"CodeSigningConfigArn": "@enforce@"},
            "The code signing configuration is in use by a function: @enforce@.",
        ),
        rnf({"CodeSigningConfigArn": NO_CONFIG}, MISSING_CONFIG),
    ),
    "DeleteEventSourceMapping": (rnf({"UUID": NO_UUID}, NOT_THERE),),
    "DeleteFunctionCodeSigningConfig": OF_FUNCTION,
    "DeleteLayerVersion": (
        ipv(LAYER_0, NUMBER),
        rnf({"LayerName": f"{FOREIGN}layer:errors", "VersionNumber": 1}, LAYERS_ELSEWHERE),
    ),
    "DeleteResourcePolicy": (
        rnf({"ResourceArn": NONE_ARN}, NO_FUNCTION),
        rnf({"ResourceArn": f"{LAMBDA}function:other"}, NO_POLICY),
        stale({"ResourceArn": ARN}, "GetResourcePolicy"),
    ),
    "GetCodeSigningConfig": (rnf({"CodeSigningConfigArn": NO_CONFIG}, MISSING_CONFIG),),
    "GetEventSourceMapping": (rnf({"UUID": NO_UUID}, NOT_THERE),),
    "GetFunctionCodeSigningConfig": OF_FUNCTION,
    "GetLayerVersion": (ipv(LAYER_0, NUMBER), rnf(NO_LAYER, NOT_THERE)),
    "GetLayerVersionByArn": (rnf({"Arn": f"{LAMBDA}layer:errors:9"}, NOT_THERE),),
    "GetLayerVersionPolicy": (
        ipv(LAYER_0, NUMBER),
        rnf({"LayerName": "bare", "VersionNumber": 1}, NO_POLICY),
    ),
    "GetPolicy": (
        ipv(TWO_QUALIFIERS, TWO),
        rnf({"FunctionName": "other"}, NOT_THERE),
        rnf(NONE, NO_FUNCTION),
    ),
    "GetResourcePolicy": (
        rnf({"ResourceArn": f"{LAMBDA}function:other"}, NOT_THERE),
        rnf({"ResourceArn": NONE_ARN}, NO_FUNCTION),
    ),
    "ListCodeSigningConfigs": (ipv(MARKER, NO_MARKER),),
    "ListEventSourceMappings": (
        ipv(MARKER, NO_MARKER),
        rnf({"FunctionName": f"{FOREIGN}function:errors"}, FUNCTIONS_ELSEWHERE),
    ),
    "ListFunctionsByCodeSigningConfig": (
        ipv({"CodeSigningConfigArn": "@enforce@", **MARKER}, NO_MARKER),
        rnf({"CodeSigningConfigArn": NO_CONFIG}, MISSING_CONFIG),
    ),
    "ListLayerVersions": (
        ipv({"LayerName": "errors", **MARKER}, NO_MARKER),
        rnf({"LayerName": f"{FOREIGN}layer:errors"}, LAYERS_ELSEWHERE),
    ),
    "ListLayers": (ipv(MARKER, NO_MARKER),),
    "ListTags": (
        ipv({"Resource": f"{ARN}:1"}, UNTAGGABLE),
        rnf({"Resource": NONE_ARN}, NO_FUNCTION),
        rnf(
            {"Resource": f"{LAMBDA}event-source-mapping:{NO_UUID}"},
            f"Event source mapping not found: {LAMBDA}event-source-mapping:{NO_UUID}",
        ),
    ),
    "PublishLayerVersion": (
        ipv({"LayerName": "new", "Content": {}}, "Please provide a source for layer content."),
        rnf(
            {"LayerName": f"{FOREIGN}layer:errors", "Content": {"ZipFile": ZIP}},
            LAYERS_ELSEWHERE,
        ),
    ),
    "PutFunctionCodeSigningConfig": (
        ipv({**QUALIFIED, "CodeSigningConfigArn": "@enforce@"}, AS_A_WHOLE),
        rnf({**NONE, "CodeSigningConfigArn": "@enforce@"}, NO_FUNCTION),
        Row(
            "CodeSigningConfigNotFound",
            {**F, "CodeSigningConfigArn": NO_CONFIG},
            MISSING_CONFIG_OF_FUNCTION,
        ),
    ),
    "PutResourcePolicy": (
        ipv(
            {"ResourceArn": ARN, "Policy": "{}"},
            "The policy is not valid: Statement must hold JSON objects.",
        ),
        rnf({"ResourceArn": NONE_ARN, "Policy": STATEMENT}, NO_FUNCTION),
        stale({"ResourceArn": ARN, "Policy": STATEMENT}, "GetResourcePolicy"),
    ),
    "RemoveLayerVersionPermission": (
        ipv({**LAYER_0, "StatementId": "s"}, NUMBER),
        rnf({**LAYER, "StatementId": "t"}, NO_STATEMENT),
        rnf({"LayerName": "bare", "VersionNumber": 1, "StatementId": "s"}, NO_POLICY),
        stale({**LAYER, "StatementId": "s"}, "GetLayerPolicy"),
    ),
    "RemovePermission": (
        ipv({**TWO_QUALIFIERS, "StatementId": "s"}, TWO),
        rnf({**F, "StatementId": "t"}, NO_STATEMENT),
        rnf({"FunctionName": "other", "StatementId": "s"}, NO_POLICY),
        rnf({**NONE, "StatementId": "s"}, f"No policy found for: {NONE_ARN}"),
        stale({**F, "StatementId": "s"}, "GetPolicy"),
    ),
    "TagResource": (
        ipv({"Resource": f"{ARN}:1", "Tags": {"a": "b"}}, UNTAGGABLE),
        ipv({"Resource": ARN, "Tags": TAGS}, TOO_MANY_TAGS),
        ipv(
            {"Resource": ARN, "Tags": {}},
            "An error occurred and the request cannot be processed.",
        ),
        rnf({"Resource": NONE_ARN, "Tags": {"a": "b"}}, NO_FUNCTION),
    ),
    "UntagResource": (
        ipv({"Resource": f"{ARN}:1", "TagKeys": ["a"]}, UNTAGGABLE),
        rnf({"Resource": NONE_ARN, "TagKeys": ["a"]}, NO_FUNCTION),
    ),
    "UpdateCodeSigningConfig": (rnf({"CodeSigningConfigArn": NO_CONFIG}, MISSING_CONFIG),),
    "UpdateEventSourceMapping": (
        ipv({"UUID": "@uuid@", **NONE}, "Function does not exist"),
        rnf({"UUID": NO_UUID}, NOT_THERE),
    ),
}
