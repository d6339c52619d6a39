"""``alonzo storage`` on a data directory."""

import json
import os

import pytest
from click.testing import CliRunner

from alonzo.cli.storage import in_words, storage
from alonzo.daemon.storage import FOLDERS, PLATFORM, measure, owner_of
from alonzo.lib.clock import SystemClock
from alonzo.store.data_dir import DataDir
from alonzo.store.migrate import migrate

CONTENT = b"x" * 50_000


@pytest.fixture
def data_dir(tmp_path):
    path = tmp_path / "data"
    data = DataDir.open(path)
    migrate(data.db_path, clock=SystemClock())
    data.close()
    (path / "objects/ab").mkdir(parents=True)
    (path / "objects/ab/one").write_bytes(CONTENT)
    os.link(path / "objects/ab/one", path / "objects/ab/the-same")
    (path / "objects/elsewhere").symlink_to("/")
    return path


def run(data_dir, *options):
    return CliRunner().invoke(storage, [f"--data-dir={data_dir}", *options])


def test_every_folder_and_every_kind_of_table_has_its_line(data_dir):
    result = run(data_dir, "--tables")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("All of it")
    assert {f"{name}/" for name in FOLDERS} <= {line.split()[0] for line in lines}
    assert any("schema_migration" in line for line in lines)
    assert any("empty tables" in line for line in lines)


def test_json_adds_up(data_dir):
    found = json.loads(run(data_dir, "--json").output)
    database, folders = found["database"], found["folders"]
    assert found["total_bytes"] == (
        database["file_bytes"] + database["log_bytes"] + sum(folders.values())
    )
    tables = [each for service in database["services"].values() for each in service.values()]
    used = sum(each["table_bytes"] + each["index_bytes"] for each in tables)
    if database["exact"]:
        rest = database["file_bytes"] - used - database["empty_bytes"] - database["free_bytes"]
        # A page that says where others belong.
        assert 0 <= rest <= 4096


def test_a_file_with_two_names_counts_once_and_links_are_not_followed(data_dir):
    size = measure(data_dir).folders["objects"]
    assert len(CONTENT) <= size < 2 * len(CONTENT)


def test_every_table_belongs_to_a_service(data_dir):
    nobodys = {
        each.table for each in measure(data_dir).weights.tables if owner_of(each.table) == PLATFORM
    }
    assert nobodys == {"schema_migration", "sqlite_schema"}


def test_a_folder_without_a_platform_is_refused(tmp_path):
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "no platform's data" in result.output
    assert os.listdir(tmp_path) == []


def test_a_damaged_database_is_said_to_be_one(data_dir):
    (data_dir / "alonzo.db").write_bytes(b"?" * 10_000)
    result = run(data_dir)
    assert result.exit_code == 1
    assert "cannot read" in result.output


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"),
     (18_000_000, "18.0 MB"), (2_500_000_000, "2.5 GB"), (7 * 10**15, "7000.0 TB")],
)  # fmt: skip
def test_sizes_are_said_in_words(size, words):
    assert in_words(size) == words
