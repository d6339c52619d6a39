"""``alonzo storage``: what fills the disk, by service, table and folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alonzo.cli.options import data_dir_option
from alonzo.model.errors import PlatformError

if TYPE_CHECKING:
    from alonzo.daemon.storage import Stored

_UNITS = ("B", "kB", "MB", "GB", "TB")
_WIDTH = 34


@click.command()
@click.option("--tables", is_flag=True, help="Each table of the database too, with its rows.")
@click.option("--json", "as_json", is_flag=True, help="JSON: every table, in bytes.")
@data_dir_option
def storage(tables: bool, as_json: bool, data_dir: Path) -> None:
    """Show what fills the disk. Reads only, whether the platform runs or not."""
    from alonzo.daemon import storage as daemon_storage

    data_dir = data_dir.expanduser()
    if not (data_dir / daemon_storage.DATABASE).is_file():
        raise click.ClickException(f"there is no platform's data in {data_dir}; see --data-dir")
    try:
        stored = daemon_storage.measure(data_dir)
    except PlatformError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(document_of(stored), indent=2))
        return
    for line in lines_of(stored, daemon_storage.FOLDERS, with_tables=tables):
        click.echo(line)


def document_of(stored: Stored) -> dict[str, Any]:
    """All of it as JSON; sizes are bytes."""
    weights = stored.weights
    return {
        "total_bytes": stored.total_bytes,
        "database": {
            "file_bytes": weights.file_bytes,
            "free_bytes": weights.free_bytes,
            "log_bytes": weights.log_bytes,
            "empty_bytes": stored.empty_bytes,
            "exact": weights.exact,
            "services": {
                name: {each.table: _figures(asdict(each)) for each in found}
                for name, found in stored.services().items()
            },
        },
        "folders": dict(stored.folders),
    }


def _figures(table: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in table.items() if name != "table"}


def lines_of(stored: Stored, meanings: dict[str, str], *, with_tables: bool) -> Iterator[str]:
    """The lines that people read."""
    weights = stored.weights
    yield _line("All of it", stored.total_bytes)
    yield _line("Database", weights.file_bytes)
    for name, found in stored.services().items():
        yield _line(f"  {name}", sum(each.total_bytes for each in found))
        for each in found if with_tables else ():
            rows = f"{each.rows:,} row{'' if each.rows == 1 else 's'}"
            yield _line(f"    {each.table}", each.total_bytes, rows)
    yield _line("  empty tables", stored.empty_bytes)
    yield _line("  free pages", weights.free_bytes, "used again, or given back")
    yield _line("Write-ahead log", weights.log_bytes)
    for name, size in stored.folders.items():
        yield _line(f"{name}/", size, meanings[name])
    if not weights.exact:
        yield "\nSQLite is built without dbstat here: tables are sums of lengths, and count less."


def _line(name: str, size: int, note: str = "") -> str:
    return f"{name:<{_WIDTH}}{in_words(size):>10}  {note}".rstrip()


def in_words(size: int) -> str:
    """Bytes in the unit that leaves a number below a thousand."""
    value, units = float(size), iter(_UNITS)
    unit = next(units)
    while value >= 999.95 and unit != _UNITS[-1]:
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
