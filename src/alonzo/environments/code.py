"""Unpacked packages, shared read-only by every environment that runs the same code.

* A tree is named by the digest of its zip, or by ``layers_tree`` if it holds several layers. It is
  made beside its place, flushed to the disk, and then moved there whole: a tree that exists is
  complete, after a power cut too. It can be made again from the blobs at any time.
* Trees appear and are taken away by a rename, and taking away is done on the event loop: a tree
  that ``prepare`` has answered is there for ten minutes more, however the deletion goes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from alonzo.environments.merging import merge
from alonzo.lib import faults, zips
from alonzo.lib.clock import Clock
from alonzo.lib.flushing import flush
from alonzo.lib.ids import IdSource
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.functions import layers_tree
from alonzo.model.limits import PACKAGE_ENTRIES_MAX, UNZIPPED_BYTES_MAX
from alonzo.model.ports.code import CodeError

log = logging.getLogger("alonzo.environments")

#: A tree stays this long after it was last asked for: whoever asked may not have mounted it yet,
#: and the version that it was made for may not have been committed yet.
UNUSED_S = 600.0

#: The tree of a function without layers; nothing refers to it by name, and it costs one folder.
_NO_LAYERS = layers_tree(())

#: Packages unpacked at the same time. More would only divide the same processors and disk.
_UNPACKERS = 2


class Blobs(Protocol):
    """Where packages are kept."""

    async def read(self, sha256: str) -> bytes:
        """The whole package.

        Raises:
            AwsError: it is sealed with a key that cannot be used now.
        """
        ...


class CodeTrees:
    """Implements ``model.ports.code.CodeProvider`` over a folder that is its own alone.

    The limits are those that the control plane admits packages by.
    """

    def __init__(
        self,
        folder: Path,
        blobs: Blobs,
        ids: IdSource,
        *,
        clock: Clock,
        unzipped_bytes_max: int = UNZIPPED_BYTES_MAX,
        entries_max: int = PACKAGE_ENTRIES_MAX,
    ) -> None:
        """Open the folder, and sweep what an earlier process left unfinished in it."""
        self._folder = folder
        self._blobs = blobs
        self._ids = ids
        self._clock = clock
        self._unzipped_bytes_max = unzipped_bytes_max
        self._entries_max = entries_max
        self._scope = TaskScope()
        # Its own: unpacking takes seconds, and the loop's executor serves short calls.
        self._unpackers = ThreadPoolExecutor(_UNPACKERS, thread_name_prefix="unpack")
        self._making: dict[str, asyncio.Task[str | AwsError | None]] = {}
        self._used_at_s: dict[str, float] = {}
        for unfinished in folder.glob(".*"):
            shutil.rmtree(unfinished, ignore_errors=True)

    async def close(self) -> None:
        """End what is being unpacked, and its threads. Safe to call twice."""
        await self._scope.close()
        await asyncio.to_thread(self._unpackers.shutdown, cancel_futures=True)

    async def prepare(self, code_sha256: str) -> Path:
        """Unpack the package of that digest once, and return the root of its tree.

        The tree stays for ``UNUSED_S`` at least.

        Raises:
            CodeError: the package cannot be unpacked.
            AwsError: it is sealed with a key that cannot be used now.
        """
        return await self._made_once(code_sha256, lambda place: self._unpack(code_sha256, place))

    async def prepare_layers(self, digests: tuple[str, ...]) -> Path:
        """Unpack the layers of those digests, later ones over earlier ones.

        Answers the root of their merged tree, which stays for ``UNUSED_S`` at least. No digests
        give an empty tree.

        Raises:
            CodeError: a layer cannot be unpacked, or the layers do not go together.
        """
        if len(digests) == 1:
            return await self.prepare(digests[0])
        return await self._made_once(
            layers_tree(digests), lambda place: self._merge(digests, place)
        )

    async def _made_once(
        self, name: str, make: Callable[[Path], Coroutine[None, None, str | AwsError | None]]
    ) -> Path:
        """The tree called ``name``. ``make`` answers why it cannot be made, or None."""
        place = self._folder / name
        if not place.is_dir():
            running = self._making.get(name)
            if running is None:
                running = self._scope.spawn(make(place), name=f"make tree {name}")
                self._making[name] = running
                running.add_done_callback(lambda _: self._making.pop(name, None))
            # Shielded: a caller that gives up must not take the tree from the others.
            refusal = await asyncio.shield(running)
            if isinstance(refusal, AwsError):
                raise refusal
            if refusal is not None:
                raise CodeError(refusal)
        self._used_at_s[name] = self._clock.monotonic_s()
        return place

    async def _unpack(self, code_sha256: str, place: Path) -> str | AwsError | None:
        try:
            data = await self._blobs.read(code_sha256)
        except AwsError as err:
            return err

        def extract(folder: Path) -> None:
            zips.extract(
                data,
                folder,
                unzipped_bytes_max=self._unzipped_bytes_max,
                entries_max=self._entries_max,
            )

        return await self._make(extract, place)

    async def _merge(self, digests: tuple[str, ...], place: Path) -> str | None:
        try:
            # One after another: packages are unpacked two at a time as it is.
            layers = [await self.prepare(digest) for digest in digests]
        except CodeError as err:
            return str(err)

        def lay(folder: Path) -> None:
            merge(layers, folder, entries_max=self._entries_max)

        return await self._make(lay, place)

    async def _make(self, fill: Callable[[Path], object], place: Path) -> str | None:
        """Have ``fill`` make a tree in a thread. Answers why that cannot be done, or None."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._unpackers, self._make_whole, fill, place)
        except zips.ZipError as err:
            return str(err)
        # Here, not where it is awaited: every caller may have given up by now.
        self._used_at_s[place.name] = self._clock.monotonic_s()
        return None

    def _make_whole(self, fill: Callable[[Path], object], place: Path) -> None:
        beside = self._folder / f".{place.name}.{self._ids.hex(4)}"
        beside.mkdir(mode=0o755)
        try:
            fill(beside)
            flush(beside)
            faults.reach_nowait("code.flushed")
            os.rename(beside, place)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    async def keep_only(self, live: frozenset[str]) -> int:
        """Delete every tree that is not in ``live`` nor was used lately; answers how many went.

        Which trees go is decided, and done, before the first wait: ``live`` cannot grow old.
        """
        taken = self._take_away(live)
        await asyncio.to_thread(_delete, taken)
        return len(taken)

    def _take_away(self, live: frozenset[str]) -> list[Path]:
        oldest_s = self._clock.monotonic_s() - UNUSED_S
        self._used_at_s = {sha: at_s for sha, at_s in self._used_at_s.items() if at_s > oldest_s}
        staying = live | self._used_at_s.keys() | self._making.keys() | {_NO_LAYERS}
        taken: list[Path] = []
        for name in os.listdir(self._folder):
            if name.startswith(".") or name in staying:
                continue
            gone = self._folder / f".gone.{name}.{self._ids.hex(4)}"
            try:
                os.rename(self._folder / name, gone)
            except OSError as err:  # It stays until the next time.
                log.warning("code.not_taken_away", extra={"tree": name, "error": str(err)})
            else:
                taken.append(gone)
        return taken


def _delete(trees: list[Path]) -> None:
    for tree in trees:
        shutil.rmtree(tree, ignore_errors=True)
