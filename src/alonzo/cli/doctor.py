"""``alonzo doctor``: what this host gives, what is missing, and how to get it."""

from __future__ import annotations

import itertools
import platform
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click

from alonzo import __version__
from alonzo.cli.options import data_dir_option
from alonzo.cli.running import find_running, health


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``ok`` is None for what is neither good nor bad."""

    name: str
    ok: bool | None
    detail: str


def host() -> list[Finding]:
    """The machine and the interpreter."""
    linux = sys.platform == "linux"
    fix = "" if linux else " - functions run on Linux only: use a virtual machine or WSL 2"
    return [
        Finding("alonzo", None, __version__),
        Finding("host", linux, f"{platform.system()} {platform.release()}{fix}"),
        Finding("python", None, f"{platform.python_version()} at {sys.executable}"),
    ]


def dependencies() -> list[Finding]:
    """The installed version of each thing that the package requires."""
    findings: list[Finding] = []
    for requirement in metadata.requires("alonzo") or []:
        specifier, _, marker = requirement.partition(";")
        if "extra" in marker:
            continue
        name = specifier.strip()
        for character in "<>=!~[ ":
            name = name.partition(character)[0]
        try:
            findings.append(Finding(name, True, metadata.version(name)))
        except metadata.PackageNotFoundError:
            findings.append(Finding(name, False, "not installed: pip install alonzo again"))
    return findings


def data(data_dir: Path) -> list[Finding]:
    """The data directory, and what runs on it."""
    if not data_dir.exists():
        return [Finding("data", None, f"{data_dir} does not exist yet; 'alonzo serve' makes it")]
    try:
        running = find_running(data_dir)
    except click.ClickException as error:
        return [Finding("data", None, f"{data_dir}: {error.message.splitlines()[0]}")]
    return [
        Finding("data", True, f"{data_dir}, in use by the platform at {running.endpoint}"),
        *of_platform(health(running.endpoint, running.ca) or {}),
    ]


def of_platform(document: Mapping[str, object]) -> list[Finding]:
    """How the platform runs that gave this health answer."""
    facts = [
        Finding(name, None, f"{document[name]} (of the running platform)")
        for name in ("region", "isolation", "network")
        if name in document
    ]
    return facts + warnings(document)


def warnings(document: Mapping[str, object]) -> list[Finding]:
    """What the health answer of a running platform warns of."""
    if "warning" not in document:
        return []
    isolation = document.get("isolation")
    return [Finding("WARNING", False, f"--isolation {isolation}: {document['warning']}")]


TEXT_WIDTH = 90
MARKS = {
    True: click.style("ok", fg="green"),
    False: click.style("--", fg="red"),
    None: "  ",
}


def show(title: str, findings: list[Finding]) -> None:
    """One block of the report; neighbours that lack the same thing share one entry."""
    click.secho(title, bold=True)
    width = max((len(finding.name) for finding in findings), default=0)
    for (ok, detail), neighbours in itertools.groupby(findings, key=_without_name):
        group = list(neighbours)
        if ok is False and len(group) > 1:
            names = textwrap.wrap(", ".join(finding.name for finding in group), TEXT_WIDTH)
            click.echo(f"  {MARKS[ok]}  " + "\n      ".join([*names, f"  {detail}"]))
            continue
        for finding in group:
            click.echo(f"  {MARKS[ok]}  {finding.name:<{width}}  {finding.detail}".rstrip())


def _without_name(finding: Finding) -> tuple[bool | None, str]:
    """What a finding says, however it is called: ``java11 needs …`` says ``needs …``."""
    return finding.ok, finding.detail.removeprefix(finding.name).strip()


@click.command()
@data_dir_option
def doctor(data_dir: Path) -> None:
    """Say what this host gives, what is missing, and how to get it."""
    show("Host", host())
    show("Dependencies", dependencies())
    show("Data", data(data_dir))
    if sys.platform != "linux":
        return
    from alonzo.daemon import diagnose

    for title, rows in (("Isolation", diagnose.isolation), ("Runtimes", diagnose.runtimes)):
        show(title, [Finding(row.name, row.ok, row.detail) for row in rows()])
