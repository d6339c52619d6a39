"""Tries, in a process of its own, what a sandbox needs; prints what failed as JSON.

Standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys as interpreter

from alonzo.sandbox.backends.namespaces import seccomp, spawner
from alonzo.sandbox.backends.namespaces.inside import syscalls as sys

_NAMESPACES = {
    "mount namespace": sys.CLONE_NEWNS,
    "pid namespace": sys.CLONE_NEWPID,
    "ipc namespace": sys.CLONE_NEWIPC,
    "uts namespace": sys.CLONE_NEWUTS,
    "network namespace": sys.CLONE_NEWNET,
}


def main(rootless: bool) -> None:
    """Try each layer once."""
    failures: dict[str, str] = {}
    if rootless:
        try:
            spawner.enter_user_namespace()
        except OSError as err:
            failures["user namespace"] = _why(err)
    for name, flag in _NAMESPACES.items():
        try:
            sys.unshare(flag)
        except OSError as err:
            failures[name] = _why(err)
    try:
        sys.set_no_new_privileges()
    except OSError as err:
        failures["no_new_privs"] = _why(err)
    try:
        sys.install_filter(seccomp.build(platform.machine()))
        os.chroot("/")
        failures["seccomp"] = "the filter let a forbidden call through"
    except OSError as err:
        if err.errno != errno.EPERM:
            failures["seccomp"] = _why(err)
    json.dump(failures, interpreter.stdout)


def _why(err: OSError) -> str:
    return f"{err.filename or 'it'}: {err.strerror}"
