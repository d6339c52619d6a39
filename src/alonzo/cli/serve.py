"""``alonzo serve``: the platform in the foreground."""

from __future__ import annotations

import errno
import gc
import os
import socket
from pathlib import Path
from typing import Literal

import click

from alonzo.cli.options import data_dir_option, region_option
from alonzo.model.errors import PlatformError

#: What the kernel says of an address or a port that cannot be had.
CANNOT_LISTEN = {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}


@click.command()
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4566,
    help="Port to listen on; 0 takes a free one and says which.",
)
@data_dir_option
@click.option(
    "--auth",
    type=click.Choice(["sigv4", "off"]),
    default="sigv4",
    help="Verify signatures, or accept any key (on a loopback address only).",
)
@click.option(
    "--iam",
    type=click.Choice(["strict", "soft"]),
    default="strict",
    help="Refuse whatever policies do not allow, as AWS does; 'soft' only logs what would be "
    "refused.",
)
@click.option(
    "--audit",
    type=click.Choice(["management", "all", "off"]),
    default="management",
    help="What the audit log keeps: calls that manage resources; calls that use them, such as "
    "Invoke, too; or nothing.",
)
@click.option(
    "--isolation",
    type=click.Choice(["auto", "namespaces", "gvisor", "none"]),
    default="auto",
    help="How functions are isolated. 'auto' takes 'namespaces', and refuses to start where that "
    "cannot be. 'gvisor' gives each a kernel of its own (needs runsc and root). 'none' runs them "
    "as plain processes of yours, which may do whatever you may.",
)
@click.option(
    "--network",
    type=click.Choice(["none", "nat", "host"]),
    help="What functions reach beside the platform: nothing; whatever this host reaches, but not "
    "the host; or this host's own network, unprotected. Otherwise nat, or none where it cannot be.",
)
@click.option(
    "--tls-cert",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Speak TLS, with this certificate (PEM, its chain behind it). Replace the file to renew.",
)
@click.option(
    "--tls-key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The certificate's private key (PEM, not encrypted).",
)
@click.option(
    "--hostname",
    "hostnames",
    metavar="NAME",
    multiple=True,
    help="A name by which clients reach the platform; the first is in what 'alonzo env' prints. "
    "May be repeated.",
)
@click.option("--account", default="000000000000", help="The account id, 12 digits.")
@region_option
@click.option(
    "--otlp-endpoint",
    envvar="ALONZO_OTLP_ENDPOINT",
    help="Send spans of traced invocations to this OpenTelemetry receiver (OTLP over HTTP), such "
    "as http://127.0.0.1:4318.",
)
@click.option(
    "--set",
    "assignments",
    metavar="NAME=VALUE",
    multiple=True,
    help="Change a limit; 'alonzo settings' shows them all. May be repeated.",
)
def serve(
    host: str,
    port: int,
    data_dir: Path,
    auth: Literal["sigv4", "off"],
    iam: Literal["strict", "soft"],
    audit: Literal["management", "all", "off"],
    isolation: Literal["auto", "namespaces", "gvisor", "none"],
    network: Literal["none", "nat", "host"] | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    hostnames: tuple[str, ...],
    account: str,
    region: str,
    otlp_endpoint: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Run the platform until it is told to stop.

    SIGTERM and Ctrl-C finish the invocations that run, then stop.
    """
    # What imports make stays: to look for garbage in it takes a tenth of the start.
    gc.disable()
    from alonzo.daemon.config import Config, ConfigError

    config = Config(
        data_dir=data_dir.expanduser().absolute(),
        host=host,
        port=port,
        auth=auth,
        iam=iam,
        audit=audit,
        isolation=isolation,
        network=network,
        tls_cert=None if tls_cert is None else tls_cert.expanduser().absolute(),
        tls_key=None if tls_key is None else tls_key.expanduser().absolute(),
        hostnames=hostnames,
        account=account,
        region=region,
        otlp_endpoint=otlp_endpoint,
    )
    try:
        from alonzo.daemon.tuning import tuned

        config = tuned(config, assignments)
        # Before the daemon is imported: on another host than Linux parts of it cannot be.
        config.check()
        from alonzo.daemon.serve import run

        gc.enable()
        run(config)
    except (ConfigError, PlatformError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        reason = _why_not_listening(error)
        if reason is None:
            raise
        raise click.ClickException(
            f"cannot listen on {host}, port {port}: {reason}. "
            "Choose others with --host and --port; port 0 takes a free one."
        ) from error
    finally:
        gc.enable()


def _why_not_listening(error: OSError) -> str | None:
    """Why an address cannot be listened on; None if the error is about something else."""
    if isinstance(error, socket.gaierror):
        return error.strerror
    return os.strerror(error.errno) if error.errno in CANNOT_LISTEN else None
