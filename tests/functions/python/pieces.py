async def in_turn(event):
    for piece in event["pieces"]:
        yield piece
    if "fail" in event:
        raise ValueError(event["fail"])


def handler(event, context):
    if event["form"] == "async":
        return in_turn(event)
    if event["form"] == "map":
        return map(str, event["pieces"])
    return (piece for piece in event["pieces"])
