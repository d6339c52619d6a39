"""Compile the .NET client and the .NET functions of the tests.

``python tools/build_dotnet_client.py [REFERENCES]`` needs an SDK of any version. ``REFERENCES`` is
a folder of assemblies to compile against, by default those of the oldest .NET of this host: what
was compiled runs on that version and on all later ones, so take .NET 6 or an older one
(``shared/Microsoft.NETCore.App/6.…`` of an installation, or its reference pack).

The assemblies are kept beside their sources, because a host that runs .NET functions need not be
able to compile. A digest of the sources lies with them, which a test compares.

An installation's own assemblies are not those that programs are meant to name: compiled against
them, they would look into ``System.Private.CoreLib``, which belongs to one version. They are made
to look into ``netstandard``, which every version has, so they must use nothing that is not in
there.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from alonzo.runtimes.interpreters import newest_first
from alonzo.testing.dotnet import CORE, installed

ROOT = Path(__file__).parents[1]
CLIENT = ROOT / "src/alonzo/runtimes/bootstraps/dotnet"
FUNCTIONS = ROOT / "tests/functions/dotnet"
#: The file in a folder of assemblies that says what they were built from.
DIGEST = "sources.sha256"

OPTIONS = ("-noconfig", "-nostdlib", "-nologo", "-langversion:8", "-deterministic", "-optimize")

PRIVATE = b"System.Private.CoreLib"
PRIVATE_TOKEN = bytes.fromhex("7cec85d7bea7798e")
PUBLIC = b"netstandard"
PUBLIC_TOKEN = bytes.fromhex("cc7b13ffcd2ddd51")
PUBLIC_VERSION = (2, 1, 0, 0)
#: One row of the table of references, where both heaps are small: version, flags, token, name.
#: Source: ECMA-335, II.22.5.
REFERENCE = struct.Struct("<4HIHH")


@dataclass(frozen=True)
class Compiler:
    """The compiler of an SDK, and what it compiles against."""

    dotnet: Path
    csc: Path
    references: Path

    def compile(self, out: Path, *sources: Path, library: Path | None, program: bool) -> None:
        """Compile ``sources`` to ``out``; ``library`` is known to them, and not part of it."""
        given = [*sorted(self.references.glob("*.dll")), *([library] if library else [])]
        kind = "-target:exe" if program else "-target:library"
        # No path of this host in the assembly.
        places = ",".join(f"{source.parent}=/" for source in sources)
        options = (*OPTIONS, kind, f"-pathmap:{places}", *(f"-r:{path}" for path in given))
        command = (self.dotnet, "exec", self.csc, *options, f"-out:{out}", *sorted(sources))
        subprocess.run(command, check=True)
        out.write_bytes(on_public_names(out.read_bytes()))


def compiler() -> Compiler | None:
    """The newest compiler of this host; None: it has no SDK."""
    found = installed()
    for dotnet in found.values():
        for csc in newest_first((dotnet.root / "sdk").glob("*/Roslyn/bincore/csc.dll")):
            oldest = found[min(found)]
            packs = oldest.root / "packs/Microsoft.NETCore.App.Ref"
            shared = oldest.root / "shared/Microsoft.NETCore.App" / oldest.version
            references = [*newest_first(packs.glob(f"{oldest.major}.*/ref/*")), shared]
            return Compiler(dotnet.root / "dotnet", csc, references[0])
    return None


def on_public_names(assembly: bytes) -> bytes:
    """The assembly, with the private library's name taken for the public one."""
    if PRIVATE not in assembly:
        return assembly
    heaps = heaps_of(assembly)
    name, token = assembly.index(PRIVATE), assembly.index(PRIVATE_TOKEN)
    # A token is kept behind its length.
    row = (0, token - 1 - heaps["#Blob"], name - heaps["#Strings"])
    found = [at for at in range(len(assembly) - REFERENCE.size) if is_row(assembly, at, row)]
    assert len(found) == 1, "there is no such reference, or the heaps are too large"
    changed = bytearray(assembly)
    REFERENCE.pack_into(changed, found[0], *PUBLIC_VERSION, *row)
    changed[name : name + len(PRIVATE)] = PUBLIC.ljust(len(PRIVATE), b"\0")
    changed[token : token + len(PRIVATE_TOKEN)] = PUBLIC_TOKEN
    return bytes(changed)


def is_row(assembly: bytes, at: int, row: tuple[int, ...]) -> bool:
    fields = REFERENCE.unpack_from(assembly, at)
    return fields[4:] == row and fields[0] > 0 and fields[1] == 0


def heaps_of(assembly: bytes) -> dict[str, int]:
    """Where the heaps of an assembly's metadata begin. Source: ECMA-335, II.24.2."""
    root = assembly.index(b"BSJB")
    (version_bytes,) = struct.unpack_from("<I", assembly, root + 12)
    at = root + 16 + version_bytes
    (count,) = struct.unpack_from("<H", assembly, at + 2)
    heaps, at = {}, at + 4
    for _ in range(count):
        (offset,) = struct.unpack_from("<I", assembly, at)
        name = assembly[at + 8 : assembly.index(0, at + 8)]
        heaps[name.decode()] = root + offset
        at += 8 + (len(name) // 4 + 1) * 4
    return heaps


def digest(folder: Path) -> str:
    """Over the names and the contents of all source files below ``folder``."""
    seen = sha256()
    for file in sorted(folder.rglob("*.cs")):
        seen.update(f"{file.relative_to(folder)}\0".encode() + file.read_bytes() + b"\0")
    return f"{seen.hexdigest()}\n"


def build_client(using: Compiler) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{CORE}.dll"
        using.compile(library, *CLIENT.glob("source/core/*.cs"), library=None, program=False)
        sources = CLIENT.glob("source/*.cs")
        using.compile(CLIENT / "Alonzo.Runtime.dll", *sources, library=library, program=True)
    (CLIENT / DIGEST).write_text(digest(CLIENT))


def build_functions(using: Compiler) -> None:
    built = FUNCTIONS / "built"
    built.mkdir(exist_ok=True)
    library = built / f"{CORE}.dll"
    using.compile(library, *FUNCTIONS.glob("core/*.cs"), library=None, program=False)
    for folder in sorted(FUNCTIONS.iterdir()):
        sources = list(folder.glob("*.cs"))
        if not sources or folder.name in ("core", "shared"):
            continue
        program = folder.name == "program"
        shared = () if program else FUNCTIONS.glob("shared/*.cs")
        out = built / f"{folder.name.capitalize()}.dll"
        using.compile(out, *sources, *shared, library=library, program=program)
    (built / DIGEST).write_text(digest(FUNCTIONS))


def main() -> int:
    using = compiler()
    if using is None:
        print("there is no .NET SDK on this host", file=sys.stderr)
        return 1
    if len(sys.argv) > 1:
        using = Compiler(using.dotnet, using.csc, Path(sys.argv[1]))
    build_client(using)
    build_functions(using)
    return 0


if __name__ == "__main__":
    sys.exit(main())
