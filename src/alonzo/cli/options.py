"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path

import click


def default_data_dir() -> Path:
    """``$XDG_DATA_HOME/alonzo``, or ``~/.local/share/alonzo``. ``$ALONZO_DATA_DIR`` goes before."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "alonzo"


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ALONZO_DATA_DIR",
    default=default_data_dir,
    show_default="$ALONZO_DATA_DIR, $XDG_DATA_HOME/alonzo or ~/.local/share/alonzo",
    help="Where the platform keeps its state.",
)

#: Which region a platform works in.
region_option = click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    default="us-east-1",
    show_default="$AWS_REGION, $AWS_DEFAULT_REGION or us-east-1",
    help="The AWS region to work in.",
)

#: Which region a running platform is asked in.
client_region_option = click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    show_default="$AWS_REGION, $AWS_DEFAULT_REGION or the platform's own",
    help="The AWS region to work in.",
)
