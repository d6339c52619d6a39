"""The functions that are measured, one for each way of starting. All answer with their event."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PYTHON_SOURCE = """\
import time

calls = 0

def handler(event, context):
    global calls
    calls += 1
    if "calls" in event:
        return {"calls": calls}
    if "sleep_s" in event:
        time.sleep(event["sleep_s"])
    return event
"""
NODEJS_SOURCE = "exports.handler = async (event) => event;\n"
RUBY_SOURCE = "def handler(event:, context:)\n  event\nend\n"
JAVA_SOURCE = """\
import java.util.Map;

public class Echo {
    public Map<String, Object> handler(Map<String, Object> event) {
        return event;
    }
}
"""

#: Newest first: the first that this host has is measured.
NODEJS = ("nodejs24.x", "nodejs22.x", "nodejs20.x", "nodejs18.x")
RUBY = ("ruby4.0", "ruby3.4", "ruby3.3", "ruby3.2")
JAVA = ("java25", "java21", "java17", "java11")

#: Reads a variable only when it starts, so that such a function is executed, not forked.
PYTHON_START_VARIABLES = {"PYTHONOPTIMIZE": "1"}
NODEJS_START_VARIABLES = {"NODE_OPTIONS": "--no-warnings"}
JAVA_START_VARIABLES = {"TZ": ":UTC"}


#: Buys one whole processor: with less, what is measured is the limit that the function asked for.
MEMORY_MIB = 1769


@dataclass(frozen=True, slots=True)
class Function:
    """What to create. ``runtimes`` are alternatives, the best first."""

    runtimes: tuple[str, ...]
    files: Mapping[str, bytes]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    memory_mib: int = MEMORY_MIB

    def package(self, mark: str) -> bytes:
        """Its deployment package; ``mark`` makes it one of its own."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in self.files.items():
                archive.writestr(name, content)
            archive.writestr("mark", mark)
        return buffer.getvalue()

    @property
    def handler(self) -> str:
        """Its name, as its runtime wants it."""
        return "Echo::handler" if "Echo.class" in self.files else "index.handler"


def python(*, variables: Mapping[str, str] | None = None, imports: str = "") -> Function:
    """In the Python that runs this, which the platform finds too."""
    source = (f"import {imports}\n" if imports else "") + PYTHON_SOURCE
    runtime = f"python3.{sys.version_info.minor}"
    return Function((runtime,), {"index.py": source.encode()}, variables or {})


def nodejs(*, variables: Mapping[str, str] | None = None) -> Function:
    """In the newest Node.js."""
    return Function(NODEJS, {"index.js": NODEJS_SOURCE.encode()}, variables or {})


def ruby() -> Function:
    """In the newest Ruby."""
    return Function(RUBY, {"index.rb": RUBY_SOURCE.encode()})


def java(*, variables: Mapping[str, str] | None = None) -> Function | None:
    """In the newest Java; None if there is no compiler for it."""
    compiler = shutil.which("javac")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory(prefix="alonzo-bench-") as folder:
        source = Path(folder, "Echo.java")
        source.write_text(JAVA_SOURCE)
        done = subprocess.run(
            [compiler, "--release", "11", "-d", folder, str(source)], capture_output=True
        )
        if done.returncode:
            return None
        compiled = Path(folder, "Echo.class").read_bytes()
    return Function(JAVA, {"Echo.class": compiled}, variables or {})
