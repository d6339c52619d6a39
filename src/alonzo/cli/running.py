"""Finds the platform that runs on a data directory, and the key to talk to it with.

A running daemon keeps its address in the first line of ``lock`` and its root key in
``keys/root.json``. A daemon that was killed leaves its address behind, so it counts only once it
answers.
"""

from __future__ import annotations

import json
import ssl
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

import click

from alonzo.cli.http import open_connection

#: How long a platform on this host may take to answer its health route.
HEALTH_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """Where a platform listens, the region that it was started in, and its root access key.

    ``ca`` is the file with the authority behind its certificate, where clients must be told.
    """

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str
    ca: str | None = None


def health(endpoint: str, ca: str | None = None) -> dict[str, Any] | None:
    """What the platform at that address says of itself; None: there is none.

    Raises:
        click.ClickException: there is one, whose certificate nobody here trusts.
    """
    try:
        with closing(open_connection(endpoint, timeout_s=HEALTH_TIMEOUT_S, ca=ca)) as connection:
            connection.request("GET", "/_alonzo/health")
            answer = connection.getresponse()
            text = answer.read()
    except ssl.SSLCertVerificationError as error:
        raise click.ClickException(
            f"the certificate of {endpoint} is not trusted: {error.verify_message}.\n"
            "Name the file with its authority: export AWS_CA_BUNDLE=FILE"
        ) from error
    except (OSError, HTTPException):
        return None
    if answer.status != 200:
        return None
    try:
        document: Any = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def region_in(document: dict[str, Any]) -> str:
    """The region that a health answer names."""
    return str(document.get("region", "us-east-1"))


def answers(endpoint: str) -> bool:
    """Whether a platform is up at that address."""
    return health(endpoint) is not None


def find_running(data_dir: Path) -> RunningPlatform:
    """The platform that runs on ``data_dir``.

    Raises:
        click.ClickException: nothing runs there, or its key is not ours to read.
    """
    nothing = click.ClickException(
        f"no platform is running on {data_dir}.\n"
        "Start one with 'alonzo serve', or name another directory with --data-dir."
    )
    try:
        owner = json.loads((data_dir / "lock").read_text().partition("\n")[0] or "{}")
        key = json.loads((data_dir / "keys" / "root.json").read_text())
    except FileNotFoundError:
        raise nothing from None
    except PermissionError as error:
        raise click.ClickException(
            f"{error.filename} belongs to another user.\n"
            "Run this as the user who runs 'alonzo serve', or set AWS_ENDPOINT_URL and the "
            "credentials yourself."
        ) from error
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{data_dir} is no data directory of Alonzo: {error}") from error
    endpoint, ca = owner.get("endpoint"), owner.get("ca")
    document = health(endpoint, ca) if endpoint else None
    if endpoint is None or document is None:
        raise nothing
    return RunningPlatform(
        endpoint, region_in(document), key["access_key_id"], key["secret_access_key"], ca
    )
