"""The store against a dictionary: the same operations give the same answers."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from alonzo.lib.clock import SystemClock
from alonzo.store.base import Connection, ConstraintError
from alonzo.store.sqlite import SqliteStore

KEYS = st.sampled_from("abcd")
UNITS = st.lists(
    st.lists(st.tuples(st.sampled_from(["insert", "put", "delete", "raise"]), KEYS), max_size=4),
    max_size=6,
)


class Refused(Exception):
    """Raised by units of work on purpose."""


def step(c: Connection, verb: str, key: str, value: int) -> int:
    if verb == "raise":
        raise Refused(key)
    c.publish("changed", key)
    return c.execute(
        {
            "insert": "INSERT INTO t VALUES (:k, :v)",
            "put": "INSERT INTO t VALUES (:k, :v) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
            "delete": "DELETE FROM t WHERE k = :k AND :v > 0",
        }[verb],
        {"k": key, "v": value},
    )


def step_in_model(rows: dict[str, int], verb: str, key: str, value: int) -> int:
    if verb == "raise":
        raise Refused(key)
    if verb == "insert" and key in rows:
        raise ConstraintError
    if verb == "delete":
        return 0 if rows.pop(key, None) is None else 1
    rows[key] = value
    return 1


def run_in_model(rows: dict[str, int], unit: list[tuple[str, str, int]]) -> list[int] | Exception:
    try:
        return [step_in_model(rows, *entry) for entry in unit]
    except (Refused, ConstraintError) as error:
        return error


class StoreAndModel(RuleBasedStateMachine):
    """Batches of concurrent units, some of which fail, and restarts in between."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.rows: dict[str, int] = {}
        self.heard: list[str] = []
        self.written = 0
        self.store = self.runner.run(self.open())

    async def open(self) -> SqliteStore:
        store = await SqliteStore.open(Path(self.folder.name) / "a.db", clock=SystemClock())
        await store.tx(
            lambda c: c.execute("CREATE TABLE IF NOT EXISTS t (k TEXT PRIMARY KEY, v INTEGER)")
        )
        store.subscribe("changed", self.heard.append)
        return store

    @rule(units=UNITS)
    def run_together(self, units: list[list[tuple[str, str]]]) -> None:
        self.heard.clear()
        numbered: list[list[tuple[str, str, int]]] = []
        for unit in units:
            numbered.append([(*entry, self.written + n + 1) for n, entry in enumerate(unit)])
            self.written += len(unit)

        async def main() -> list[Any]:
            return await asyncio.gather(
                *(
                    self.store.tx(lambda c, unit=unit: [step(c, *entry) for entry in unit])
                    for unit in numbered
                ),
                return_exceptions=True,
            )

        told: set[str] = set()
        for outcome, unit in zip(self.runner.run(main()), numbered, strict=True):
            tried = dict(self.rows)
            expected = run_in_model(tried, unit)
            if isinstance(expected, Exception):
                assert type(outcome) is type(expected)
            else:
                assert outcome == expected
                self.rows = tried
                told |= {key for _, key, _ in unit}
        assert set(self.heard) == told

    @rule()
    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.store = self.runner.run(self.open())

    @invariant()
    def rows_are_the_same(self) -> None:
        rows = self.runner.run(self.store.read(lambda c: c.all("SELECT k, v FROM t")))
        assert {row["k"]: row["v"] for row in rows} == self.rows

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()


TestStoreAndModel = StoreAndModel.TestCase
TestStoreAndModel.settings = settings(max_examples=15, stateful_step_count=10, deadline=None)
