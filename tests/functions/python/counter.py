"""Counts its calls: 1 after a cold start. ``instance`` names the environment."""

import os
import time

count = 0
instance = "%d-%d" % (os.getpid(), time.time_ns())


def handler(event, context):
    global count
    count += 1
    time.sleep((event or {}).get("seconds", 0))
    return {"count": count, "instance": instance}
