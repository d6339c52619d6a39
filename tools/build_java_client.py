"""Compile the Java client: ``python tools/build_java_client.py``. Needs ``javac`` 9 to 25 on PATH.

The archive is part of the package, because a host that runs Java functions need not be able to
compile. It holds a digest of its sources, which a test compares; file times are fixed, so the same
compiler makes the same archive.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src/alonzo/runtimes/bootstraps/java"
#: The oldest Java that it runs on.
RELEASE = "8"

#: ``Add-Opens``: an inherited descriptor is opened by a private constructor of that package. The
#: option of the same name would keep Java from its archive of modules at every start.
MANIFEST = """Manifest-Version: 1.0\r
Main-Class: alonzo.runtime.Main\r
Add-Opens: java.base/java.io\r
Sources-SHA256: {digest}\r
\r
"""


def digest(source: Path) -> str:
    """Over the names and the contents of all source files."""
    seen = sha256()
    for file in sorted(source.rglob("*.java")):
        seen.update(f"{file.relative_to(source)}\0".encode() + file.read_bytes() + b"\0")
    return seen.hexdigest()


def main() -> int:
    source = FOLDER / "source"
    with tempfile.TemporaryDirectory() as classes:
        files = sorted(map(str, source.rglob("*.java")))
        options = ("-g:source,lines", "-Xlint:-options", "--release", RELEASE, "-d", classes)
        subprocess.run(("javac", *options, *files), check=True)
        manifest = MANIFEST.format(digest=digest(source))
        with zipfile.ZipFile(FOLDER / "client.jar", "w") as archive:
            write(archive, "META-INF/MANIFEST.MF", manifest.encode())
            for file in sorted(Path(classes).rglob("*.class")):
                write(archive, str(file.relative_to(classes)), file.read_bytes())
    print(f"{FOLDER / 'client.jar'}: {(FOLDER / 'client.jar').stat().st_size} bytes")
    return 0


def write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # Not compressed: it is read at every cold start.
    archive.writestr(zipfile.ZipInfo(name), content)


if __name__ == "__main__":
    sys.exit(main())
