"""The message half of SQS in this process: real operations over a real store, a clock of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import SystemIds
from alonzo.model.context import Principal, RequestContext
from alonzo.services.sqs import records
from alonzo.services.sqs.directory import Directory, Unit
from alonzo.services.sqs.messages import api
from alonzo.services.sqs.messages.core import Messages
from alonzo.services.sqs.queue import Queue, QueueKey
from alonzo.store.sqlite import SqliteStore

ACCOUNT = "123456789012"
REGION = "eu-west-1"
ROOT = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIA", is_root=True)
CONTEXT = RequestContext("r", ACCOUNT, REGION, ROOT, "http://localhost", "127.0.0.1")


class QueuesInProcess:
    """Queues, and their messages, until ``close``. Made by ``open``, for the running loop."""

    def __init__(self, store: SqliteStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.directory = Directory(store)
        self.messages = Messages(store, self.directory, clock=clock, ids=SystemIds())
        self.operations = api.operations(self.messages)

    @classmethod
    async def open(cls, folder: Path, clock: Clock) -> QueuesInProcess:
        """Open the database of that folder."""
        queues = cls(await SqliteStore.open(folder / "a.db", clock=clock), clock)
        await queues.directory.open()
        return queues

    async def make(self, name: str, attributes: Mapping[str, str] | None = None) -> Queue:
        """A new queue, whose attributes are taken as they are."""
        key = QueueKey(ACCOUNT, REGION, name)

        def work(unit: Unit) -> None:
            made = records.insert(unit.conn, key, attributes or {}, {}, self.clock.now_s())
            unit.touch(made)

        await self.directory.change(work)
        return self.directory.find_nowait(key)

    async def call(
        self, operation: str, queue: str, *, context: RequestContext = CONTEXT, **params: Any
    ) -> dict[str, Any]:
        """One operation on the queue of that name."""
        answer = await self.operations[operation](context, {"QueueUrl": queue, **params})
        return dict(answer or {})

    async def close(self) -> None:
        """Close the store."""
        self.messages.close()
        await asyncio.shield(self.store.close())
