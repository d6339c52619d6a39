"""Trees of unpacked code: made once, complete or absent, taken away only when nobody wants them."""

import asyncio
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from alonzo.environments.code import UNUSED_S, CodeTrees
from alonzo.lib import faults
from alonzo.lib.clock import ManualClock
from alonzo.lib.ids import SequentialIds
from alonzo.model.ports.code import CodeError

SHA, OTHER = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def _no_armed_faults():
    yield
    faults.disarm()


def package(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return out.getvalue()


class Blobs:
    """Packages in memory."""

    def __init__(self, content=None):
        self.content = content or package(a="1", b="2")
        self.reads = 0

    async def read(self, sha256):
        self.reads += 1
        return self.content


@asynccontextmanager
async def opened(folder, blobs=None, clock=None):
    trees = CodeTrees(folder, blobs or Blobs(), SequentialIds(), clock=clock or ManualClock())
    try:
        yield trees
    finally:
        await trees.close()


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_package_is_unpacked_once_for_all_who_ask(tmp_path):
    async def main():
        blobs = Blobs()
        async with opened(tmp_path, blobs) as trees:
            places = await asyncio.gather(*(trees.prepare(SHA) for _ in range(5)))
            assert set(places) == {tmp_path / SHA}
            assert await trees.prepare(SHA) == tmp_path / SHA
            assert names(tmp_path / SHA) == ["a", "b"]
            assert blobs.reads == 1

    asyncio.run(main())


def test_a_bad_package_is_refused_to_all_who_ask_and_leaves_nothing(tmp_path, caplog):
    async def main():
        async with opened(tmp_path, Blobs(b"no zip")) as trees:
            asked = await asyncio.gather(
                trees.prepare(SHA), trees.prepare(SHA), return_exceptions=True
            )
            assert [type(answer) for answer in asked] == [CodeError, CodeError]
            assert names(tmp_path) == []

    asyncio.run(main())
    assert not caplog.records, "a customer's mistake is not ours to log"


def test_a_tree_gets_its_name_only_after_it_was_flushed(tmp_path):
    seen = []
    faults.arm("code.flushed", lambda: seen.append(names(tmp_path)))

    async def main():
        async with opened(tmp_path) as trees:
            await trees.prepare(SHA)

    asyncio.run(main())
    assert len(seen) == 1, "the tree was moved to its place without a flush"
    assert all(name.startswith(".") for name in seen[0])
    assert names(tmp_path) == [SHA]


def test_what_fails_before_the_rename_leaves_nothing_and_can_be_tried_again(tmp_path):
    def fail():
        raise OSError("no space left")

    async def main():
        async with opened(tmp_path) as trees:
            faults.arm("code.flushed", fail)
            with pytest.raises(OSError, match="no space"):
                await trees.prepare(SHA)
            assert names(tmp_path) == []
            faults.disarm()
            assert (await trees.prepare(SHA)).is_dir()

    asyncio.run(main())


def test_a_tree_that_was_just_prepared_stays_although_nothing_refers_to_it(tmp_path):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock=clock) as trees:
            for sha in (SHA, OTHER):
                await trees.prepare(sha)
            assert await trees.keep_only(frozenset()) == 0
            clock.advance(UNUSED_S - 1)
            await trees.prepare(OTHER)
            clock.advance(1)
            assert await trees.keep_only(frozenset()) == 1
            assert names(tmp_path) == [OTHER]

    asyncio.run(main())


def test_a_tree_that_something_refers_to_stays_for_ever(tmp_path):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock=clock) as trees:
            await trees.prepare(SHA)
            clock.advance(10 * UNUSED_S)
            assert await trees.keep_only(frozenset({SHA})) == 0
            assert names(tmp_path) == [SHA]

    asyncio.run(main())


def test_a_tree_prepared_while_its_old_self_is_deleted_is_complete(tmp_path):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock=clock) as trees:
            await trees.prepare(SHA)
            clock.advance(UNUSED_S)
            gone, place = await asyncio.gather(trees.keep_only(frozenset()), trees.prepare(SHA))
            assert gone == 1
            assert names(place) == ["a", "b"]
            assert names(tmp_path) == [SHA]

    asyncio.run(main())


def test_a_tree_being_made_is_not_taken_away(tmp_path):
    async def main():
        clock = ManualClock()
        async with opened(tmp_path, clock=clock) as trees:
            flushed, go_on = threading.Event(), threading.Event()

            def hold():
                flushed.set()
                go_on.wait(10)

            faults.arm("code.flushed", hold)
            making = asyncio.ensure_future(trees.prepare(SHA))
            await asyncio.to_thread(flushed.wait, 10)
            clock.advance(10 * UNUSED_S)
            assert await trees.keep_only(frozenset()) == 0
            go_on.set()
            assert names(await making) == ["a", "b"]

    asyncio.run(main())


def test_unpacking_does_not_wait_for_the_threads_of_others(tmp_path):
    async def main():
        blocked = threading.Event()
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        work = loop.run_in_executor(None, blocked.wait, 20)
        trees = CodeTrees(tmp_path, Blobs(), SequentialIds(), clock=ManualClock())
        try:
            async with asyncio.timeout(5):
                assert (await trees.prepare(SHA)).is_dir()
        finally:
            blocked.set()
            await work
            await trees.close()

    asyncio.run(main())


def test_a_caller_that_gives_up_does_not_take_the_tree_from_the_others(tmp_path):
    async def main():
        async with opened(tmp_path) as trees:
            impatient = asyncio.ensure_future(trees.prepare(SHA))
            patient = asyncio.ensure_future(trees.prepare(SHA))
            await asyncio.sleep(0)
            impatient.cancel()
            assert names(await patient) == ["a", "b"]
            assert impatient.cancelled()

    asyncio.run(main())


def test_a_start_sweeps_what_a_dead_process_left(tmp_path):
    for name in (f".{SHA}.01", f".gone.{SHA}.02", OTHER):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()

    async def main():
        async with opened(tmp_path) as trees:
            assert names(tmp_path) == [OTHER]
            assert await trees.keep_only(frozenset()) == 1
            assert names(tmp_path) == []

    asyncio.run(main())
