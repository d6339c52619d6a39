"""``alonzo settings``: what ``alonzo serve --set`` can change."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
def settings() -> None:
    """Show every limit that `alonzo serve --set NAME=VALUE` changes, with its default."""
    from alonzo.daemon.config import Config
    from alonzo.daemon.tuning import MEANINGS, settings_of

    rows = settings_of(Config(Path.cwd()))
    width = max(len(row.name) for row in rows)
    for row in rows:
        click.echo(f"{row.name:<{width}}  {row.text:>12}  {MEANINGS[row.name]}")
