"""The zygote of the scenarios: runs in each fork the Python code that its environment brings."""

import json
import os
import sys


def preload():
    for name in ("ctypes", "socket"):  # what the scenarios' code imports
        __import__(name)


def main():
    sys.argv, code = json.loads(os.environ.pop("FORKED"))
    exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
