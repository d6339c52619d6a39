"""``alonzo invoke``: one invocation, shown for people, fit for pipes.

The function's answer is all that goes to standard output; what happened goes to standard error.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import click

from alonzo.cli import samples
from alonzo.cli.client import connect, plain_failures
from alonzo.cli.events import SOURCE
from alonzo.cli.options import client_region_option, data_dir_option
from alonzo.lib.clock import SystemClock


def read_payload(value: str | None) -> bytes:
    """The bytes that ``--payload`` means: the text itself, ``@file``, or ``-`` for standard input.

    Raises:
        click.BadParameter: the file cannot be read.
    """
    if value is None:
        return b""
    if value == "-":
        return sys.stdin.buffer.read()
    if not value.startswith("@"):
        return value.encode()
    try:
        return Path(value[1:]).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{value[1:]}: {error.strerror}", param_hint="--payload") from None


def render_payload(payload: bytes, *, for_terminal: bool) -> str:
    """The answer, indented for a terminal if it is JSON, else as it came."""
    text = payload.decode("utf-8", "replace")
    if not for_terminal:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


@click.command()
@click.argument("name")
@click.option("--payload", "-p", metavar="JSON|@FILE|-", help="The event; none is sent by default.")
@click.option("--qualifier", "-q", help="A version or an alias.")
@click.option(
    "--event",
    "-e",
    type=SOURCE,
    metavar="SOURCE",
    help="A sample event: see 'alonzo events list'.",
)
@click.option("--async", "queued", is_flag=True, help="Queue the event and wait for no answer.")
@click.option("--log", is_flag=True, help="Show the last 4 KB of the invocation's log.")
@data_dir_option
@client_region_option
def invoke(
    name: str,
    payload: str | None,
    qualifier: str | None,
    event: str | None,
    queued: bool,
    log: bool,
    data_dir: Path,
    region: str | None,
) -> None:
    """Invoke a function and show what it answered.

    NAME is a function's name or ARN. The exit code is 1 if the function failed.
    """
    if event is not None and payload is not None:
        raise click.UsageError("Give --payload or --event, not both.")
    body = read_payload(payload) if event is None else samples.sample(event).encode()
    request: dict[str, Any] = {"FunctionName": name, "Payload": body}
    if qualifier is not None:
        request["Qualifier"] = qualifier
    if queued:
        request["InvocationType"] = "Event"
    elif log:
        request["LogType"] = "Tail"
    clock = SystemClock()
    with plain_failures():
        client = connect("lambda", data_dir, region)
        started_s = clock.monotonic_s()
        response: dict[str, Any] = client.invoke(**request)
        answer: bytes = response["Payload"].read()
    elapsed_ms = (clock.monotonic_s() - started_s) * 1000
    show(response, answer, elapsed_ms)
    if "FunctionError" in response:
        raise SystemExit(1)


def show(response: dict[str, Any], answer: bytes, elapsed_ms: float) -> None:
    """Print the log tail, a line that says what happened, and the answer."""
    if response.get("LogResult"):
        tail = base64.b64decode(response["LogResult"]).decode("utf-8", "replace")
        click.secho(tail.rstrip("\n"), dim=True, err=True)
    request_id = response["ResponseMetadata"].get("RequestId", "?")
    if response["StatusCode"] == 202:
        outcome = click.style("queued", fg="green")
    elif "FunctionError" in response:
        outcome = click.style(f"function error ({response['FunctionError']})", fg="red", bold=True)
    else:
        outcome = click.style("ok", fg="green")
    version = f", version {response['ExecutedVersion']}" if "ExecutedVersion" in response else ""
    click.echo(f"{outcome}{version}, {elapsed_ms:.1f} ms, request {request_id}", err=True)
    if answer:
        click.echo(render_payload(answer, for_terminal=sys.stdout.isatty()))
