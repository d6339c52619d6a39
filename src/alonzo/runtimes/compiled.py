"""Python packages with the bytecode of the version that will run them, made ahead of need.

A package manager compiles for the Python that it runs on. A function on another finds no bytecode,
cannot write any, and would compile what it imports anew in each environment. For it there are
copies, which the interpreter itself has compiled once:

* A copy lies in a folder of the user's, outside of every sandbox, which shows it read-only. Nothing
  of it is run to make it. Nobody else may write there, or it is not used.
* It is named by the interpreter and by the content of the sources, so that others are made when
  one of the two is replaced. Its bytecode holds no times (PEP 552, "unchecked"), and stays good.
* It is made beside its place, flushed, and moved there: one that exists is whole.
* Who shows one holds a lock on it. Of those that nobody holds the last ``KEPT`` in use stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import stat
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from alonzo.lib.flushing import flush
from alonzo.runtimes.base import VisiblePath

log = logging.getLogger("alonzo.runtimes")

#: Copies for one version of Python that stay although nobody uses them now.
KEPT = 3

#: Files in one copy; boto3, with what it needs, has 3,000.
FILES_MAX = 20_000

#: How long compiling may take: by itself 0.6 s for boto3, more on a busy host.
COMPILE_S_MAX = 120.0

#: Where copies are made.
_NEW = ".new"

#: Run by the interpreter that the copy is for, 3.8 or later: the folder, and what it is inside.
_COMPILE = """
import compileall, os, py_compile, sys
os.umask(0o022)
os.nice(5)
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
folder, inside = sys.argv[1:]
sys.exit(not compileall.compile_dir(folder, ddir=inside, quiet=2, invalidation_mode=unchecked))
"""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is shown at ``root`` and below it, and the Python, ``3.12`` say, that will run it."""

    root: str
    paths: tuple[VisiblePath, ...]
    executable: Path
    version: str

    @property
    def tag(self) -> str:
        """What this Python has in the names of its bytecode files (PEP 3147)."""
        return f"cpython-{self.version.replace('.', '')}"


class _CopyError(Exception):
    """A copy cannot be made. The text says why."""


class CompiledCopies:
    """The copies in ``folder``; None: there is no place for any. Its methods may run in threads."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        #: What is shown in place of sources that were asked for; None: they have yet to be copied.
        self._shown: dict[Sources, tuple[VisiblePath, ...] | None] = {}
        self._looking = Lock()
        self._making = asyncio.Lock()
        #: The locks on what we show, as long as there is anybody who may ask.
        self._held: list[int] = []
        weakref.finalize(self, _let_go, self._held)

    def shown(self, sources: Sources) -> tuple[VisiblePath, ...]:
        """What shows ``sources``, compiled if they are; the first call reads them, some 20 ms."""
        with self._looking:
            if sources not in self._shown:
                self._shown[sources] = self._look(sources)
            return self._shown[sources] or sources.paths

    def wants(self, sources: Sources) -> bool:
        """Whether ``make`` could have them shown compiled; they were asked for before."""
        return self._shown[sources] is None

    async def make(self, every: Iterable[Sources]) -> bool:
        """Compile what is wanted of ``every``, once; answers whether more is compiled now."""
        made = False
        async with self._making:
            for sources in filter(self.wants, every):
                try:
                    copy = await self._make(sources)
                except (_CopyError, OSError, TimeoutError) as error:
                    # Another platform may have been faster. If not, to have tried once is enough:
                    # functions run without, only slower.
                    found = await asyncio.to_thread(self._look, sources)
                    self._shown[sources] = found or sources.paths
                    text = str(error) or type(error).__name__
                    log.info("runtime.not_compiled", extra={"path": sources.root, "error": text})
                else:
                    self._shown[sources] = (VisiblePath(copy, sources.root),)
                    made = True
        return made

    def _look(self, sources: Sources) -> tuple[VisiblePath, ...] | None:
        if self._folder is None or _is_compiled(sources):
            return sources.paths
        try:
            copy = self._folder / _name(sources)
            held = _hold(copy) if _is_private(self._folder) and _is_private(copy) else None
        except OSError:  # It cannot be read: what the sandbox shows of it will say so.
            return sources.paths
        if held is None:
            return None
        self._held.append(held)
        return (VisiblePath(copy, sources.root),)

    async def _make(self, sources: Sources) -> Path:
        staging, held = await asyncio.to_thread(self._begin, sources)
        try:
            await _compile(sources, staging)
            place = await asyncio.to_thread(self._finish, sources, staging)
            # Not in the thread: where we are cancelled it goes on beside what deletes the copy.
            staging.rename(place)
        except BaseException:
            os.close(held)
            shutil.rmtree(staging, ignore_errors=True)
            raise
        self._held.append(held)
        await asyncio.to_thread(lambda: self._sweep(self._unused(sources)))
        return place

    def _begin(self, sources: Sources) -> tuple[Path, int]:
        """A copy without bytecode, which nobody can take for a whole one; and the lock on it."""
        assert self._folder is not None
        new = self._folder / _NEW
        for folder in (self._folder, new):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not _is_private(folder):
                raise _CopyError(f"{folder} belongs to others, or they may write there")
        self._sweep(new.iterdir())
        staging = new / f"{_name(sources)}.{os.getpid()}"
        _make_folder(staging)
        held = _hold(staging)
        if held is None:
            raise _CopyError(f"{staging} has gone")
        try:
            _copy(sources, staging)
        except BaseException:
            os.close(held)
            shutil.rmtree(staging, ignore_errors=True)
            raise
        return staging, held

    def _finish(self, sources: Sources, staging: Path) -> Path:
        """Have a copy that is whole on the disk; answers its place."""
        assert self._folder is not None
        place = self._folder / _name(sources)
        if place.name != staging.name.rpartition(".")[0]:
            raise _CopyError("the sources were replaced meanwhile")
        flush(staging)
        return place

    def _unused(self, sources: Sources) -> list[Path]:
        assert self._folder is not None
        copies = sorted(
            self._folder.glob(f"{_kind(sources)}-*"), key=lambda copy: -copy.lstat().st_mtime_ns
        )
        return copies[KEPT:]

    def _sweep(self, folders: Iterable[Path]) -> None:
        """Delete those that nobody holds."""
        assert self._folder is not None
        for folder in folders:
            with contextlib.suppress(OSError):
                held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    gone = self._folder / _NEW / f"{folder.name.partition('.gone')[0]}.gone"
                    folder.rename(gone)
                    shutil.rmtree(gone, ignore_errors=True)
                finally:
                    os.close(held)


def _kind(sources: Sources) -> str:
    """What copies have in common of which one takes the other's place."""
    return f"{sources.tag}{sources.root.replace('/', '-')}"


def _name(sources: Sources) -> str:
    """The name of the copy: it is another for other sources, and another interpreter."""
    program = sources.executable.stat()
    named = f"{sources.executable} {program.st_size} {program.st_mtime_ns}"
    digest = hashlib.sha256(named.encode())
    for path in sources.paths:
        for file in _programs(path.source):
            place = path.target + str(file)[len(str(path.source)) :]
            digest.update(f"\0{place}\0{file.stat().st_size}\0".encode())
            digest.update(file.read_bytes())
    return f"{_kind(sources)}-{digest.hexdigest()[:32]}"


def _programs(source: Path) -> Iterator[Path]:
    """The file, or all files that can be imported from a folder, in a fixed order.

    Data lie in folders that are no packages: botocore has a thousand of them.
    """
    if not source.is_dir():
        if source.suffix == ".py":
            yield source
        return
    folders = [source]
    while folders:
        for entry in sorted(os.scandir(folders.pop()), key=lambda entry: entry.name):
            path = Path(entry.path)
            if entry.is_dir():
                if (path / "__init__.py").is_file():
                    folders.append(path)
            elif entry.name.endswith(".py"):
                yield path


def _is_compiled(sources: Sources) -> bool:
    """Whether the interpreter finds bytecode that it believes beside every source."""
    shown = {path.source for path in sources.paths}
    try:
        return all(
            _has_bytecode(file, sources.tag)
            # Of a file that is shown by itself, the bytecode has to be shown as well.
            and (file != path.source or _bytecode(file, sources.tag) in shown)
            for path in sources.paths
            for file in _programs(path.source)
        )
    except OSError:
        return False


def _bytecode(source: Path, tag: str) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"


def _has_bytecode(source: Path, tag: str) -> bool:
    """Source: PEP 552: four bytes of magic, four of flags, then a hash, or the time and size."""
    try:
        with _bytecode(source, tag).open("rb", buffering=0) as stream:
            head = stream.read(16)
    except FileNotFoundError:
        return False
    if head[4:8] != bytes(4):
        return len(head) == 16
    known = source.stat()
    fields = (int(known.st_mtime), known.st_size)
    return head[8:] == b"".join((field & 0xFFFFFFFF).to_bytes(4, "little") for field in fields)


def _is_private(folder: Path) -> bool:
    """Whether nobody but us and root may write there."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid in (0, os.geteuid())
    return ours and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _hold(folder: Path) -> int | None:
    """A descriptor that keeps others from deleting it; None: it is not there, or goes just now."""
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        # The time says when it was last taken into use.
        os.utime(held)
        if os.path.samestat(os.fstat(held), folder.lstat()):
            return held
    except OSError:
        pass
    os.close(held)
    return None


def _let_go(held: list[int]) -> None:
    while held:
        os.close(held.pop())


def _make_folder(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)  # whatever the umask: sandboxes run as other users


def _copy(sources: Sources, staging: Path) -> None:
    """Copy what can be imported; data are the same files where the file system allows it."""
    left = FILES_MAX
    for path in (path for path in sources.paths if path.source.suffix != ".pyc"):
        target = staging / path.target[len(sources.root) :].lstrip("/")
        pending = [(path.source, target)]
        while pending:
            source, copy = pending.pop()
            left -= 1
            if left < 0:
                raise _CopyError(f"{path.source} has more than {FILES_MAX} files")
            if source.is_dir():
                if copy != staging:
                    _make_folder(copy)
                names = (name for name in os.listdir(source) if name != "__pycache__")
                pending += ((source / name, copy / name) for name in names)
            elif source.is_file():
                _copy_file(source, copy)


def _copy_file(source: Path, copy: Path) -> None:
    if source.suffix != ".py" and not source.is_symlink():
        with contextlib.suppress(OSError):  # another file system, or not ours to link
            copy.hardlink_to(source)
            return
    shutil.copyfile(source, copy)
    copy.chmod(0o644)


async def _compile(sources: Sources, staging: Path) -> None:
    argv = (str(sources.executable), "-I", "-S", "-c", _COMPILE, str(staging), sources.root)
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(COMPILE_S_MAX):
            status = await process.wait()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if status != 0:
        raise _CopyError(f"{sources.executable} cannot compile them")
