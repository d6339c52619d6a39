"""The command line's top: which commands there are, and how a failure looks.

A command's module is imported only when that command runs, so that ``alonzo --help`` and the
cheap commands do not pay for the daemon or for botocore.
"""

from __future__ import annotations

import importlib
from typing import cast

import click

from alonzo import __version__

#: Command -> the module that has it, and its one-line help.
COMMANDS = {
    "serve": ("alonzo.cli.serve", "Run the platform until it is told to stop."),
    "env": ("alonzo.cli.env", "Print the exports that point AWS tools at the running platform."),
    "keys": ("alonzo.cli.keys", "List, make, rotate and revoke access keys."),
    "accounts": ("alonzo.cli.accounts", "List the platform's accounts, and make others."),
    "invoke": ("alonzo.cli.invoke", "Invoke a function and show what it answered."),
    "events": ("alonzo.cli.events", "Print sample events of every source."),
    "logs": ("alonzo.cli.logs", "Show a function's log, or follow it."),
    "audit": ("alonzo.cli.audit", "Show who called what, from where, and what came of it."),
    "usage": ("alonzo.cli.usage", "Show what functions used, and what AWS would charge for it."),
    "storage": ("alonzo.cli.storage", "Show what fills the disk, by service, table and folder."),
    "doctor": ("alonzo.cli.doctor", "Say what this host gives, what is missing, how to get it."),
    "settings": ("alonzo.cli.settings", "Show every limit that 'alonzo serve --set' changes."),
    "runtime": ("alonzo.cli.runtime", "Show which runtimes this host has, and install others."),
    "bench": ("alonzo.cli.bench.command", "Measure this platform beside two baselines."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports them on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        return cast("click.Command", getattr(module, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name="alonzo", message="%(prog)s %(version)s")
def main() -> None:
    """AWS Lambda on your own machines.

    Start it with 'alonzo serve'. Point the AWS CLI and every SDK at it with 'eval "$(alonzo env)"',
    and use them as always.
    """
