"""Sleeps for ``seconds`` and says how long the call may still take."""

import time


def handler(event, context):
    time.sleep(event["seconds"])
    return {"slept": event["seconds"], "remaining_ms": context.get_remaining_time_in_millis()}
