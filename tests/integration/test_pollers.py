"""Every poller, and a stream in memory, through the suite of ``alonzo.testing.pollers``."""

import asyncio
import contextlib

import pytest

from alonzo.daemon.catalog import POLLERS
from alonzo.testing.pollers import CONTRACT
from alonzo.testing.worlds import QueueWorld, SqsWorld, StreamWorld


@contextlib.asynccontextmanager
async def in_memory(world):
    yield world


WORLDS = {
    "sqs": lambda folder: SqsWorld.open(folder, fifo=False),
    "sqs-fifo": lambda folder: SqsWorld.open(folder, fifo=True),
    "queue in memory": lambda folder: in_memory(QueueWorld()),
    "FIFO queue in memory": lambda folder: in_memory(QueueWorld(fifo=True)),
    "stream in memory": lambda folder: in_memory(StreamWorld()),
}


def test_the_suite_knows_every_poller():
    assert {kind for poller in POLLERS for kind in poller.kinds} <= WORLDS.keys()


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__[6:])
def test_contract(tmp_path, check, world):
    async def main():
        async with WORLDS[world](tmp_path) as opened:
            await check(opened)

    asyncio.run(main())
