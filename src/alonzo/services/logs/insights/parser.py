"""A query's text to its commands, and to the columns of its result. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from alonzo.services.logs.insights.aggregates import SUMS, Count, Spread, Sum, percentile
from alonzo.services.logs.insights.bounds import Bounds, Room
from alonzo.services.logs.insights.commands import (
    ROWS_MAX,
    Command,
    Dedup,
    Fields,
    Figure,
    Filter,
    Limit,
    Parse,
    Sort,
    Stats,
    glob_reader,
)
from alonzo.services.logs.insights.expressions import Expression, parse_expression, read_regex
from alonzo.services.logs.insights.scanner import Scanner, malformed

_DEFAULT_COLUMNS = ("@timestamp", "@message")
_STATS_MAX = 2
_COMMANDS_MAX = 100
#: Commands of the language that are refused by name.
_REFUSED = frozenset(
    ("anomaly", "diff", "filterindex", "join", "lookup", "pattern", "source", "unmask", "unnest")
)


@dataclass(slots=True)
class Query:
    """A query as it was read. ``makers`` make its commands anew for each run.

    ``columns`` are those of a result, ``times`` the ones that are shown as times.
    """

    makers: list[Callable[[], Command]] = field(default_factory=list[Callable[[], Command]])
    columns: list[str] = field(default_factory=list[str])
    bounds: Bounds = field(default_factory=Bounds)
    times: set[str] = field(default_factory=set[str])
    stats: int = 0
    has_limit: bool = False

    def show(self, name: str) -> None:
        """Add a column."""
        if name not in self.columns:
            self.columns.append(name)


def parse_query(text: str, limit: int) -> Query:
    """Read a query; ``limit`` is for one that has none of its own.

    Raises:
        MalformedQueryException: it is none, or needs what is not supported.
    """
    scanner = Scanner(text)
    query = Query(bounds=scanner.bounds)
    fields: list[str] = []
    parsed: list[str] = []
    while True:
        _command(scanner, query, fields, parsed)
        if scanner.at_end:
            break
        scanner.need("|")
        if scanner.at_end:
            break
        if len(query.makers) >= _COMMANDS_MAX:
            raise scanner.error("the query has too many commands")
    if not query.columns:
        query.columns = fields or [*_DEFAULT_COLUMNS, *parsed]
    query.times |= {"@timestamp", "@ingestionTime"}
    if not query.has_limit:
        query.makers.append(lambda: Limit(min(limit, ROWS_MAX)))
    return query


def _command(scanner: Scanner, query: Query, fields: list[str], parsed: list[str]) -> None:
    start = scanner.at
    word = scanner.word()
    reader = _READERS.get(word)
    if reader is not None:
        scanner.take_word(word)
        reader(scanner, query)
        return
    if scanner.take_word("fields"):
        _fields(scanner, query, fields)
    elif scanner.take_word("parse"):
        _parse(scanner, query, parsed)
    elif word in _REFUSED:
        raise malformed(f"the command {word} is not supported", start, start + len(word))
    else:
        raise scanner.error("expected a command")


def _named(scanner: Scanner) -> tuple[str, Expression]:
    """An expression, and the name that it has or is given."""
    made = parse_expression(scanner)
    name = made.field or made.text
    if scanner.take_word("as"):
        name = scanner.field()
    return name, made


def _fields(scanner: Scanner, query: Query, fields: list[str]) -> None:
    made = [_named(scanner)]
    while scanner.take(",") or not (scanner.at_end or scanner.peek("|")):
        made.append(_named(scanner))
    for name, each in made:
        if name not in fields:
            fields.append(name)
        if each.is_time:
            query.times.add(name)
    query.makers.append(lambda: Fields(made))


def _display(scanner: Scanner, query: Query) -> None:
    query.columns = [scanner.field()]
    while scanner.take(","):
        query.show(scanner.field())


def _filter(scanner: Scanner, query: Query) -> None:
    condition = parse_expression(scanner)
    query.makers.append(lambda: Filter(condition))


def _parse(scanner: Scanner, query: Query, parsed: list[str]) -> None:
    scanner.skip()
    start = scanner.at
    source = Expression("@message", lambda row: row.get("@message"), "@message")
    if not (scanner.peek("/") or scanner.peek("'") or scanner.peek('"')):
        source = _field_of(scanner)
    pattern = scanner.regex()
    if pattern is not None:
        regex = read_regex(scanner, pattern)
        read, names = regex.find, list(regex.names)
        if not names:
            raise scanner.error("expected groups with names in the regular expression")
    else:
        glob = scanner.quoted()
        if glob is None:
            raise scanner.error("expected a glob in quotes or a regular expression")
        read, names = glob_reader(glob), _names(scanner)
        if glob.count("*") != len(names):
            asterisks = glob.count("*")
            raise malformed(
                f"the glob has {asterisks} asterisks for {len(names)} fields", start, scanner.at
            )
    parsed += [name for name in names if name not in parsed]
    query.makers.append(lambda: Parse(source, read, names))


def _names(scanner: Scanner) -> list[str]:
    if not scanner.take_word("as"):
        raise scanner.error("expected as")
    names = [scanner.field()]
    while scanner.take(","):
        names.append(scanner.field())
    return names


def _field_of(scanner: Scanner) -> Expression:
    name = scanner.field()
    return Expression(name, lambda row: row.get(name), name)


def _dedup(scanner: Scanner, query: Query) -> None:
    fields = [_field_of(scanner)]
    while scanner.take(","):
        fields.append(_field_of(scanner))
    query.makers.append(lambda: Dedup(fields))


def _limit(scanner: Scanner, query: Query) -> None:
    number = scanner.number()
    if not isinstance(number, int) or not 1 <= number <= ROWS_MAX:
        raise scanner.error(f"expected a number of rows from 1 to {ROWS_MAX}")
    query.has_limit = True
    query.makers.append(lambda: Limit(number))


def _sort(scanner: Scanner, query: Query) -> None:
    keys = [_sort_key(scanner)]
    while scanner.take(","):
        keys.append(_sort_key(scanner))
    query.makers.append(lambda: Sort(keys))


def _sort_key(scanner: Scanner) -> tuple[Expression, bool]:
    scanner.skip()
    start = scanner.at
    made = parse_expression(scanner)
    if made.field is None:
        # A column of stats may be called as it was worked out: sort avg(x) desc.
        name = scanner.text[start : scanner.at].strip()
        of = made.of
        made = Expression(name, lambda row: row.values[name] if name in row.values else of(row))
    direction = scanner.take_word("asc", "desc")
    return made, direction == "desc"


def _stats(scanner: Scanner, query: Query) -> None:
    query.stats += 1
    if query.stats > _STATS_MAX:
        raise scanner.error(f"a query has at most {_STATS_MAX} stats commands")
    figures = [_figure(scanner)]
    while scanner.take(",") or not (scanner.at_end or scanner.peek("|") or scanner.word() == "by"):
        figures.append(_figure(scanner))
    groups: list[tuple[str, Expression]] = []
    if scanner.take_word("by"):
        groups.append(_named(scanner))
        while scanner.take(",") or not (scanner.at_end or scanner.peek("|")):
            groups.append(_named(scanner))
    query.times = {name for name, each in groups if each.is_time}
    query.columns = [name for name, _ in groups]
    for each in figures:
        query.show(each.name)
    query.makers.append(lambda: Stats(figures, groups))


def _figure(scanner: Scanner) -> Figure:
    scanner.skip()
    start = scanner.at
    name = scanner.word()
    make = _sum_of(scanner, name)
    shown = scanner.text[start : scanner.at].strip()
    if scanner.take_word("as"):
        shown = scanner.field()
    return Figure(shown, make)


def _sum_of(scanner: Scanner, name: str) -> Callable[[Room], Sum]:
    if name not in ("count", "pct") and name not in SUMS:
        raise scanner.error("expected a function of stats")
    scanner.take_word(name)
    scanner.need("(")
    if name == "count":
        of = None
        if not (scanner.take("*") or scanner.peek(")")):
            of = parse_expression(scanner).of
        scanner.need(")")
        return lambda _: Count(of)
    made = parse_expression(scanner)
    if name != "pct":
        scanner.need(")")
        make = SUMS[name]
        return lambda room: make(made, room)
    scanner.need(",")
    percent = scanner.number()
    if percent is None or not 0 <= percent <= 100:
        raise scanner.error("expected a percentage")
    scanner.need(")")
    work_out = percentile(percent)
    return lambda room: Spread(made.of, work_out, room)


_READERS: dict[str, Callable[[Scanner, Query], None]] = {
    "display": _display,
    "filter": _filter,
    "dedup": _dedup,
    "limit": _limit,
    "sort": _sort,
    "stats": _stats,
}
