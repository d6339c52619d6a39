"""Writes to standard output and standard error: ``out`` and ``err`` line by line."""

import sys


def handler(event, context):
    for line in event.get("out", ()):
        print(line)
    for line in event.get("err", ()):
        print(line, file=sys.stderr)
    if "tail" in event:
        sys.stdout.write(event["tail"])
    return len(event.get("out", ())) + len(event.get("err", ()))
