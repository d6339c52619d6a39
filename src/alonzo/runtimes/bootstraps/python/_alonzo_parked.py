"""Runs the bootstrap in a process that learns only later what it is to run.

``preload()`` does what needs no function; ``main()`` waits for the ``CONFIG`` frame, and goes on as
a process would that had been executed with its variables. Between the two the process may fork.
"""

import builtins
import importlib
import json
import os
import sys
import time
import types

import bootstrap
from _alonzo_ahead import import_ahead

#: Ours, and the codec of host names, which has no name that a function could want.
OURS = (
    "_alonzo_errors", "_alonzo_logging", "_alonzo_plain", "_alonzo_streaming", "encodings.idna"
)  # fmt: skip

#: Where name resolution finds ``localhost`` without asking a server.
HOSTS = "/etc/hosts"

#: What the start of Python itself added to the variables (PEP 538).
_added = {}


def preload():
    """Import, and have the C library read its tables."""
    if "LC_CTYPE" in os.environ:
        _added["LC_CTYPE"] = os.environ["LC_CTYPE"]
    import_ahead()
    for name in OURS:
        importlib.import_module(name)
    # A function may have a module of that name.
    sys.modules.pop("bootstrap", None)
    sys.modules["_alonzo_logging"].prepare(sys.modules["logging"])
    _load_resolver()


def _load_resolver():
    import socket

    try:
        with open(HOSTS) as hosts:
            known = "localhost" in hosts.read().split()
        if known:
            socket.getaddrinfo(b"localhost", 80)
    except OSError:
        pass  # The first function that resolves a name does it.


def main():
    """Wait for the function, then serve its calls until the daemon goes."""
    config = bootstrap.receive(bootstrap.CONFIG)
    if config is None:
        os._exit(0)
    _adopt(json.loads(str(config[1], "utf-8")))
    del config
    bootstrap.serve()


def _adopt(variables):
    """Leave no trace of another start than with these variables, in the function's folder."""
    # ``clear`` and ``update`` would touch the pages of what they are built on.
    for name in list(os.environ):
        del os.environ[name]
    for name, value in variables.items():
        os.environ[name] = value
    for name, value in _added.items():
        os.environ.setdefault(name, value)
    time.tzset()
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start.py")
    sys.path[:] = bootstrap.search_path(_library_path())
    for entry in [entry for entry in sys.path_importer_cache if not _is_library(entry)]:
        # What was looked at before the function's files were there.
        del sys.path_importer_cache[entry]
    _become(program)
    _restart_log_times()
    os.chdir(os.environ.get("LAMBDA_TASK_ROOT", "/var/task"))


def _library_path():
    return [entry for entry in sys.path if _is_library(entry)]


def _is_library(entry):
    return entry.startswith((sys.base_prefix + "/", sys.base_exec_prefix + "/"))


def _become(program):
    """Name ``program`` as what was executed: ``multiprocessing`` goes by that."""
    sys.argv[:] = [program]
    if hasattr(sys, "orig_argv"):  # Python 3.10
        sys.orig_argv[:] = [sys.executable, "-s", program]
    if getattr(sys.modules["__main__"], "__file__", None) != program:
        started = types.ModuleType("__main__")
        started.__dict__.update(__file__=program, __builtins__=builtins)
        sys.modules["__main__"] = started


def _restart_log_times():
    """Have ``relativeCreated`` of a log record count from now."""
    import logging

    logging._startTime = time.time_ns() if sys.version_info >= (3, 13) else time.time()
