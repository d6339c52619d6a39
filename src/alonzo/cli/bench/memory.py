"""Measurements of the platform itself: how long it takes to start, and what it weighs."""

from __future__ import annotations

from collections.abc import Iterator

from alonzo.cli.bench.figures import Section, Value, times
from alonzo.cli.bench.functions import python
from alonzo.cli.bench.processes import pss_mib, tree
from alonzo.cli.bench.target import Platform
from alonzo.cli.bench.workbench import SERVE, UNPARKED, Workbench

FURTHER = 50


def start(bench: Workbench) -> Iterator[Section]:
    """How long it takes until it listens."""
    section = Section(
        "Start",
        "From starting 'alonzo serve' with an empty data directory until it listens: the "
        "interpreter, imports, database, probe of the host, root key.",
    )
    taken: list[float] = []
    for _ in range(bench.effort.starts):
        with bench.started(*SERVE) as platform:
            taken.append(platform.server.start_s)
    section.rows.append({"what": "alonzo serve", **times(taken)})
    yield section


def memory(bench: Workbench) -> Iterator[Section]:
    """What the platform and its environments weigh."""
    section = Section(
        "Memory",
        "Proportional set size (PSS) of all processes of a platform of its own at rest. What it "
        "keeps parked for first calls is stated apart: the first rows are of a platform that "
        "keeps nothing.",
    )
    with bench.started(*UNPARKED) as platform:
        _weigh(section, platform, "one function with one environment")
        one = section.rows[-1]["MiB"]
        platform.warm_up(1 + FURTHER, "weigh")
        platform.rest()
        _weigh(section, platform, f"and {FURTHER} further idle environments of it")
        many = section.rows[-1]["MiB"]
    section.rows.append(
        {"what": "  each of these", "MiB": _difference(many, one, FURTHER), "n": FURTHER}
    )
    with bench.started(*SERVE) as platform:
        _weigh(section, platform, "one function, with what is parked by default")
    section.rows.append(
        {"what": "  more, for what is parked", "MiB": _difference(section.rows[-1]["MiB"], one, 1)}
    )
    yield section


def _weigh(section: Section, platform: Platform, what: str) -> None:
    if not section.rows or "by default" in what:
        platform.create("weigh", python())
        platform.warm_up(1, "weigh")
        platform.rest()
    pid = platform.server.pid
    section.rows.append(
        {
            "what": what,
            "MiB": pss_mib(pid),
            "daemon alone MiB": pss_mib(pid, below=False),
            "processes": sum(1 for _ in tree(pid)),
        }
    )


def _difference(more: Value, less: Value, parts: int) -> float | None:
    if not isinstance(more, float) or not isinstance(less, float):
        return None
    return (more - less) / parts
