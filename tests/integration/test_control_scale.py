"""Ten thousand functions cost no request more than it reads: every statement finds its rows."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from alonzo.control.records import Q
from alonzo.testing.control import open_control

#: Statements that requests and the deployer run, and that look at more than one row.
STATEMENTS = (
    "list_page",
    "list_page_all_versions",
    "list_versions",
    "list_deploying",
    "list_aliases",
    "list_aliases_of_version",
    "usage",
)
#: Read as a whole: it holds nothing but what is to be done.
INDEX_OF_WORK = "USING INDEX function_version_due"
_COSTLY = re.compile(r"SCAN (?!CONSTANT)|USE TEMP B-TREE")
_PARAMETER = re.compile(r":([a-z_0-9]+)")


def test_no_statement_reads_a_whole_table_or_sorts(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_control(tmp_path) as rig:
            for name in STATEMENTS:
                sql = getattr(Q, name)
                values = dict.fromkeys(_PARAMETER.findall(sql), "1")
                plan = await rig.store.read(
                    lambda db, sql=sql, values=values: db.all(f"EXPLAIN QUERY PLAN {sql}", values)
                )
                for step in (row["detail"] for row in plan):
                    if not step.endswith(INDEX_OF_WORK):
                        assert not _COSTLY.match(step), (name, step)

    asyncio.run(main())
