"""The world of the rows, and the requests and texts that several of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from alonzo.testing.functions import PYTHON_RUNTIME, package

REGION = "eu-north-1"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/test"
ZIP = package("def handler(event, context): return event")
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}:"
ARN = f"{LAMBDA}function:errors"
NONE_ARN = f"{LAMBDA}function:none"
FOREIGN = "arn:aws:lambda:eu-west-3:000000000000:"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
NO_CONFIG = f"{LAMBDA}code-signing-config:csc-{'z' * 17}"
NO_UUID = "00000000-0000-4000-8000-000000000000"
REVISION = "00000000-0000-4000-8000-00000000000a"

F: Mapping[str, Any] = {"FunctionName": "errors"}
NONE = {"FunctionName": "none"}
LAYER: Mapping[str, Any] = {"LayerName": "errors", "VersionNumber": 1}
NO_LAYER = {"LayerName": "none", "VersionNumber": 1}
LAYER_0 = {"LayerName": "errors", "VersionNumber": 0}
TWO_QUALIFIERS = {"FunctionName": "errors:1", "Qualifier": "2"}
QUALIFIED = {"FunctionName": "errors:1"}
MARKER = {"Marker": "made up"}
STALE = {"RevisionId": REVISION}
TAGS = {str(number): "" for number in range(51)}


class Row(NamedTuple):
    """A request, and what is answered to it. ``error`` is without ``Exception`` at its end."""

    error: str
    params: Mapping[str, Any]
    text: str


def ipv(params: Mapping[str, Any], text: str) -> Row:
    """A row of an InvalidParameterValueException."""
    return Row("InvalidParameterValue", params, text)


def rnf(params: Mapping[str, Any], text: str) -> Row:
    """A row of a ResourceNotFoundException."""
    return Row("ResourceNotFound", params, text)


def conflict(params: Mapping[str, Any], text: str) -> Row:
    """A row of a ResourceConflictException."""
    return Row("ResourceConflict", params, text)


def stale(params: Mapping[str, Any], api: str) -> Row:
    """A row of a PreconditionFailedException; ``api`` is the call that shows the revision."""
    return Row(
        "PreconditionFailed",
        {**params, **STALE},
        f"The Revision Id provided does not match the latest Revision Id. Call the {api} API to "
        "retrieve the latest Revision Id",
    )


NOT_THERE = "The resource you requested does not exist."
NO_FUNCTION = f"Function not found: {NONE_ARN}"
NO_POLICY = "No policy is associated with the given resource."
NO_STATEMENT = "Statement t is not found in resource policy."
STATEMENT_EXISTS = (
    "The statement id (s) provided already exists. Please provide a new statement id, or remove "
    "the existing statement."
)
TWO = "The derived qualifier from the function name does not match the specified qualifier."
AS_A_WHOLE = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support "
    "this operation. Please specify either a function name or an unqualified function ARN."
)
LATEST_ONLY = "Current operation does not support versions other than $LATEST"
NUMBER = "Layer Version Cannot be less than 1"
NO_MARKER = "Marker: this is not a marker that a previous page returned."
UNTAGGABLE = (
    "Tags on function aliases and versions are not supported. Please specify a function ARN."
)
FAILED = (
    "The operation cannot be performed at this time. The function is currently in the following "
    "state: Failed"
)
ROUTED_TWICE = (
    "Invalid function version 1. Function version 1 is already included in routing configuration."
)
MISSING_CONFIG = f"The Lambda code signing configuration {NO_CONFIG} can not be found."
MISSING_CONFIG_OF_FUNCTION = (
    "The code signing configuration cannot be found. Check that the provided configuration is not "
    f"deleted: {NO_CONFIG}."
)
UNSIGNED = (
    "Lambda cannot deploy the function. The function or layer might be signed using a signature "
    "that the client is not configured to accept. Check the provided signature for "
)
NO_SETTING = "You must specify at least one of error handling or destination setting."
TOO_MANY_TAGS = "Number of tags exceeds resource tag limit."
LAYERS_ELSEWHERE = f"Layers from 'eu-west-3' are not reachable in this region ('{REGION}')"
FUNCTIONS_ELSEWHERE = f"Functions from 'eu-west-3' are not reachable in this region ('{REGION}')"

OF_FUNCTION = (ipv(QUALIFIED, AS_A_WHOLE), rnf(NONE, NO_FUNCTION))
OF_ANY_VERSION = (ipv(TWO_QUALIFIERS, TWO), rnf(NONE, NO_FUNCTION))
NEW: Mapping[str, Any] = {
    "FunctionName": "new",
    "Runtime": PYTHON_RUNTIME,
    "Role": ROLE,
    "Handler": "handler.handler",
    "Code": {"ZipFile": ZIP},
}
PERMISSION: Mapping[str, Any] = {
    "StatementId": "t",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
}
LAYER_PERMISSION: Mapping[str, Any] = {
    **LAYER,
    "StatementId": "t",
    "Action": "lambda:GetLayerVersion",
    "Principal": "*",
}
ALIAS: Mapping[str, Any] = {"Name": "new", "FunctionVersion": "1"}
TWICE = {"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}}
STATEMENT = (
    '{"Statement":{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction",'
    f'"Resource":"{ARN}"}}}}'
)
NOT_CONFIGURED = f"The function {ARN}:$LATEST doesn't have an EventInvokeConfig"
NOT_JSON = "Could not parse request body into json: Could not parse payload into json: …"
DESTINATION = {"DestinationConfig": {"OnFailure": {"Destination": ARN}}}
NOT_ITSELF = "You can't specify the function as a destination for itself."
