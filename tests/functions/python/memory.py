"""Touches ``mib`` mebibytes, one after the other, and keeps them."""

kept = []


def handler(event, context):
    for _ in range(event["mib"]):
        kept.append(b"x" * (1 << 20))
    return {"kept_mib": len(kept)}
