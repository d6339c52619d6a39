def handler(event, context):
    yield f"Hello, {event['name']}. "
    if "fail" in event:
        raise ValueError(event["fail"])
    yield context.aws_request_id.encode()
