# Returns what the context holds.
def handler(event:, context:)
  names = %w[aws_request_id invoked_function_arn log_group_name log_stream_name function_name
             memory_limit_in_mb function_version identity client_context tenant_id]
  found = names.to_h { |name| [name, context.public_send(name)] }
  found['remaining_ms'] = context.get_remaining_time_in_millis
  found['deadline_ms'] = context.deadline_ms
  found['trace'] = ENV['_X_AMZN_TRACE_ID']
  found
end
