class OutOfStock(Exception):
    pass


def handler(event, context):
    raise OutOfStock(event["message"])
