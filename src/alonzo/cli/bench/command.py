"""The command: run the sections that were asked for, print each as soon as it is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict

import click

from alonzo.cli.bench import cold, host, memory, queues, warm
from alonzo.cli.bench.figures import FULL, QUICK, Section
from alonzo.cli.bench.report import head, render
from alonzo.cli.bench.workbench import Workbench
from alonzo.cli.client import plain_failures

#: Name -> what measures it, in the order of the page.
SECTIONS: Mapping[str, Callable[[Workbench], Iterator[Section]]] = {
    "baselines": warm.baselines,
    "start": memory.start,
    "cold": cold.cold,
    "at-once": cold.at_once,
    "imports": cold.imports,
    "warm": warm.warm,
    "pinned": warm.pinned,
    "throughput": warm.throughput,
    "payloads": warm.payloads,
    "sleepers": warm.sleepers,
    "queues": queues.queues,
    "memory": memory.memory,
    "thousand": cold.thousand,
}

#: Only with --full, or when asked for by name.
LONG = {"thousand"}


@click.command(epilog=f"Sections: {', '.join(SECTIONS)}. Only with --full: {', '.join(LONG)}.")
@click.option("--full", is_flag=True, help="Measure longer, and everything: some minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document in place of tables.")
@click.argument("sections", nargs=-1, metavar="[SECTION]... [-- SERVE_OPTION...]")
def bench(full: bool, as_json: bool, sections: tuple[str, ...]) -> None:
    """Measure this platform on this machine, beside baselines.

    It takes about a minute. Everything runs on platforms of its own in temporary directories.
    Name sections to have only those. What follows '--' goes to 'alonzo serve'.
    """
    names, serve_options = chosen(sections, full)
    facts, warnings = host.facts(), host.warnings()
    facts |= {"options": " ".join(serve_options)} if serve_options else {}
    facts["effort"] = "full" if full else "quick; --full measures longer, and more"
    if not as_json:
        click.echo(head(facts, warnings))
    measured: list[Section] = []
    with plain_failures(), ExitStack() as stack:
        workbench = Workbench(FULL if full else QUICK, serve_options, stack)
        for name in names:
            for section in measure(name, workbench):
                measured.append(section)
                if not as_json:
                    click.echo(render(section))
    if as_json:
        document = {"facts": facts, "warnings": warnings, "sections": [*map(asdict, measured)]}
        click.echo(json.dumps(document, indent=2))


def chosen(arguments: Sequence[str], full: bool) -> tuple[list[str], list[str]]:
    """Which sections, and the options of 'alonzo serve': all from the first option on.

    Raises:
        click.UsageError: there is no such section.
    """
    first = next((at for at, text in enumerate(arguments) if text.startswith("-")), len(arguments))
    names, serve_options = arguments[:first], list(arguments[first:])
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise click.UsageError(
            f"there is no section {unknown[0]!r}; there are {', '.join(SECTIONS)}."
        )
    wanted = set(names) or {name for name in SECTIONS if full or name not in LONG}
    return [name for name in SECTIONS if name in wanted], serve_options


def measure(name: str, workbench: Workbench) -> list[Section]:
    """Measure one section, and how much others used the machine meanwhile."""
    began_s = time.monotonic()
    sections = list(SECTIONS[name](workbench))
    noise_cores = workbench.noise.take()
    for section in sections:
        section.name, section.noise_cores = name, noise_cores
        section.took_s = time.monotonic() - began_s
    return sections
