"""A stream in memory, and a poller for it: what shows that the engine is ready for streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from alonzo.eventsources.failure_records import batch_info
from alonzo.eventsources.items import Item
from alonzo.eventsources.sources import BatchInfo, Looking, Poller, Reading
from alonzo.model.errors import AwsError
from alonzo.model.ports.event_sources import SourceState

KIND = "kinesis"
STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"


class MemoryStream:
    """A ``ShardSource`` that every mapping of it shares, with checkpoints that outlive engines.

    ``trouble`` is raised by every read while it is set. ``commits`` are all that were made.
    """

    def __init__(self, shards: int = 2) -> None:
        self._shards = {f"shard-{n}": list[Item]() for n in range(shards)}
        self._done = dict[str, int]()
        self.trouble: AwsError | None = None
        self.commits: list[tuple[str, str]] = []
        self.arrived_at_s = 1_795_168_800.0

    def put(self, body: str, group: str | None = None) -> str:
        """Put a record; those of a group are in one shard. Answers its sequence number."""
        key = group or "none"
        shard = list(self._shards)[sum(key.encode()) % len(self._shards)]
        records = self._shards[shard]
        number = f"{len(records) + 1:04d}"
        record = {"sequence": number, "group": key, "body": body}
        records.append(
            Item(
                id=number,
                document=json.dumps(record).encode(),
                metadata={},
                data=body,
                data_key="body",
                handle=shard,
                arrived_at_s=self.arrived_at_s,
                group=key,
            )
        )
        return number

    def left(self) -> list[str]:
        """The bodies of the records after the checkpoints."""
        return [
            str(item.data)
            for shard, records in self._shards.items()
            for item in records[self._done.get(shard, 0) :]
        ]

    def poller(self) -> Poller:
        """A poller of it."""

        async def look(looking: Looking) -> SourceState:
            return SourceState()

        def open_stream(reading: Reading) -> MemoryStream:
            return self

        return Poller(frozenset({KIND}), "sqs", look, shards=open_stream)

    # ShardSource.

    async def shards(self) -> list[str]:
        """Their names."""
        if self.trouble is not None:
            raise self.trouble
        return list(self._shards)

    async def checkpoint(self, shard: str) -> str | None:
        """Up to which record the shard is done."""
        done = self._done.get(shard, 0)
        return None if done == 0 else f"{done:04d}"

    async def read(self, shard: str, after: str | None, most: int, wait_s: float) -> list[Item]:
        """Records after that one."""
        if self.trouble is not None:
            raise self.trouble
        found = self._shards[shard][int(after or 0) :][:most]
        if not found:
            await asyncio.sleep(min(wait_s, 0.01))
        return found

    async def commit(self, shard: str, item: Item) -> None:
        """Move the checkpoint, never backwards."""
        assert int(item.id) >= self._done.get(shard, 0)
        self._done[shard] = int(item.id)
        self.commits.append((shard, item.id))

    def info(self, shard: str, items: Sequence[Item]) -> BatchInfo:
        """As Kinesis names them."""
        return batch_info("KinesisBatchInfo", shard, STREAM_ARN, items)
