"""What CloudTrail calls things: sources, event names, which events are data, which only read.

Sources: Lambda developer guide, "Logging AWS Lambda API calls using AWS CloudTrail" (names with
versions, for what it does not list those of the console's own client); CloudTrail user guide,
"Logging data events"; the CloudTrail examples in the guides of KMS and STS (what only reads).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

#: Services whose ``eventSource`` is not their botocore name.
_SOURCES: Mapping[str, str] = {
    "cloudwatch": "monitoring",
    "dynamodbstreams": "dynamodb",
    "stepfunctions": "states",
    "apigatewayv2": "apigateway",
    "cognito-idp": "cognito-idp",
}

#: Lambda's operations whose event names carry a version.
_LAMBDA_NAMES: Mapping[str, str] = {
    **{
        name: f"{name}20150331"
        for name in (
            "CreateAlias",
            "CreateEventSourceMapping",
            "CreateFunction",
            "DeleteAlias",
            "DeleteEventSourceMapping",
            "DeleteFunction",
            "GetAlias",
            "GetEventSourceMapping",
            "ListAliases",
            "ListEventSourceMappings",
            "ListFunctions",
            "ListVersionsByFunction",
            "PublishVersion",
            "UpdateAlias",
            "UpdateEventSourceMapping",
        )
    },
    **{
        name: f"{name}20150331v2"
        for name in (
            "AddPermission",
            "GetFunction",
            "GetFunctionConfiguration",
            "GetPolicy",
            "RemovePermission",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
        )
    },
    **{
        name: f"{name}20181031"
        for name in (
            "AddLayerVersionPermission",
            "DeleteLayerVersion",
            "GetLayerVersion",
            "GetLayerVersionByArn",
            "GetLayerVersionPolicy",
            "ListLayers",
            "ListLayerVersions",
            "PublishLayerVersion",
            "RemoveLayerVersionPermission",
        )
    },
    "DeleteFunctionConcurrency": "DeleteFunctionConcurrency20171031",
    "GetAccountSettings": "GetAccountSettings20160819",
    "ListTags": "ListTags20170331",
    "PutFunctionConcurrency": "PutFunctionConcurrency20171031",
    "TagResource": "TagResource20170331v2",
    "UntagResource": "UntagResource20170331v2",
}

#: Operations on what resources hold, in place of the resources: CloudTrail's data events.
DATA_EVENTS: Mapping[str, frozenset[str]] = {
    "lambda": frozenset(
        {
            "CheckpointDurableExecution",
            "GetDurableExecutionState",
            "Invoke",
            "InvokeAsync",
            "InvokeWithResponseStream",
            "SendDurableExecutionCallbackFailure",
            "SendDurableExecutionCallbackHeartbeat",
            "SendDurableExecutionCallbackSuccess",
        }
    ),
    "sqs": frozenset(
        {
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        }
    ),
    "sns": frozenset({"Publish", "PublishBatch"}),
    "s3": frozenset(
        {
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjectTagging",
            "DeleteObjects",
            "GetObject",
            "GetObjectAcl",
            "GetObjectAttributes",
            "GetObjectLegalHold",
            "GetObjectRetention",
            "GetObjectTagging",
            "GetObjectTorrent",
            "HeadBucket",
            "HeadObject",
            "ListMultipartUploads",
            "ListObjectVersions",
            "ListObjects",
            "ListObjectsV2",
            "ListParts",
            "PutObject",
            "PutObjectAcl",
            "PutObjectLegalHold",
            "PutObjectRetention",
            "PutObjectTagging",
            "RestoreObject",
            "SelectObjectContent",
            "UpdateObjectEncryption",
            "UploadPart",
            "UploadPartCopy",
        }
    ),
    "dynamodb": frozenset(
        {
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "ExecuteTransaction",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        }
    ),
    "dynamodbstreams": frozenset({"GetRecords", "GetShardIterator"}),
    "kinesis": frozenset(
        {"GetRecords", "GetShardIterator", "PutRecord", "PutRecords", "SubscribeToShard"}
    ),
    "events": frozenset({"PutEvents", "PutPartnerEvents"}),
    "logs": frozenset(
        {"FilterLogEvents", "GetLogEvents", "GetLogRecord", "PutLogEvents", "StartLiveTail"}
    ),
    "cloudwatch": frozenset(
        {
            "GetMetricData",
            "GetMetricStatistics",
            "GetMetricWidgetImage",
            "ListMetrics",
            "PutMetricData",
        }
    ),
}

_READS = (
    "BatchGet",
    "Check",
    "Describe",
    "Download",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Query",
    "Receive",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Test",
    "TransactGet",
    "Validate",
)

#: Reads by what CloudTrail says of them, not by their names.
_NAMED_READS: Mapping[str, frozenset[str]] = {
    "kms": frozenset(
        {
            "Decrypt",
            "DeriveSharedSecret",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateMac",
            "GenerateRandom",
            "ReEncrypt",
            "Sign",
            "Verify",
            "VerifyMac",
        }
    ),
    "sts": frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}),
}

#: Reads whose answers CloudTrail keeps all the same: they give credentials out.
_ANSWERED_READS: Mapping[str, frozenset[str]] = {
    "sts": frozenset(
        {
            "AssumeRole",
            "AssumeRoleWithSAML",
            "AssumeRoleWithWebIdentity",
            "GetFederationToken",
            "GetSessionToken",
        }
    )
}

_NONE: frozenset[str] = frozenset()


def event_source(service: str) -> str:
    """``lambda.amazonaws.com`` and the like, by botocore's name of the service."""
    return f"{_SOURCES.get(service, service)}.amazonaws.com" if service else "unknown"


def event_name(service: str, operation: str) -> str:
    """The operation as records name it."""
    return _LAMBDA_NAMES.get(operation, operation) if service == "lambda" else operation


def is_data_event(service: str, operation: str) -> bool:
    """Whether the operation works on what a resource holds."""
    return operation in DATA_EVENTS.get(service, _NONE)


@lru_cache(maxsize=4096)
def is_read_only(service: str, operation: str) -> bool:
    """Whether the operation changes nothing."""
    return operation.startswith(_READS) or operation in _NAMED_READS.get(service, _NONE)


def keeps_answer(service: str, operation: str) -> bool:
    """Whether ``responseElements`` has the answer; those of reads are null."""
    return not is_read_only(service, operation) or operation in _ANSWERED_READS.get(service, _NONE)
