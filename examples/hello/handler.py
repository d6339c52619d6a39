"""A first function. ``event`` is the JSON you invoke it with."""

COUNT = 0


def handler(event, context):
    global COUNT
    COUNT += 1
    print(f"hello, log: this environment has served {COUNT} invocation(s)")
    return {
        "message": f"Hello, {event.get('name', 'world')}!",
        "function": context.function_name,
        "invocations_of_this_environment": COUNT,
    }
