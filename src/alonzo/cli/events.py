"""``alonzo events``: sample events, to try a function with what it will get."""

from __future__ import annotations

import click

from alonzo.cli import samples

#: A source of events, by the name of its sample.
SOURCE = click.Choice(samples.names())


@click.group()
def events() -> None:
    """Sample events of every source that calls functions."""


@events.command("list")
def list_() -> None:
    """List the sources."""
    for name in samples.names():
        click.echo(name)


@events.command()
@click.argument("source", type=SOURCE, metavar="SOURCE")
def generate(source: str) -> None:
    """Print a sample event of SOURCE, with all its fields."""
    click.echo(samples.sample(source), nl=False)
