"""A handler in a package."""


def handler(event, context):
    return {"module": __name__}
