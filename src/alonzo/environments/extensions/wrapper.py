"""Wrapper scripts: a program of the function's own that starts the runtime."""

from __future__ import annotations

from collections.abc import Mapping

#: The variable that names the script.
VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"

#: What every managed runtime has, and no other.
_MANAGED = "AWS_EXECUTION_ENV"

#: A shell replaces itself by the script, as AWS's own bootstrap does. A script that is missing is
#: then exit status 127, one that may not be executed 126, and the log says which.
_LAUNCHER = ("/bin/sh", "-c", f'exec "${VARIABLE}" "$@"', "bootstrap")


def wrapped(argv: tuple[str, ...], variables: Mapping[str, str]) -> tuple[str, ...]:
    """The command line of a runtime with those variables, behind its wrapper script if it has one.

    Runtimes of the ``provided`` family have a bootstrap of their own, and take no wrapper.
    Source: Lambda developer guide, wrapper scripts.
    """
    if variables.get(VARIABLE) and _MANAGED in variables:
        return (*_LAUNCHER, *argv)
    return argv
