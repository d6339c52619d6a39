"""Blobs on a real folder: what is read is what was put, or a named error."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alonzo.lib import faults
from alonzo.store.base import StoreError
from alonzo.store.blob_file import CHUNK_BYTES, BlobCorruptError
from alonzo.store.blobs import BlobKeyError, BlobMissingError, BlobRef, BlobStore

KEY = bytes(range(32))
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]


class Broken(Exception):
    """Raised by a source on purpose."""


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", KEY)


@pytest.fixture(autouse=True)
def _no_armed_faults() -> Any:
    yield
    faults.disarm()


async def pieces(content: bytes, length: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), length):
        yield content[start : start + length]


async def collect(stream: AsyncIterator[bytes], into: bytearray) -> None:
    async for piece in stream:
        into += piece


def ref(content: bytes) -> BlobRef:
    return BlobRef(hashlib.sha256(content).hexdigest(), len(content))


def in_folder(tmp_path: Path) -> set[str]:
    return {p.name for p in (tmp_path / "blobs").iterdir()} - {"key-check"}


@pytest.mark.parametrize("size", SIZES)
def test_every_way_in_and_out_gives_the_same_bytes(
    blobs: BlobStore, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)

    async def main() -> None:
        assert await blobs.put(content) == ref(content)
        assert await blobs.put(pieces(content, 100_000)) == ref(content)
        digest = ref(content).sha256
        assert await blobs.read(digest) == content
        assert b"".join([piece async for piece in blobs.open_stream(digest)]) == content
        await blobs.copy_to(digest, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content
        assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
        assert await blobs.list_digests() == [digest]

    asyncio.run(main())


def test_a_stream_of_any_pieces_makes_the_same_blob(blobs: BlobStore) -> None:
    content = os.urandom(2 * CHUNK_BYTES + 7)

    async def main() -> None:
        for length in (CHUNK_BYTES // 3, CHUNK_BYTES, len(content)):
            assert await blobs.put(pieces(content, length)) == ref(content)
            assert await blobs.read(ref(content).sha256) == content
            await blobs.delete(ref(content).sha256)

    asyncio.run(main())


def test_the_plaintext_is_nowhere_on_disk(blobs: BlobStore, tmp_path: Path) -> None:
    content = b"a secret handler" * 100
    asyncio.run(blobs.put(content))
    assert all(b"secret" not in p.read_bytes() for p in (tmp_path / "blobs").iterdir())
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "blobs").iterdir()} == {0o600}


def test_the_same_content_is_written_once(blobs: BlobStore, tmp_path: Path) -> None:
    async def main() -> None:
        first = await blobs.put(b"content")
        before = (tmp_path / "blobs" / first.sha256).stat()
        assert await asyncio.gather(*(blobs.put(b"content") for _ in range(10))) == [first] * 10
        assert (tmp_path / "blobs" / first.sha256).stat().st_ino == before.st_ino
        assert in_folder(tmp_path) == {first.sha256}

    asyncio.run(main())


def test_a_deleted_blob_is_missing(blobs: BlobStore, tmp_path: Path) -> None:
    async def main() -> None:
        digest = (await blobs.put(b"content")).sha256
        assert await blobs.exists(digest)
        await blobs.delete(digest)
        await blobs.delete(digest)
        assert not await blobs.exists(digest)
        with pytest.raises(BlobMissingError, match=digest):
            await blobs.read(digest)
        with pytest.raises(BlobMissingError):
            await anext(blobs.open_stream(digest))
        with pytest.raises(BlobMissingError):
            await blobs.copy_to(digest, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["", "../keys/root.json", "A" * 64, "0" * 63, "key-check"])
def test_only_digests_name_blobs(blobs: BlobStore, name: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        asyncio.run(blobs.read(name))


def damage_in_every_way(good: bytes, other: bytes) -> dict[str, bytes]:
    header, sealed = 80, CHUNK_BYTES + 16
    first, second = good[header : header + sealed], good[header + sealed : header + 2 * sealed]
    rest = good[header + 2 * sealed :]
    return {
        "empty": b"",
        "cut in the header": good[: header - 1],
        "cut at a chunk": good[: header + 2 * sealed],
        "cut by a byte": good[:-1],
        "longer": good + b"x",
        "another blob": other,
        "another's header": other[:header] + good[header:],
        "another's chunk": good[:header] + other[header : header + sealed] + second + rest,
        "chunks swapped": good[:header] + second + first + rest,
        "a chunk twice": good[:header] + first + first + rest,
    }


@pytest.mark.parametrize("how", damage_in_every_way(b"", b""))
def test_a_damaged_file_gives_a_named_error(blobs: BlobStore, tmp_path: Path, how: str) -> None:
    async def main() -> None:
        content = os.urandom(2 * CHUNK_BYTES + 100)
        digest = (await blobs.put(content)).sha256
        other = (await blobs.put(os.urandom(len(content)))).sha256
        path = tmp_path / "blobs" / digest
        damaged = damage_in_every_way(path.read_bytes(), path.with_name(other).read_bytes())[how]
        path.write_bytes(damaged)
        with pytest.raises(BlobCorruptError, match=digest):
            await blobs.read(digest)
        with pytest.raises(BlobCorruptError, match=digest):
            await blobs.copy_to(digest, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
        got = bytearray()
        with pytest.raises(BlobCorruptError, match=digest):
            await collect(blobs.open_stream(digest), got)
        assert content.startswith(got)

    asyncio.run(main())


def test_putting_again_mends_a_cut_blob(blobs: BlobStore, tmp_path: Path) -> None:
    async def main() -> None:
        digest = (await blobs.put(b"content")).sha256
        path = tmp_path / "blobs" / digest
        path.write_bytes(path.read_bytes()[:-1])
        await blobs.put(b"content")
        assert await blobs.read(digest) == b"content"

    asyncio.run(main())


def test_another_key_is_refused_at_once(blobs: BlobStore, tmp_path: Path) -> None:
    asyncio.run(blobs.put(b"content"))
    with pytest.raises(BlobKeyError, match="another key"):
        BlobStore(tmp_path / "blobs", bytes(32))


def test_what_a_crash_left_unfinished_is_swept_at_the_start(
    blobs: BlobStore, tmp_path: Path
) -> None:
    digest = asyncio.run(blobs.put(b"content")).sha256
    (tmp_path / "blobs" / "7.unfinished").write_bytes(b"half")
    again = BlobStore(tmp_path / "blobs", KEY)
    assert in_folder(tmp_path) == {digest}
    assert asyncio.run(again.read(digest)) == b"content"


def test_a_source_that_fails_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"x" * CHUNK_BYTES * 2
        raise Broken

    with pytest.raises(Broken):
        asyncio.run(blobs.put(source()))
    assert in_folder(tmp_path) == set()


def test_a_cancelled_put_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    async def main() -> None:
        asked = asyncio.Event()

        async def source() -> AsyncIterator[bytes]:
            yield b"x" * CHUNK_BYTES * 2
            asked.set()
            await asyncio.Event().wait()

        put = asyncio.ensure_future(blobs.put(source()))
        await asked.wait()
        put.cancel()
        with pytest.raises(asyncio.CancelledError):
            await put
        assert in_folder(tmp_path) == set()

    asyncio.run(main())


def test_a_failure_before_the_rename_leaves_nothing(blobs: BlobStore, tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    faults.arm("blobs.before_rename", fail)
    with pytest.raises(StoreError, match="the disk is gone"):
        asyncio.run(blobs.put(b"content"))
    assert in_folder(tmp_path) == set()


def test_a_large_blob_takes_constant_memory(blobs: BlobStore) -> None:
    size = 64 * 1024 * 1024
    piece = os.urandom(1024 * 1024)

    async def source() -> AsyncIterator[bytes]:
        for _ in range(size // len(piece)):
            yield piece

    async def main() -> int:
        digest = (await blobs.put(source())).sha256
        return sum([len(part) async for part in blobs.open_stream(digest)])

    tracemalloc.start()
    try:
        assert asyncio.run(main()) == size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
