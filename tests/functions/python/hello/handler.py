def handler(event, context):
    return {"message": "Hello, %s" % event["name"], "request": context.aws_request_id}
