"""Libraries that the host's Pythons have, packaged with a function as a user would package them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from alonzo.cli.bench.functions import PYTHON_SOURCE, Function

#: Runtimes that may have SnapStart, the best first. Source: Lambda developer guide, SnapStart.
SNAP_START_RUNTIMES = ("python3.14", "python3.13", "python3.12")

#: What a library needs beside itself, if it is there.
COMPANIONS = {
    "numpy": ("numpy.libs",),
    "pandas": ("pandas.libs", "dateutil", "pytz", "tzdata", "six.py"),
}

#: Left out of packages: nobody ships them, and AWS admits 50 MB.
LEFT_OUT = re.compile(r"(^|/)(tests|include|f2py)/|\.pyi$|\.c$|\.opt-\d\.pyc$")

#: In a compiled file's head, after four bytes that name the interpreter: valid whatever the
#: source's time, which no zip keeps. Source: PEP 552.
UNCHECKED = (1).to_bytes(4, "little")

LOOK_S_MAX = 20.0
LOOK = """\
import importlib.util, json, os, sys
found = [importlib.util.find_spec(name) for name in sys.argv[1:]]
folders = [os.path.dirname(os.path.dirname(spec.origin)) for spec in found if spec and spec.origin]
print(json.dumps([sys.version_info[1], folders]))
"""


def packaged(names: Sequence[str]) -> Function | None:
    """A function that imports them, for the first Python on PATH that has them all.

    One that may have SnapStart is preferred. None if there is none. Compiled files are part of
    the package, if the host has them.
    """
    pythons = [shutil.which(name) for name in SNAP_START_RUNTIMES]
    for python in [found for found in pythons if found] + [sys.executable]:
        located = locate(python, names)
        if located is not None:
            minor, folders = located
            source = f"import {', '.join(names)}\n" + PYTHON_SOURCE
            files = {"index.py": source.encode()}
            for name, folder in zip(names, folders, strict=True):
                files |= dict(collect(Path(folder), (name, *COMPANIONS.get(name, ()))))
            return Function((f"python3.{minor}",), files)
    return None


def locate(python: str, names: Sequence[str]) -> tuple[int, list[str]] | None:
    """The interpreter's minor version and where it has each; None if it lacks one."""
    try:
        done = subprocess.run(
            [python, "-c", LOOK, *names], capture_output=True, timeout=LOOK_S_MAX, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    minor, folders = json.loads(done.stdout)
    return (minor, folders) if len(folders) == len(names) else None


def collect(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """What a package has of those files and folders, by name in the package."""
    for name in names:
        top = folder / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            inside = path.relative_to(folder).as_posix()
            if path.is_file() and not LEFT_OUT.search(inside):
                content = path.read_bytes()
                if path.suffix == ".pyc":
                    content = content[:4] + UNCHECKED + content[8:]
                yield inside, content
