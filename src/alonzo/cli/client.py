"""A client of the running platform's public API, and its failures in plain words.

The address comes from ``--data-dir`` if given, else from ``AWS_ENDPOINT_URL`` (then credentials
are found as every AWS tool finds them), else from the default data directory. Never from AWS's own
endpoints: a command of ours must not reach a real account by accident.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import closing, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from alonzo.cli.http import open_connection
from alonzo.cli.running import find_running, health, region_in

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

CONNECT_TIMEOUT_S = 5
#: The longest a function may run, and a minute for everything around it.
READ_TIMEOUT_S = 900 + 60


def connect(service: str, data_dir: Path, region: str | None) -> Any:
    """A botocore client for ``service`` of the platform that the command's options mean.

    Without a ``region`` it is the one that the platform was started in.

    Raises:
        click.ClickException: no platform was found.
    """
    import botocore.config
    import botocore.session

    config = botocore.config.Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 1},
        # A platform on this host is never behind the proxy that the environment names.
        proxies={},
    )
    session = botocore.session.Session()
    given = os.environ.get("AWS_ENDPOINT_URL")
    if given and not _named_on_command_line("data_dir"):
        try:
            return session.create_client(
                service,
                region or region_in(health(given) or {}),
                config=config,
                endpoint_url=given,
            )
        except ValueError as error:
            raise click.ClickException(
                f'AWS_ENDPOINT_URL is no address: {given}. Run: eval "$(alonzo env)"'
            ) from error
    platform = find_running(data_dir)
    return session.create_client(
        service,
        region or platform.region,
        config=config,
        endpoint_url=platform.endpoint,
        aws_access_key_id=platform.access_key_id,
        aws_secret_access_key=platform.secret_access_key,
        verify=platform.ca,
    )


def get_document(path: str, data_dir: Path, *, timeout_s: float) -> Any:
    """The JSON that a route of the platform's own answers to a signed GET; see ``ask``."""
    return ask("GET", path, data_dir, timeout_s=timeout_s)


def ask(method: str, path: str, data_dir: Path, *, timeout_s: float, document: Any = None) -> Any:
    """The JSON that a route of the platform's own answers to a signed request.

    ``path`` begins with a slash and may have a query; ``document`` goes with it as JSON. The
    platform and its key are found as ``connect`` finds them.

    Raises:
        click.ClickException: no platform was found, or it refuses.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    endpoint, ca, frozen = _address_and_key(data_dir)
    url = urlsplit(endpoint)
    body = None if document is None else json.dumps(document).encode()
    signed = AWSRequest(method, f"{url.scheme}://{url.netloc}{path}", data=body)
    # Neither the service nor the region means anything here; a scope needs both.
    SigV4Auth(frozen, "alonzo", "us-east-1").add_auth(signed)
    try:
        with closing(open_connection(endpoint, timeout_s=timeout_s, ca=ca)) as connection:
            headers = {**signed.headers, "Host": url.netloc}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            status, answer = response.status, json.loads(response.read())
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(
            f"{url.netloc} does not answer as a platform: {error}. Is it running?"
        ) from error
    if status != 200:
        raise click.ClickException(answer.get("message") or f"the platform answered {status}.")
    return answer


def signs_with(data_dir: Path) -> str:
    """The id of the key that commands sign with."""
    return str(_address_and_key(data_dir)[2].access_key)


def _address_and_key(data_dir: Path) -> tuple[str, str | None, Any]:
    """The platform's address, the file of its authority, and the key to sign with."""
    from botocore.credentials import Credentials
    from botocore.exceptions import NoCredentialsError
    from botocore.session import Session

    given = os.environ.get("AWS_ENDPOINT_URL")
    if given and not _named_on_command_line("data_dir"):
        credentials = Session().get_credentials()
        if credentials is None:
            raise NoCredentialsError
        return given, None, credentials.get_frozen_credentials()
    platform = find_running(data_dir)
    key = Credentials(platform.access_key_id, platform.secret_access_key)
    return platform.endpoint, platform.ca, key.get_frozen_credentials()


def _named_on_command_line(parameter: str) -> bool:
    source = click.get_current_context().get_parameter_source(parameter)
    return source is ParameterSource.COMMANDLINE


@contextmanager
def plain_failures() -> Generator[None]:
    """Turn botocore's exceptions into one sentence that says what to do."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise click.ClickException(_refusal(error)) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise click.ClickException(
            'AWS_ENDPOINT_URL is set, but no credentials are. Run: eval "$(alonzo env)"'
        ) from error
    except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError) as error:
        raise click.ClickException(f"{error} Is the platform running?") from error
    except exceptions.BotoCoreError as error:
        raise click.ClickException(str(error)) from error


def _refusal(error: ClientError) -> str:
    details = error.response.get("Error", {})
    code = details.get("Code", "Unknown")
    return f"{code}: {details.get('Message') or 'the platform gave no reason.'}"
