"""Named SQL statements of a room, read from its ``queries.sql``.

    -- name: find_function
    -- Why this statement is the way it is.
    SELECT document FROM function WHERE name = :name;

After ``Q = load(__package__)``, ``Q.find_function`` is the statement without its comments and final
semicolon. Names are lower-case words joined with underscores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pkgutil import get_data

_NAME_LINE = re.compile(r"^-- name:[ \t]*(\S*)[ \t]*$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COMMENT_LINE = re.compile(r"^\s*--.*$\n?", re.MULTILINE)


class QueryFileError(Exception):
    """A ``queries.sql`` is not of the form that the module describes."""


class Queries:
    """Statements by name, as attributes."""

    def __init__(self, statements: Mapping[str, str], *, source: str) -> None:
        self._statements = dict(statements)
        self._source = source

    def __getattr__(self, name: str) -> str:
        try:
            return self._statements[name]
        except KeyError:
            raise AttributeError(f"{self._source} has no statement named {name!r}") from None

    def __dir__(self) -> list[str]:
        return sorted(self._statements)


def load(package: str) -> Queries:
    """Read ``queries.sql`` of a package, given by its dotted name.

    Raises:
        QueryFileError: the file is missing, or not of the form above.
    """
    source = f"{package}/queries.sql"
    try:
        data = get_data(package, "queries.sql")
    except FileNotFoundError as error:
        raise QueryFileError(f"{source} does not exist") from error
    assert data is not None, f"{package} is a package with a loader"
    return Queries(parse(data.decode(), source=source), source=source)


def parse(text: str, *, source: str) -> dict[str, str]:
    """The statements of a file by name; ``source`` names the file in errors.

    Raises:
        QueryFileError: a name is malformed or used twice, or a statement is empty or has no name.
    """
    before, *named = _NAME_LINE.split(text)
    if _COMMENT_LINE.sub("", before).strip():
        raise QueryFileError(f"{source} has a statement before the first name")
    statements: dict[str, str] = {}
    for name, body in zip(named[::2], named[1::2], strict=True):
        statement = _COMMENT_LINE.sub("", body).strip().removesuffix(";").rstrip()
        if _NAME.fullmatch(name) is None:
            raise QueryFileError(f"{source} has a malformed name: {name!r}")
        if name in statements:
            raise QueryFileError(f"{source} names {name} twice")
        if not statement:
            raise QueryFileError(f"{source} has no statement for {name}")
        statements[name] = statement
    return statements
