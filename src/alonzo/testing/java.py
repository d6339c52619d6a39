"""Compiles Java functions for tests, where the host has a compiler."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from alonzo.runtimes.interpreters import BOOTSTRAPS, SearchPlaces
from alonzo.runtimes.jvms import Jvms

_COMPILE_S_MAX = 50.0


@functools.cache
def oldest_compiler() -> Path | None:
    """The ``javac`` whose classes most Javas of this host run; None: there is no compiler."""
    path = tuple(map(Path, os.environ["PATH"].split(":")))
    jvms = sorted(Jvms(SearchPlaces(path=path, home=Path.home())).all(), key=lambda jvm: jvm.major)
    compilers = (jvm.interpreter.prefix / "bin/javac" for jvm in jvms)
    return next((each for each in compilers if each.exists()), None)


def compile_into(folder: Path, sources: Iterable[Path]) -> Path:
    """Put the classes of ``sources``, for Java 8 and later, into ``folder``, which is answered."""
    compiler = oldest_compiler()
    assert compiler is not None, "there is no Java compiler"
    client = BOOTSTRAPS / "java/client.jar"
    options = ("-Xlint:-options", "--release", "8", "-cp", client, "-d", folder)
    subprocess.run((compiler, *options, *sources), check=True, timeout=_COMPILE_S_MAX)
    return folder
