"""Keeps a file in /tmp, reads one, tries to write one: ``keep``, ``read``, ``write``."""

import os


def handler(event, context):
    if "keep" in event:
        with open("/tmp/kept", "a") as kept:
            kept.write(event["keep"])
    answer = {"kept": open("/tmp/kept").read() if os.path.exists("/tmp/kept") else None}
    for key, mode in (("read", "r"), ("write", "a")):
        if key in event:
            try:
                with open(event[key], mode) as stream:
                    answer[key] = stream.read() if key == "read" else "done"
            except OSError as error:
                answer[key] = type(error).__name__
    return answer
