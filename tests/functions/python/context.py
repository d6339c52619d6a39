"""Returns what the context holds."""

import os

PLAIN = (
    "function_name function_version invoked_function_arn memory_limit_in_mb aws_request_id "
    "log_group_name log_stream_name tenant_id"
).split()


def handler(event, context):
    found = {name: getattr(context, name) for name in PLAIN}
    found["identity"] = [
        context.identity.cognito_identity_id,
        context.identity.cognito_identity_pool_id,
    ]
    sent = context.client_context
    found["client_context"] = sent and {
        "custom": sent.custom,
        "env": sent.env,
        "app_title": sent.client and sent.client.app_title,
    }
    found["w3c"] = context.w3c()
    found["remaining_ms"] = context.get_remaining_time_in_millis()
    found["trace"] = os.environ.get("_X_AMZN_TRACE_ID")
    found["repr"] = repr(context)
    return found
