"""Sections as plain tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from alonzo.cli.bench.figures import Section, Value

WIDTH = 100

#: From so many processors taken by others on, a number says more about them than about us.
NOISY_CORES = 0.15


def cell(value: Value) -> str:
    """One value; three significant digits say all that such a measurement knows."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def head(facts: Mapping[str, str], warnings: Sequence[str]) -> str:
    """The machine, and what to know before reading on."""
    width = max(map(len, facts))
    lines = [f"{name.ljust(width)}  {value}" for name, value in facts.items()]
    lines += [
        textwrap.fill(f"WARNING: {warning}", WIDTH, subsequent_indent="  ") for warning in warnings
    ]
    return "\n".join([*lines, ""])


def render(section: Section) -> str:
    """The title, what the numbers mean, and the table."""
    title = section.title
    if section.noise_cores is not None and section.noise_cores >= NOISY_CORES:
        title += f"   (NOISY: others used {section.noise_cores:.1f} processors meanwhile)"
    definition = textwrap.fill(
        section.definition, WIDTH, initial_indent="  ", subsequent_indent="  "
    )
    return "\n".join([title, definition, "", *table(section), ""])


def table(section: Section) -> list[str]:
    """Columns in the order in which rows name them; text to the left, numbers to the right."""
    names = list(dict.fromkeys(name for row in section.rows for name in row))
    lines = [names, *([cell(row.get(name, "")) for name in names] for row in section.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    left = [is_text(section, name) for name in names]
    return [
        "  "
        + "  ".join(
            text.ljust(width) if to_left else text.rjust(width)
            for text, width, to_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    ]


def is_text(section: Section, name: str) -> bool:
    """Whether a column holds words. Ratios are text, and stand as numbers do."""
    values = [row[name] for row in section.rows if row.get(name) is not None]
    return not name.startswith("/") and any(isinstance(value, str) for value in values)
