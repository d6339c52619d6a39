"""Properties of what the store reads and writes as text and bytes."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alonzo.store.blob_file import BlobCorruptError
from alonzo.store.blobs import BlobStore
from alonzo.store.dialect import parameter_names, to_pyformat
from alonzo.store.migrate import split_statements
from alonzo.store.queries import QueryFileError, parse

CONTENT = b"".join(bytes([n % 251]) for n in range(1000))
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
LITERALS = st.text(alphabet="ab:%'\" -\n/*", max_size=8).map(
    lambda text: "'" + text.replace("'", "''") + "'"
)


@given(st.lists(st.one_of(NAMES.map(lambda name: f":{name}"), LITERALS), min_size=1))
def test_a_translated_statement_means_the_same(parts: list[str]) -> None:
    """psycopg renders ``%(name)s`` and ``%%``; so does Python, which serves as the oracle."""
    sql = "SELECT " + ", ".join(parts)
    values = {name: f"<{name}>" for name in parameter_names(sql)}
    rendered = to_pyformat(sql) % values
    expected = ", ".join(f"<{p[1:]}>" if p.startswith(":") else p for p in parts)
    assert rendered == f"SELECT {expected}"


@given(st.lists(LITERALS, max_size=6))
def test_splitting_a_script_keeps_every_statement(literals: list[str]) -> None:
    script = "".join(f"SELECT {literal};\n" for literal in literals)
    statements = list(split_statements(script))
    assert "".join(statements).strip() == script.strip()
    db = sqlite3.connect(":memory:")
    assert [db.execute(s).fetchone()[0] for s in statements] == [
        literal[1:-1].replace("''", "'") for literal in literals
    ]
    db.close()


@given(st.dictionaries(NAMES, LITERALS, max_size=5))
def test_statements_are_found_under_their_names(statements: dict[str, str]) -> None:
    one_line = {n: "SELECT " + s.replace("\n", " ") for n, s in statements.items()}
    text = "".join(f"-- name: {name}\n{sql};\n\n" for name, sql in one_line.items())
    assert parse(text, source="s") == one_line


@given(st.text(alphabet="-name: \nab;S", max_size=60))
def test_any_text_is_queries_or_a_named_error(text: str) -> None:
    try:
        statements = parse(text, source="s")
    except QueryFileError:
        return
    assert all(name and sql for name, sql in statements.items())


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> tuple[BlobStore, Path]:
    folder = tmp_path_factory.mktemp("blobs")
    blobs = BlobStore(folder, bytes(32))
    return blobs, folder / asyncio.run(blobs.put(CONTENT)).sha256


@given(data=st.data())
def test_no_flipped_bit_of_a_blob_gives_wrong_data(
    blob: tuple[BlobStore, Path], data: st.DataObject
) -> None:
    blobs, path = blob
    good = path.read_bytes()
    bad = bytearray(good)
    bad[data.draw(st.integers(0, len(good) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with tempfile.TemporaryDirectory() as folder:
        copy = BlobStore(Path(folder), bytes(32))
        (Path(folder) / path.name).write_bytes(bad)
        with pytest.raises(BlobCorruptError):
            asyncio.run(copy.read(path.name))
    assert asyncio.run(blobs.read(path.name)) == CONTENT
