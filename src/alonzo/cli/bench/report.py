"""Sections as plain tables."""

from __future__ import annotations

import textwrap

from alonzo.cli.bench.measure import Section, Value

WIDTH = 100


def cell(value: Value) -> str:
    """One value; three significant digits say all that such a measurement knows."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)


def render(section: Section) -> str:
    """The title, what the numbers mean, and the table."""
    names: list[str] = []
    for row in section.rows:
        names += [name for name in row if name not in names]
    lines = [names, *([cell(row.get(name, "")) for name in names] for row in section.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    table = [
        "  "
        + "  ".join(
            text.ljust(width) if isinstance(section.rows[0].get(name), str) else text.rjust(width)
            for text, width, name in zip(line, widths, names, strict=True)
        ).rstrip()
        for line in lines
    ]
    definition = textwrap.fill(
        section.definition, WIDTH, initial_indent="  ", subsequent_indent="  "
    )
    return "\n".join([section.title, definition, "", *table, ""])
