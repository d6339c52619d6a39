"""Returns the environment variables, and what the interpreter makes of its place."""

import os
import subprocess
import sys
import time


def handler(event, context):
    return {
        "variables": dict(os.environ),
        "path": sys.path,
        "prefix": sys.prefix,
        "executable": sys.executable,
        "argv": sys.argv,
        "command": getattr(sys, "orig_argv", None),
        "main": __import__("__main__").__file__,
        "flags": str(sys.flags),
        "encodings": [
            (stream.encoding, stream.errors, stream.line_buffering)
            for stream in (sys.stdout, sys.stderr)
        ],
        "time zone": time.tzname,
        "inherited": subprocess.run(["env"], stdout=subprocess.PIPE).stdout.decode(),
        "cwd": os.getcwd(),
        "version": "%d.%d" % sys.version_info[:2],
        "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd")),
    }
