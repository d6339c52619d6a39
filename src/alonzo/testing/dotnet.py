""".NET functions for tests: packages as ``dotnet publish`` leaves them, of assemblies built before.

The assemblies are kept, because a host that runs .NET functions need not be able to compile:
``tools/build_dotnet_client.py`` builds them together with the client.
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from alonzo.daemon.catalog import search_places
from alonzo.daemon.config import Config
from alonzo.runtimes.dotnets import Dotnet, Dotnets

#: The library that every function brings; tests have a stand-in of that name.
CORE = "Amazon.Lambda.Core"
#: The oldest .NET that the assemblies run on.
OLDEST = 6


@functools.cache
def installed() -> dict[int, Dotnet]:
    """The host's installations that the client runs on, by major version."""
    found: dict[int, Dotnet] = {}
    for dotnet in Dotnets(search_places(Config(Path("/nonexistent")))).all():
        if dotnet.major >= OLDEST:
            found.setdefault(dotnet.major, dotnet)
    return found


def package_into(folder: Path, assembly: Path) -> Path:
    """Put the package of ``assembly`` and of the library beside it into ``folder``."""
    for file in (assembly, assembly.with_name(f"{CORE}.dll")):
        shutil.copy(file, folder)
    for kind, document in _settings(assembly.stem):
        (folder / f"{assembly.stem}.{kind}.json").write_text(json.dumps(document))
    return folder


def _settings(name: str) -> Iterator[tuple[str, object]]:
    framework = {"name": "Microsoft.NETCore.App", "version": f"{OLDEST}.0.0"}
    options = {"tfm": f"net{OLDEST}.0", "framework": framework, "rollForward": "Major"}
    yield "runtimeconfig", {"runtimeOptions": options}
    target = f".NETCoreApp,Version=v{OLDEST}.0"
    nothing: dict[str, str] = {}
    needs = {"dependencies": {CORE: "1.0.0"}, "runtime": {f"{name}.dll": nothing}}
    core = {"runtime": {f"lib/net{OLDEST}.0/{CORE}.dll": nothing}}
    libraries = {
        f"{name}/1.0.0": {"type": "project", "serviceable": False, "sha512": ""},
        f"{CORE}/1.0.0": {"type": "package", "serviceable": True, "sha512": ""},
    }
    yield (
        "deps",
        {
            "runtimeTarget": {"name": target, "signature": ""},
            "targets": {target: {f"{name}/1.0.0": needs, f"{CORE}/1.0.0": core}},
            "libraries": libraries,
        },
    )
