"""Whatever services have stored has their group opened at the next start."""

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest

import alonzo
from alonzo.daemon.services import GROUPS
from alonzo.lib.clock import ManualClock
from alonzo.store.queries import load
from alonzo.store.sqlite import SqliteStore

SENDER = re.compile(r'\bOutbox\(store, clock, "(\w+)"\)')
STORED = load("alonzo.daemon").stored
#: What tables begin with that are of Lambda, IAM, the writers of logs and metrics, the store.
ALWAYS_THERE = (
    *("async_", "code_", "event_source_mapping", "function", "iam_", "layer"),
    *("log_chunk", "log_group", "log_stream", "metric", "schema_migration"),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A database with every table, all of them empty."""

    async def make():
        found = tmp_path_factory.mktemp("stored") / "a.db"
        store = await SqliteStore.open(found, clock=ManualClock())
        await store.close()
        return found

    return asyncio.run(make())


@pytest.fixture
def db(path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("BEGIN")
    yield db
    db.execute("ROLLBACK")
    db.close()


def tables(db):
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return sorted(name for (name,) in found if not name.startswith("sqlite_"))


def insert(db, table, **values):
    """A row with something in every column that needs it."""
    for _, column, kind, _, default, _ in db.execute(f"PRAGMA table_info({table})").fetchall():
        if default is None:
            values.setdefault(column, {"BLOB": b"x", "TEXT": "x"}.get(kind, 1))
    marks = ", ".join("?" * len(values))
    columns = ", ".join(f'"{each}"' for each in values)
    db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values.values()))


def stored(db):
    return {name for (name,) in db.execute(STORED)}


def test_nothing_stored_opens_nothing(db):
    assert stored(db) == set()


def test_a_row_in_any_table_of_a_group_opens_the_group(db):
    opened = {}
    for table in tables(db):
        if table.startswith(ALWAYS_THERE) or table == "outbox":
            continue
        db.execute("SAVEPOINT one")
        insert(db, table)
        (opened[table],) = stored(db)
        db.execute("ROLLBACK TO one")
    assert set(opened.values()) == set(GROUPS.values())
    assert len(opened) > 40


def test_what_is_always_there_opens_nothing(db):
    for table in tables(db):
        if table.startswith(ALWAYS_THERE) and table != "schema_migration":
            insert(db, table)
    assert stored(db) == set()


def test_what_is_on_its_way_opens_the_group_of_its_sender(db):
    """The senders are those of the code; one that is not known opens every group."""
    sources = Path(alonzo.__file__).parent.rglob("*.py")
    senders = {found for each in sources for found in SENDER.findall(each.read_text())}
    assert len(senders) == 5
    for sender in senders:
        db.execute("SAVEPOINT one")
        insert(db, "outbox", sender=sender)
        assert stored(db) == {GROUPS[sender]}
        db.execute("ROLLBACK TO one")
    insert(db, "outbox", sender="a new one")
    assert stored(db) == {None}
