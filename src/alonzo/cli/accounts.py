"""``alonzo accounts``: the accounts of one platform, fully separate from each other."""

from __future__ import annotations

from pathlib import Path

import click

from alonzo.cli.client import ask, plain_failures
from alonzo.cli.keys import TIMEOUT_S, show_secret
from alonzo.cli.options import data_dir_option

_PATH = "/_alonzo/accounts"


@click.group()
def accounts() -> None:
    """List the platform's accounts, and make others with a root key each."""


@accounts.command("list")
@data_dir_option
def list_accounts(data_dir: Path) -> None:
    """Show every account, with the ids of its root user's keys."""
    with plain_failures():
        found = ask("GET", _PATH, data_dir, timeout_s=TIMEOUT_S)["accounts"]
    for account in found:
        ids = [
            key["access_key_id"] + ("" if key["active"] else " (inactive)")
            for key in account["root_keys"]
        ]
        click.echo(f"{account['account']}  {', '.join(ids) or 'no root key'}")


@accounts.command()
@click.argument("account")
@click.option("--replace", is_flag=True, help="Revoke the root keys that the account has.")
@data_dir_option
def create(account: str, data_dir: Path, *, replace: bool) -> None:
    """Make an account, and a key of its root user; or another key, for one that is there.

    ACCOUNT is 12 digits. The key is shown this once.
    """
    with plain_failures():
        asked = {"account": account, "replace": replace}
        key = ask("POST", _PATH, data_dir, timeout_s=TIMEOUT_S, document=asked)
    whose = f"the root user of account {account}"
    show_secret(key["access_key_id"], key["secret_access_key"], whose)
