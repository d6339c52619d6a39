"""Reading and writing the files of a cgroup."""

from __future__ import annotations

import os
from pathlib import Path


def counter(text: str, name: str) -> int:
    """The number beside ``name`` in a file of names and numbers; 0 if there is none."""
    return next((int(n) for k, n in map(str.split, text.splitlines()) if k == name), 0)


def write(folder: Path, file: str, value: str) -> None:
    """Write one file. A name marked ``?`` may be missing: a kernel without swap has no swap limit.

    Raises:
        OSError: the kernel refuses.
    """
    optional, file = file.startswith("?"), file.removeprefix("?")
    try:
        descriptor = os.open(folder / file, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if optional:
            return
        raise
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
