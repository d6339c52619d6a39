"""The data plane's memory of functions follows what the control plane commits."""

import asyncio
from contextlib import asynccontextmanager
from random import Random

import pytest

from alonzo.invoke.directory import Directory
from alonzo.lib.clock import SystemClock
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey, FunctionRef
from alonzo.model.errors import AwsError
from alonzo.model.functions import CHANGES_TOPIC, ServingVersion
from alonzo.store.base import StoreError
from alonzo.store.sqlite import SqliteStore

KEY = FunctionKey("000000000000", "us-east-1", "f")


def serving(generation):
    return ServingVersion(KEY, "$LATEST", generation, "python3.12", "m.h", "role", "00")


@asynccontextmanager
async def opened(path):
    changes = asyncio.Queue()
    store = await SqliteStore.open(path / "db", clock=SystemClock())
    try:
        async with TaskScope() as scope:
            directory = Directory(
                store,
                scope,
                lambda key, live: changes.put_nowait((key, live)),
                chance=Random(5).random,
            )
            yield store, directory, changes
            directory.close()
    finally:
        await store.close()


async def put(store, record, state="Active"):
    def work(db):
        where = {"account": KEY.account, "region": KEY.region, "name": KEY.name}
        db.execute("DELETE FROM function WHERE name = :name", where)
        db.execute(
            "INSERT INTO function (account, region, name) VALUES (:account, :region, :name)", where
        )
        db.execute(
            "INSERT INTO function_version (account, region, name, version, document, serving,"
            " state, revision_id, code_sha256, code_bytes, unzipped_bytes)"
            " VALUES (:account, :region, :name, '$LATEST', '{}', :serving, :state, 'r', '0', 1, 1)",
            {**where, "serving": record and record.to_json(), "state": state},
        )
        db.publish(CHANGES_TOPIC, KEY.path)

    await store.tx(work)


def test_a_committed_change_is_what_the_next_call_runs_on(tmp_path):
    async def main():
        async with opened(tmp_path) as (store, directory, changes):
            for generation in ("one", "two"):
                await put(store, serving(generation))
                for qualifier in (None, "$LATEST"):
                    target = await directory.resolve(FunctionRef(KEY, qualifier))
                    assert target.version == serving(generation)
            # Of two changes in a row the first may go unheard.
            async with asyncio.timeout(5):
                while await changes.get() != (KEY, frozenset({"two"})):
                    pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("qualifier", "arn"), [(None, f"{KEY.arn}:$LATEST"), ("7", f"{KEY.arn}:7")]
)
def test_what_does_not_exist_is_named_as_aws_names_it(tmp_path, qualifier, arn):
    async def main():
        async with opened(tmp_path) as (_, directory, _):
            with pytest.raises(AwsError, match="Function not found") as caught:
                await directory.resolve(FunctionRef(KEY, qualifier))
            assert caught.value.message == f"Function not found: {arn}"

    asyncio.run(main())


def test_a_function_that_cannot_serve_yet_says_so(tmp_path):
    async def main():
        async with opened(tmp_path) as (store, directory, _):
            await put(store, None, state="Pending")
            with pytest.raises(AwsError) as caught:
                await directory.resolve(FunctionRef(KEY, None))
            assert caught.value.code == "ResourceConflictException"
            assert caught.value.message.endswith("in the following state: Pending")

    asyncio.run(main())


class Reads:
    """A real store whose reads, by number, are held back after they read, or fail."""

    def __init__(self, inner, *, held=(), failing=()):
        self._inner = inner
        self._held = held
        self._failing = failing
        self._count = 0
        self.arrived = asyncio.Event()
        self.release = asyncio.Event()
        self.subscribe = inner.subscribe

    async def read(self, work):
        number, self._count = self._count, self._count + 1
        if number in self._failing:
            raise StoreError("no space left")
        answer = await self._inner.read(work)
        if number in self._held:
            self.arrived.set()
            await self.release.wait()
        return answer


def test_an_older_reading_that_ends_late_does_not_retire_the_newer_generation(tmp_path):
    async def main():
        async with opened(tmp_path) as (store, _, _), TaskScope() as scope:
            heard = []
            reads = Reads(store, held={0})
            directory = Directory(
                reads, scope, lambda key, live: heard.append((key, live)), chance=Random(5).random
            )
            await put(store, serving("one"))
            async with asyncio.timeout(5):
                await reads.arrived.wait()
                await put(store, serving("two"))
                reads.release.set()
                await scope.drain()
            assert heard == [(KEY, frozenset({"two"}))]
            directory.close()

    asyncio.run(main())


def test_a_change_is_heard_although_the_store_fails_at_first(tmp_path):
    async def main():
        async with opened(tmp_path) as (store, _, _), TaskScope() as scope:
            heard = []
            reads = Reads(store, failing={0, 1})
            directory = Directory(
                reads, scope, lambda key, live: heard.append((key, live)), chance=Random(5).random
            )
            await put(store, serving("one"))
            async with asyncio.timeout(5):
                await scope.drain()
            assert heard == [(KEY, frozenset({"one"}))]
            directory.close()

    asyncio.run(main())
