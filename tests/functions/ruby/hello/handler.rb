def handler(event:, context:)
  { message: "Hello, #{event['name']}", request: context.aws_request_id }
end
