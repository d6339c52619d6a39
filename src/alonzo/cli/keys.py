"""``alonzo keys``: access keys of the root user and of users, through IAM as on AWS.

A root user or a user has at most two keys, so that a new one can be brought to where the old one is
used before that is revoked. A secret is shown once, on standard output alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from alonzo.cli.client import ask, connect, plain_failures, signs_with
from alonzo.cli.options import data_dir_option
from alonzo.lib.clock import iso_ms

TIMEOUT_S = 30.0

_user_option = click.option("--user", help="Of this IAM user; the root user's otherwise.")


@click.group()
def keys() -> None:
    """List, make, rotate and revoke access keys of the root user and of users."""


def show_secret(key_id: str, secret: str, whose: str) -> None:
    """Print a new key in a form that a shell and an env file take."""
    click.echo(f"AWS_ACCESS_KEY_ID={key_id}")
    click.echo(f"AWS_SECRET_ACCESS_KEY={secret}")
    click.echo(f"A key of {whose}. Its secret is not shown again.", err=True)


def _iam(data_dir: Path) -> Any:
    # IAM is the same in all regions.
    return connect("iam", data_dir, "us-east-1")


def _of(user: str | None) -> dict[str, str]:
    return {} if user is None else {"UserName": user}


def _whose(user: str | None) -> str:
    return "the root user" if user is None else f"the user {user}"


def _all_keys(iam: Any) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Every key of the account, with its user's name; None: the root user's."""
    yield from ((None, key) for key in _root_keys(iam))
    for page in iam.get_paginator("list_users").paginate():
        for user in page["Users"]:
            name = user["UserName"]
            yield from ((name, key) for key in _keys_of(iam, name))


def _keys_of(iam: Any, user: str) -> list[dict[str, Any]]:
    return iam.list_access_keys(UserName=user)["AccessKeyMetadata"]


def _root_keys(iam: Any) -> list[dict[str, Any]]:
    # Without a name it is whoever asks; a user would see their own.
    found = iam.list_access_keys()["AccessKeyMetadata"]
    return [key for key in found if "UserName" not in key]


@keys.command("list")
@data_dir_option
def list_keys(data_dir: Path) -> None:
    """Show every key of the account, without its secret."""
    with plain_failures():
        iam = _iam(data_dir)
        rows = [("Key", "Of", "Status", "Created", "Last used")]
        for user, key in _all_keys(iam):
            key_id = key["AccessKeyId"]
            used = iam.get_access_key_last_used(AccessKeyId=key_id)["AccessKeyLastUsed"]
            at = used.get("LastUsedDate")
            last = "-" if at is None else f"{_day(at)} {used['ServiceName']}"
            rows.append((key_id, user or "(root)", key["Status"], _day(key["CreateDate"]), last))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _day(moment: Any) -> str:
    return iso_ms(moment.timestamp())[:10]


@keys.command()
@_user_option
@data_dir_option
def create(user: str | None, data_dir: Path) -> None:
    """Make another key and show it, this once."""
    with plain_failures():
        key = _iam(data_dir).create_access_key(**_of(user))["AccessKey"]
    show_secret(key["AccessKeyId"], key["SecretAccessKey"], _whose(user))


@keys.command()
@_user_option
@click.option("--revoke", is_flag=True, help="Revoke the old key at once.")
@data_dir_option
def rotate(user: str | None, data_dir: Path, *, revoke: bool) -> None:
    """Make a new key; the old one works until it is revoked.

    For the root user of the platform's own account 'alonzo env' prints the new key from then on.
    """
    with plain_failures():
        iam = _iam(data_dir)
        held = _root_keys(iam) if user is None else _keys_of(iam, user)
        if len(held) > 1:
            ids = " and ".join(key["AccessKeyId"] for key in held)
            raise click.ClickException(
                f"{_whose(user)} has two keys already, {ids}.\n"
                "Revoke the one that nobody uses: alonzo keys revoke KEY"
            )
        if user is None:
            new = ask("POST", "/_alonzo/root-key", data_dir, timeout_s=TIMEOUT_S)
            key_id, secret = new["access_key_id"], new["secret_access_key"]
        else:
            new = iam.create_access_key(UserName=user)["AccessKey"]
            key_id, secret = new["AccessKeyId"], new["SecretAccessKey"]
        show_secret(key_id, secret, _whose(user))
        for key in held:
            if revoke:
                iam.delete_access_key(AccessKeyId=key["AccessKeyId"], **_of(user))
                click.echo(f"Revoked {key['AccessKeyId']}.", err=True)
            else:
                click.echo(
                    f"{key['AccessKeyId']} still works. Once nobody uses it: "
                    f"alonzo keys revoke {key['AccessKeyId']}",
                    err=True,
                )


@keys.command("revoke")
@click.argument("key_id", metavar="KEY")
@data_dir_option
def revoke_key(key_id: str, data_dir: Path) -> None:
    """Delete a key for good: whoever signs with it is refused at once."""
    with plain_failures():
        iam = _iam(data_dir)
        if key_id == signs_with(data_dir):
            raise click.ClickException(
                f"{key_id} is the key that this command signs with. Rotate it first: "
                "alonzo keys rotate"
            )
        if any(key["AccessKeyId"] == key_id for key in _root_keys(iam)):
            iam.delete_access_key(AccessKeyId=key_id)
        else:
            owner = iam.get_access_key_last_used(AccessKeyId=key_id)["UserName"]
            iam.delete_access_key(AccessKeyId=key_id, UserName=owner)
    click.echo(f"Revoked {key_id}.")
