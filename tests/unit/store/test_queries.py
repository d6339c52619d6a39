"""Named statements of a queries.sql."""

import sys
from pathlib import Path

import pytest

from alonzo.store.queries import Queries, QueryFileError, load, parse

TWO = """
-- What this file is about.

-- name: find
-- Why.
SELECT 1
  FROM t; -- no comment line

-- name: remove_all
DELETE FROM t;
"""


def test_statements_lose_their_comments_and_final_semicolon() -> None:
    statements = parse("-- name: find\n-- Why.\nSELECT 1\n  FROM t;\n", source="s")
    assert statements == {"find": "SELECT 1\n  FROM t"}


def test_each_name_starts_a_statement() -> None:
    assert list(parse(TWO, source="s")) == ["find", "remove_all"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "names a twice"),
        ("-- name: A-b\nSELECT 1;", "malformed name: 'A-b'"),
        ("-- name:\nSELECT 1;", "malformed name: ''"),
        ("-- name: a\n-- Nothing here.\n", "no statement for a"),
        ("SELECT 1;\n-- name: a\nSELECT 2;", "before the first name"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name(text: str, complaint: str) -> None:
    with pytest.raises(QueryFileError, match=f"room/queries.sql.*{complaint}"):
        parse(text, source="room/queries.sql")


def test_an_unknown_statement_is_named_in_the_error() -> None:
    queries = Queries({"find": "SELECT 1"}, source="room/queries.sql")
    assert queries.find == "SELECT 1"
    assert dir(queries) == ["find"]
    with pytest.raises(AttributeError, match=r"room/queries.sql has no statement named 'fnid'"):
        queries.fnid  # noqa: B018 - the look-up is what fails


def test_load_reads_the_file_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("room_with_queries", "room_without"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "room_with_queries" / "queries.sql").write_text("-- name: find\nSELECT 1;\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert load("room_with_queries").find == "SELECT 1"
    with pytest.raises(QueryFileError, match=r"room_without/queries.sql does not exist"):
        load("room_without")
