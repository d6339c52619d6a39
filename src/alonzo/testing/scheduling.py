"""Scheduler over a real store, with a clock that a test owns, and targets that it decides about."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.model.context import Principal, RequestContext
from alonzo.model.deliveries import RoleUse, ServiceCall
from alonzo.services.scheduler.api import Schedules, operations
from alonzo.store.base import Row, Store
from alonzo.store.outbox import Parcel
from alonzo.store.sqlite import SqliteStore

ACCOUNT, REGION = "123456789012", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/clockwork"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
DEAD_LETTERS = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
CONTEXT = RequestContext(
    "r",
    ACCOUNT,
    REGION,
    Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "", is_root=True),
    "",
    "127.0.0.1",
)


class Targets:
    """Calls that are made; ``fail`` decides of each, by the error it answers.

    Stands for roles that let everybody in and may call what is here, which is SQS.
    """

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.fail: Callable[[ServiceCall], Exception | None] = lambda call: None
        self.trusted = True

    def offers(self, service: str) -> bool:
        """Whether the service runs here."""
        return service == "sqs"

    def is_offered(self, service: str, action: str) -> bool:
        """No operation is."""
        return False

    def read(self, service: str, action: str, document: bytes) -> ServiceCall:
        """No call is written down here."""
        raise AssertionError(f"{service}:{action}")

    async def lets_in(self, role_arn: str, service: str, *, account: str, source_arn: str) -> bool:
        """As long as ``trusted`` says so."""
        return self.trusted

    async def call(self, call: ServiceCall, use: RoleUse) -> Mapping[str, Any] | None:
        """Remember a call that does not fail."""
        error = self.fail(call)
        if error is not None:
            raise error
        self.calls.append(call.params)
        return None


class Clockwork:
    """Scheduler as it is between two starts."""

    def __init__(self, store: Store, clock: ManualClock, targets: Targets, chance: float) -> None:
        self.store = store
        self.clock = clock
        self.targets = targets
        anything: Any = targets
        self.parts = Schedules(
            store,
            anything,
            anything,
            anything,
            anything,
            clock=clock,
            ids=SequentialIds(),
            chance=lambda: chance,
        )
        self._operations = operations(self.parts)

    async def do(self, operation: str, name: str, **params: Any) -> Mapping[str, Any]:
        """Call an operation on a schedule; it has a rate and a queue if nothing else is said."""
        if operation in ("CreateSchedule", "UpdateSchedule"):
            target = {"Arn": QUEUE, "RoleArn": ROLE, "Input": name} | params.pop("Target", {})
            defaults = {
                "ScheduleExpression": "rate(1 minute)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
            }
            params = {**defaults, **params, "Target": target}
        answer = await self._operations[operation](CONTEXT, {"Name": name, **params})
        assert answer is not None
        return answer

    async def fire(self) -> list[tuple[str, float]]:
        """Fire all that is due; answers names and ticks of what is on its way from now on."""
        before = {row["id"] for row in await self._rows()}
        while await self.parts.ticker.fire_due():
            pass
        rows = [row for row in await self._rows() if row["id"] not in before]
        found = [_parcel(row) for row in rows]
        return [(p.about["arn"].rpartition("/")[2], p.about["tick_at_s"]) for p in found]

    async def parcels(self) -> list[Parcel]:
        """What is on its way."""
        return [_parcel(row) for row in await self._rows()]

    async def ticks(self) -> Mapping[str, float | None]:
        """When schedules are looked at next, by name."""
        rows = await self.store.read(lambda db: db.all("SELECT name, tick_at_s FROM schedule"))
        return {row["name"]: row["tick_at_s"] for row in rows}

    async def _rows(self) -> list[Row]:
        sql = "SELECT * FROM outbox WHERE sender = 'scheduler' ORDER BY id"
        return await self.store.read(lambda db: db.all(sql))


def _parcel(row: Row) -> Parcel:
    return Parcel(
        row["id"],
        row["lane"],
        json.loads(row["about"]),
        row["document"],
        row["attempts"],
        row["accepted_at_s"],
    )


@asynccontextmanager
async def clockwork(
    path: Path, clock: ManualClock, *, chance: float = 0.5
) -> AsyncGenerator[Clockwork]:
    """Start over what a former one has left in a folder."""
    store = await SqliteStore.open(path / "db", clock=clock)
    try:
        yield Clockwork(store, clock, Targets(), chance)
    finally:
        await store.close()
