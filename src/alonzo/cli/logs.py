"""``alonzo logs``: a function's log from CloudWatch Logs, once or as it grows."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from alonzo.cli.client import connect, plain_failures
from alonzo.cli.options import client_region_option, data_dir_option
from alonzo.lib.clock import SystemClock, iso_ms

#: Between two looks at a log that is being followed.
POLL_INTERVAL_S = 0.5
#: Streams are written by batches, so an event may appear after a younger one of another stream.
LATE_MS_MAX = 10_000

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
PLATFORM_LINE = re.compile(r"^(START|END|REPORT|INIT_START|INIT_REPORT) ")


def parse_since(value: str, *, now_s: float, option: str = "--since") -> int:
    """The epoch milliseconds that ``option`` means: an age such as ``10m``, or an ISO 8601 time.

    Raises:
        click.BadParameter: it is neither.
    """
    age = re.fullmatch(r"(\d+)([smhdw])", value)
    if age:
        return int((now_s - int(age[1]) * UNITS_S[age[2]]) * 1000)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither an age such as 30s, 10m, 2h, 1d nor a time such as "
            "2026-11-20T10:00:00Z.",
            param_hint=option,
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def log_group(name: str) -> str:
    """The log group of a function, from its name, partial ARN or ARN, qualified or not."""
    if name.startswith("/"):
        return name
    parts = name.split(":")
    function = parts[parts.index("function") + 1] if "function" in parts[:-1] else parts[0]
    return f"/aws/lambda/{function}"


class Cursor:
    """Which events of a growing log have been shown."""

    def __init__(self, since_ms: int) -> None:
        self._newest_ms = since_ms
        self._floor_ms = since_ms
        self._seen: dict[str, int] = {}

    @property
    def start_ms(self) -> int:
        """From where to read next, late events included."""
        return max(self._floor_ms, self._newest_ms - LATE_MS_MAX)

    def unseen(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The events that were not in an earlier answer, in order of time."""
        fresh = [event for event in events if event["eventId"] not in self._seen]
        for event in fresh:
            self._seen[event["eventId"]] = event["timestamp"]
            self._newest_ms = max(self._newest_ms, event["timestamp"])
        start_ms = self.start_ms
        self._seen = {key: at_ms for key, at_ms in self._seen.items() if at_ms >= start_ms}
        return sorted(fresh, key=lambda event: event["timestamp"])


def read_events(
    client: Any, group: str, start_ms: int, pattern: str | None
) -> Iterator[list[dict[str, Any]]]:
    """Every page of matching events since ``start_ms``."""
    request: dict[str, Any] = {"logGroupName": group, "startTime": start_ms}
    if pattern:
        request["filterPattern"] = pattern
    for page in client.get_paginator("filter_log_events").paginate(**request):
        yield page["events"]


def printable(text: str) -> str:
    """The text with control characters shown, not sent: a function must not steer a terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def print_events(events: list[dict[str, Any]]) -> None:
    """One line per event, the platform's own lines dimmed."""
    for event in events:
        message = printable(event["message"].rstrip("\n"))
        at = click.style(iso_ms(event["timestamp"] / 1000), fg="cyan")
        click.echo(f"{at} {click.style(message, dim=bool(PLATFORM_LINE.match(message)))}")


#: What steers a terminal: C0 and C1 but the tab and the line end.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@click.command()
@click.argument("name")
@click.option("--follow", "-f", is_flag=True, help="Go on as the log grows, until Ctrl-C.")
@click.option("--since", "-s", default="10m", help="An age (30s, 10m, 2h, 1d) or an ISO 8601 time.")
@click.option("--filter", "pattern", help="A CloudWatch Logs filter pattern.")
@data_dir_option
@client_region_option
def logs(
    name: str, follow: bool, since: str, pattern: str | None, data_dir: Path, region: str | None
) -> None:
    """Show a function's log, or follow it.

    NAME is a function's name or ARN, or a log group that starts with a slash.
    """
    group = log_group(name)
    cursor = Cursor(parse_since(since, now_s=SystemClock().now_s()))
    with plain_failures():
        client = connect("logs", data_dir, region)
        try:
            _show_new(client, group, cursor, pattern, wait_for_group=follow)
            while follow:
                threading.Event().wait(POLL_INTERVAL_S)
                _show_new(client, group, cursor, pattern, wait_for_group=True)
        except KeyboardInterrupt:
            raise SystemExit(130) from None


def _show_new(
    client: Any, group: str, cursor: Cursor, pattern: str | None, *, wait_for_group: bool
) -> None:
    try:
        for events in read_events(client, group, cursor.start_ms, pattern):
            print_events(cursor.unseen(events))
    except client.exceptions.ResourceNotFoundException:
        if not wait_for_group:
            raise click.ClickException(
                f"there is no log group {group}. A function gets one when it first runs."
            ) from None
