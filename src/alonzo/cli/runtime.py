"""``alonzo runtime``: which runtimes this host has, and how the others come to it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import click

from alonzo.daemon.catalog import runtimes, search_places
from alonzo.daemon.config import Config
from alonzo.lib.clock import SystemClock
from alonzo.runtimes import installs, sdks
from alonzo.runtimes.base import RuntimeIdentifier, RuntimeUnavailableError
from alonzo.runtimes.identifiers import of_family
from alonzo.runtimes.installs import NODEJS_SDK, PYTHON_SDK, InstallError
from alonzo.runtimes.interpreters import Nodes, Pythons, SearchPlaces
from alonzo.runtimes.python import OLDEST_MINOR
from alonzo.runtimes.registry import Runtimes

#: Longest that one command of an installation may take: pyenv compiles.
COMMAND_S_MAX = 3600.0

SDKS = (NODEJS_SDK, PYTHON_SDK)
_MARKS = {"available": click.style("ok", fg="green"), "missing": click.style("--", fg="red")}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list. Dates are ISO; the last two are the last days on which AWS takes it."""

    name: str
    status: str
    found: str | None
    fix: str | None
    deprecated_on: str | None = None
    create_until: str | None = None
    update_until: str | None = None


@click.group()
def runtime() -> None:
    """Show which runtimes this host has, and install others."""


@runtime.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that AWS creates no more.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def list_runtimes(everything: bool, as_json: bool) -> None:
    """List every runtime: whether it runs here, where it was found or how to get it."""
    config = Config(Path.cwd())
    today = datetime.fromtimestamp(SystemClock().now_s(), UTC).date()
    known = runtimes(config)
    rows = [
        _row(known, identifier)
        for identifier in map(known.identifier, known.names)
        if identifier is not None and (everything or _is_creatable(identifier, today))
    ]
    rows += _sdk_rows(search_places(config))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    width = max(len(row.name) for row in rows)
    for row in rows:
        note = _note(row, today)
        click.echo(f"{_MARKS[row.status]}  {row.name:<{width}}  {note:<21}  {_text(row)}")


def _is_creatable(identifier: RuntimeIdentifier, today: date) -> bool:
    return identifier.create_until is None or identifier.create_until >= today


def _text(row: Row) -> str:
    return "; ".join(filter(None, (row.found, row.fix)))


def _note(row: Row, today: date) -> str:
    if row.deprecated_on is None:
        return ""
    past = date.fromisoformat(row.deprecated_on) < today
    return f"deprecated {row.deprecated_on}" if past else f"until {row.deprecated_on}"


def _row(known: Runtimes, identifier: RuntimeIdentifier) -> Row:
    found = fix = None
    try:
        launch = known.launch(identifier.name, Path("/nonexistent"))
    except RuntimeUnavailableError as error:
        fix = str(error)
    else:
        found = str(launch.paths[0].source) if launch.paths else "brings its own bootstrap"
    dates = (identifier.deprecated_on, identifier.create_until, identifier.update_until)
    return Row(
        identifier.name,
        "missing" if found is None else "available",
        found,
        fix,
        *(day and day.isoformat() for day in dates),
    )


def _sdk_rows(places: SearchPlaces) -> Iterator[Row]:
    """AWS's SDKs, which functions may import without bringing them."""
    nodejs = sdks.nodejs_sdk(places.extra)
    versions = _pythons(places)
    with_boto3 = [version for version in versions if sdks.python_sdk(version, places.extra)]
    yield Row(
        NODEJS_SDK,
        "available" if nodejs else "missing",
        str(nodejs[0].source) if nodejs else None,
        None if nodejs else f"@aws-sdk/*: run `alonzo runtime install {NODEJS_SDK}`.",
    )
    lacking = [version for version in versions if version not in with_boto3]
    fix = f"also for Python {', '.join(lacking)}: `alonzo runtime install {PYTHON_SDK}`."
    yield Row(
        PYTHON_SDK,
        "available" if with_boto3 else "missing",
        f"boto3 for Python {', '.join(with_boto3)}" if with_boto3 else None,
        fix if lacking else None,
    )


@runtime.command("install")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def install(names: tuple[str, ...]) -> None:
    """Install runtimes by name: nodejs22.x, python3.12, java21, dotnet8, nodejs-sdk, python-sdk.

    They come through pip, npm, uv or pyenv, into $ALONZO_TOOLS_DIR, by default
    ~/.cache/alonzo/tools. A platform that runs finds them without a restart.
    """
    for name in names:
        _install(name, Config(Path.cwd()))


def _install(name: str, config: Config) -> None:
    places = search_places(config)
    known = runtimes(config)
    identifier = known.identifier(name)
    if identifier is None and name not in SDKS:
        raise click.ClickException(f"There is no runtime named {name}: see `alonzo runtime list`.")
    family = name if identifier is None else identifier.family
    if identifier is not None and known.unavailable(name) is None:
        click.echo(f"{name} is there already: see `alonzo runtime list`.")
        return
    # So deep that nobody who looks for installations comes upon one that is half done.
    staging = config.tools / ".new" / f"{name}.{os.getpid()}"
    try:
        _carry_out(installs.plan(name, family, staging, _host(places)), staging, config.tools)
    except InstallError as error:
        raise click.ClickException(str(error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if identifier is not None and (missing := runtimes(config).unavailable(name)) is not None:
        raise click.ClickException(f"It was installed and cannot be used. {missing}")
    click.echo(f"{name} is installed.")


def _carry_out(planned: installs.Install, staging: Path, tools: Path) -> None:
    for place in planned.moves.values():
        if (tools / place).exists():
            raise InstallError(
                f"{tools / place} is there already. To have it anew, stop the platform, delete "
                "that folder, and run this again."
            )
    staging.mkdir(mode=0o755, parents=True)
    for command in planned.commands:
        click.secho(" ".join(command), dim=True, err=True)
        try:
            # Sandboxes run as other users, who must be able to read it.
            done = subprocess.run(  # noqa: S603 - package managers that the user has
                command, stdin=subprocess.DEVNULL, timeout=COMMAND_S_MAX, umask=0o022, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InstallError(f"{command[0]} failed: {error}") from error
        if done.returncode != 0:
            raise InstallError(f"{command[0]} failed with exit code {done.returncode}.")
    for made, place in planned.moves.items():
        (tools / place).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        (staging / made).chmod(0o755)
        (staging / made).resolve().rename(tools / place)


def _host(places: SearchPlaces) -> installs.Host:
    """What there is to install with."""
    pip = (sys.executable, "-m", "pip") if importlib.util.find_spec("pip") else None
    path = os.pathsep.join(map(str, places.path))
    pyenv = shutil.which("pyenv", path=path)
    if pyenv is None and places.home is not None:
        pyenv = shutil.which(str(places.home / ".pyenv/bin/pyenv"))
    return installs.Host(
        pip=pip,
        npm=_npm(places, path),
        uv=shutil.which("uv", path=path),
        pyenv=pyenv,
        machine=platform.machine(),
        pythons={
            version: interpreter
            for version, interpreter in _pythons(places).items()
            if not any((each / PYTHON_SDK / version).exists() for each in places.extra)
        },
    )


def _npm(places: SearchPlaces, path: str) -> tuple[str, ...] | None:
    """The npm on PATH, or the one that came with an installation of Node.js."""
    on_path = shutil.which("npm", path=path)
    if on_path is not None:
        return (on_path,)
    for major in ("24", "22", "20"):
        node = Nodes(places).find(major)
        npm = node and node.prefix / "lib/node_modules/npm/bin/npm-cli.js"
        if node is not None and npm is not None and npm.is_file():
            return (str(node.executable), str(npm))
    return None


def _pythons(places: SearchPlaces) -> dict[str, str]:
    """Every Python that runs functions here."""
    pythons = Pythons(places)
    found: dict[str, str] = {}
    for identifier in of_family("python"):
        version = identifier.name.removeprefix("python")
        if version.startswith("3.") and int(version[2:]) >= OLDEST_MINOR:
            interpreter = pythons.find(version)
            if interpreter is not None:
                found[version] = str(interpreter.executable)
    return found
