"""``alonzo usage``: what functions used, and what the same would have cost at AWS's list price."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from alonzo.cli.client import get_document, plain_failures
from alonzo.cli.logs import parse_since
from alonzo.cli.options import data_dir_option
from alonzo.lib.clock import SystemClock, utc

#: How long the platform may take to add everything up.
TIMEOUT_S = 120.0

GROUPS = (
    *("region", "function", "version", "architecture", "memory", "provisioned"),
    *("day", "hour", "minute"),
)
#: Columns of figures, their headings in the table, and their headings in a CSV file.
FIGURES = {
    "requests": "Requests",
    "errors": "Errors",
    "billed_ms": "Billed ms",
    "gb_seconds": "GB-s",
    "provisioned_gb_seconds": "Provisioned GB-s",
    "storage_gb_seconds": "Storage GB-s",
    "streamed_bytes": "Streamed bytes",
    "cost_usd": "USD at AWS",
}
#: Shown in the table only if there is any.
SELDOM = ("provisioned_gb_seconds", "storage_gb_seconds", "streamed_bytes")


def month_start_s(now_s: float) -> int:
    """The beginning of the month, in UTC, as bills have it. Epoch seconds."""
    now = utc(now_s)
    return int(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp())


def rows_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The groups, and the total as the last one."""
    total = dict.fromkeys(document["group_by"], "") | document["total"]
    if document["group_by"]:
        total[document["group_by"][0]] = "Total"
    return [*document["groups"], total]


def table(document: Mapping[str, Any]) -> list[str]:
    """The lines of the table that people read."""
    rows = rows_of(document)
    hidden = {name for name in SELDOM if not any(str(row[name]) != "0" for row in rows)}
    figures = {name: text for name, text in FIGURES.items() if name not in hidden}
    groups: Sequence[str] = document["group_by"]
    heads = [name.capitalize() for name in groups] + list(figures.values())
    cells = [[_cell(name, row[name]) for name in (*groups, *figures)] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at < len(groups) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (heads, *cells)
    ]


def _cell(name: str, value: Any) -> str:
    if name in ("requests", "errors", "billed_ms", "streamed_bytes"):
        return f"{value:,}"
    if name == "cost_usd":
        return f"{float(value):,.6f}"
    if name in FIGURES:
        return f"{float(value):,.3f}"
    if name == "day":
        return str(value)[:10]
    return str(value)


def write_csv(document: Mapping[str, Any]) -> None:
    """The groups as comma-separated values, without the total."""
    columns = [*document["group_by"], *FIGURES]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(document["groups"])


@click.command()
@click.option(
    "--from",
    "since",
    default=None,
    show_default="the month's beginning",
    help="From when on: an age (30m, 2h, 7d) or an ISO 8601 time. Whole minutes, in UTC.",
)
@click.option("--to", "until", default=None, show_default="now", help="Until when, likewise.")
@click.option("--function", default="", help="Only this function, by its name.")
@click.option("--region", default="", show_default="all", help="Only this region.")
@click.option(
    "--group-by",
    default="function",
    help=f"What a line is for: some of {', '.join(GROUPS)}, with commas; one time at most.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, exact.")
@click.option("--json", "as_json", is_flag=True, help="JSON, exact, with the price list's date.")
@data_dir_option
def usage(
    since: str | None,
    until: str | None,
    function: str,
    region: str,
    group_by: str,
    as_csv: bool,
    as_json: bool,
    data_dir: Path,
) -> None:
    """Show what functions used, and what it would have cost at AWS's list price."""
    now_s = SystemClock().now_s()
    query = {
        "from": str(
            month_start_s(now_s)
            if since is None
            else parse_since(since, now_s=now_s, option="--from") // 1000
        ),
        "group_by": group_by,
        "function": function,
        "region": region,
    }
    if until is not None:
        query["to"] = str(parse_since(until, now_s=now_s, option="--to") // 1000)
    path = f"/_alonzo/usage?{urlencode(sorted(query.items()))}"
    with plain_failures():
        document = get_document(path, data_dir, timeout_s=TIMEOUT_S)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    elif as_csv:
        write_csv(document)
    else:
        for line in table(document):
            click.echo(line)
        prices = document["prices"]
        click.echo(
            f"\n{document['from']} to {document['to']}. AWS's list prices of {prices['date']} for "
            f"{prices['region']}, without its free tier."
        )
