"""``alonzo audit``: the audit log of a data directory, whether its platform runs or not."""

from __future__ import annotations

import gzip
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import click

from alonzo.cli.logs import parse_since, printable
from alonzo.cli.options import data_dir_option
from alonzo.lib.clock import SystemClock

#: Between two looks at a log that is being followed.
POLL_INTERVAL_S = 0.5
#: No record is longer; what is, is none of ours.
LINE_BYTES_MAX = 1024 * 1024

Record = Mapping[str, Any]


@click.command()
@click.option("--user", help="Part of the caller's ARN, name or access key id, or of a service.")
@click.option("--operation", help="An operation, such as CreateFunction or iam:CreateUser.")
@click.option("--since", "-s", default="1d", help="An age (10m, 2h, 7d) or an ISO 8601 time.")
@click.option("--failed", is_flag=True, help="Only calls that were refused or failed.")
@click.option("--last", "-n", type=click.IntRange(1, 100_000), default=100, help="At most so many.")
@click.option("--follow", "-f", is_flag=True, help="Go on as the log grows, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Whole records, one a line.")
@data_dir_option
def audit(
    user: str | None,
    operation: str | None,
    since: str,
    failed: bool,
    last: int,
    follow: bool,
    as_json: bool,
    data_dir: Path,
) -> None:
    """Show who called what, from where, and what came of it."""
    folder = data_dir.expanduser() / "audit"
    if not folder.is_dir():
        raise click.ClickException(f"there is no audit log in {folder}; see --data-dir")
    since_s = parse_since(since, now_s=SystemClock().now_s()) / 1000
    wanted = matcher(user=user, operation=operation, since_s=since_s, failed=failed)
    reader = Reader(folder)
    try:
        _show(deque(filter(wanted, reader.new()), maxlen=last), as_json=as_json)
        while follow:
            threading.Event().wait(POLL_INTERVAL_S)
            _show(filter(wanted, reader.new()), as_json=as_json)
    except PermissionError as error:
        raise click.ClickException(f"cannot read the audit log: {error}") from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None


class Reader:
    """Reads what is new in the files of a log, oldest first. Lines that are no records are left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: How far each file has been read, by its name without what packing adds.
        self._read: dict[str, int] = {}

    def new(self) -> Iterator[Record]:
        """Every record that has come since the last time."""
        for path in sorted([*self._folder.glob("*.jsonl"), *self._folder.glob("*.jsonl.gz")]):
            name = path.name.removesuffix(".gz")
            try:
                file = _opened(path)
            except FileNotFoundError:
                continue  # Packed or deleted meanwhile.
            with file:
                file.seek(self._read.get(name, 0))
                while line := file.readline(LINE_BYTES_MAX):
                    if not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
                        break  # Still being written.
                    self._read[name] = file.tell()
                    record = _parsed(line)
                    if record is not None:
                        yield record


def _opened(path: Path) -> IO[bytes]:
    """The file, or what is packed in it."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _parsed(line: bytes) -> Record | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return cast("Record", record) if isinstance(record, dict) else None


def matcher(
    *, user: str | None, operation: str | None, since_s: float, failed: bool
) -> Callable[[Record], bool]:
    """What says whether a record is wanted."""
    since = datetime.fromtimestamp(since_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    service, _, name = (operation or "").lower().rpartition(":")

    def matches(record: Record) -> bool:
        if str(record.get("eventTime", "")) < since:
            return False
        if failed and record.get("errorCode") is None:
            return False
        if service and not str(record.get("eventSource", "")).startswith(f"{service}."):
            return False
        event = str(record.get("eventName", "")).lower()
        # Lambda's names end in a date: ``CreateFunction20150331``.
        if name and not (event.startswith(name) and event[len(name) :][:1] in ("", "2")):
            return False
        return user is None or user in who(record, all_names=True)

    return matches


def who(record: Record, *, all_names: bool = False) -> str:
    """The caller, by the name that says most; or by all of them."""
    identity = record.get("userIdentity")
    if not isinstance(identity, dict):
        return "-"
    names = cast("dict[str, Any]", identity)
    found = [
        str(names[name])
        for name in ("arn", "userName", "invokedBy", "accessKeyId", "principalId", "type")
        if names.get(name)
    ]
    return " ".join(found) if all_names else next(iter(found), "-")


def described(record: Record) -> str:
    """One record as a line for a person."""
    source = str(record.get("eventSource", "-")).removesuffix(".amazonaws.com")
    outcome = record.get("errorCode") or "ok"
    details = record.get("serviceEventDetails")
    parts = [
        record.get("eventTime", "-"),
        f"{source}:{record.get('eventName', '-')}",
        who(record),
        record.get("sourceIPAddress", "-"),
        outcome,
        record.get("errorMessage") or (json.dumps(details) if details else ""),
    ]
    # What others wrote must not drive the terminal.
    return printable("  ".join(str(part) for part in parts if part)).replace("\n", " ")


def _show(records: Iterable[Record], *, as_json: bool) -> None:
    for record in records:
        click.echo(json.dumps(record) if as_json else described(record))
