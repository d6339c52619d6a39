"""``alonzo env``: the exports that point every AWS tool at the running platform."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from alonzo.cli.options import client_region_option, data_dir_option
from alonzo.cli.running import find_running


@click.command()
@data_dir_option
@client_region_option
def env(data_dir: Path, region: str | None) -> None:
    """Print the exports that point AWS tools at the running platform.

    Use it as: eval "$(alonzo env)"
    """
    platform = find_running(data_dir)
    exports = {
        "AWS_ENDPOINT_URL": platform.endpoint,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        # Some SDKs read the one, some the other.
        "AWS_DEFAULT_REGION": region or platform.region,
        "AWS_REGION": region or platform.region,
        # No name server knows StartLiveTail's "stream-" before our name. The AWS CLI, boto3 and the
        # SDK for Ruby look at this; others have a setting of the client (docs/logs.md).
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }
    if platform.ca is not None:
        # The certificate is its own authority. The SDK for JavaScript looks for it elsewhere.
        exports |= {"AWS_CA_BUNDLE": platform.ca, "NODE_EXTRA_CA_CERTS": platform.ca}
    for name, value in exports.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    # A token left over from real AWS would make the tools sign with a session that is not ours.
    click.echo("unset AWS_SESSION_TOKEN")
