"""Which migrations are run, and which databases are refused."""

from pathlib import Path

import pytest

from alonzo.store import migrate
from alonzo.store.migrate import Migration, MigrationError, load, plan_pending, split_statements

THREE = tuple(Migration(n, f"000{n}_pre_x.sql", "", f"digest{n}") for n in (1, 2, 3))


def test_a_new_database_needs_every_migration() -> None:
    assert plan_pending(THREE, {}) == THREE


def test_only_the_missing_migrations_are_pending() -> None:
    assert plan_pending(THREE, {1: "digest1", 2: "digest2"}) == THREE[2:]


def test_an_edited_migration_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"0002_pre_x.sql was edited after"):
        plan_pending(THREE, {1: "digest1", 2: "other"})


def test_a_newer_database_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"schema 0004.*only 0003.*newer release"):
        plan_pending(THREE, {n: f"digest{n}" for n in (1, 2, 3, 4)})


def test_a_skipped_migration_is_refused() -> None:
    with pytest.raises(MigrationError, match=r"0002_pre_x.sql was skipped"):
        plan_pending(THREE, {1: "digest1", 3: "digest3"})


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["0001_pre_a.sql", "0003_pre_b.sql"], "should have number 0002"),
        (["0001_pre_a.sql", "0001_pre_b.sql"], "should have number 0002"),
        (["0001_a.sql"], "not of the form"),
        (["1_pre_a.sql"], "not of the form"),
    ],
)
def test_misnamed_files_are_refused(tmp_path: Path, names: list[str], complaint: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(MigrationError, match=complaint):
        load(tmp_path)


def test_our_own_migrations_are_well_formed() -> None:
    assert [m.number for m in load(migrate.FOLDER)] == list(range(1, len(load(migrate.FOLDER)) + 1))


def test_statements_end_at_semicolons_that_are_no_part_of_them() -> None:
    script = (
        "CREATE TABLE a (x TEXT DEFAULT ';'); -- one; two\n"
        "CREATE TRIGGER g AFTER INSERT ON a BEGIN DELETE FROM a; SELECT 1; END;\n"
        "DROP TABLE a"
    )
    assert [" ".join(s.split()[:2]) for s in split_statements(script)] == [
        "CREATE TABLE",
        "-- one;",
        "DROP TABLE",
    ]
