"""Ten thousand functions: the platform starts, pages through all of them, and runs any of them.

They are copies of a function that was deployed, put into the database of a stopped platform: making
them one by one would test the making.
"""

import sqlite3
import time
from contextlib import closing

import pytest

from alonzo.testing.functions import deploy

MANY = 10_000
FIRST = "f00000"
COPY = """
WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < :last)
INSERT INTO {table} SELECT {columns} FROM {table}, counted
"""


def copied(database, table):
    """Give a table a row of every further function for each of the first one's."""
    names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    new = "'f' || substr('00000' || n, -5)"
    columns = (f"replace({name}, '{FIRST}', {new})" if name in TEXTS else name for name in names)
    database.execute(COPY.format(table=table, columns=", ".join(columns)), {"last": MANY - 1})


#: Columns that hold the function's name, alone or somewhere.
TEXTS = {"name", "document", "serving"}


@pytest.mark.nightly
def test_ten_thousand_functions_start_list_page_and_run(own_platform, record_property):
    platform = own_platform()
    deploy(platform.client("lambda"), FIRST, "def handler(event, context): return event")
    platform.stop()
    with closing(sqlite3.connect(platform.data_dir / "alonzo.db")) as database, database:
        copied(database, "function")
        copied(database, "function_version")
    began_s = time.perf_counter()
    platform.start()
    record_property("start_s", time.perf_counter() - began_s)
    began_s = time.perf_counter()
    client = platform.client("lambda")
    for every in ({}, {"FunctionVersion": "ALL"}):
        pages = list(client.get_paginator("list_functions").paginate(**every))
        shown = [entry["FunctionName"] for page in pages for entry in page["Functions"]]
        assert shown == [f"f{number:05}" for number in range(MANY)]
        assert len(pages) == MANY // 50
    record_property("two_lists_of_all_s", time.perf_counter() - began_s)
    usage = client.get_account_settings()["AccountUsage"]
    assert usage["FunctionCount"] == MANY
    for name in ("f00001", "f09999"):
        answer = client.invoke(FunctionName=name, Payload=b"7")
        assert (answer["Payload"].read(), "FunctionError" in answer) == (b"7", False)
        client.update_function_configuration(FunctionName=name, Timeout=9)
        client.delete_function(FunctionName=name)
    assert client.get_account_settings()["AccountUsage"]["FunctionCount"] == MANY - 2
