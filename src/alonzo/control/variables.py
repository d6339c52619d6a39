"""Which environment variables a function may have."""

from __future__ import annotations

import json
from collections.abc import Mapping

from alonzo.model import limits
from alonzo.model.errors import invalid_parameter

#: Variables that the platform sets itself. Source: Lambda developer guide, environment variables.
RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)

_ENVIRONMENT_REFUSED = (
    "Lambda was unable to configure your environment variables because the environment variables "
    "you have provided "
)


def check_environment(variables: Mapping[str, str]) -> None:
    """Refuse reserved names, and more than 4 KB, measured on the compact JSON text.

    Raises:
        AwsError: InvalidParameterValueException.
    """
    reserved = [name for name in variables if name in RESERVED_VARIABLES]
    if reserved:
        raise invalid_parameter(
            f"{_ENVIRONMENT_REFUSED}contains reserved keys that are currently not supported for "
            f"modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    text = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(text.encode("utf-8", "surrogatepass")) > limits.ENVIRONMENT_BYTES_MAX:
        raise invalid_parameter(
            f"{_ENVIRONMENT_REFUSED}exceeded the 4KB limit. String measured: {text}"
        )
