"""The data directory: its layout, its lock, and the secrets in it.

DIR/            0700
  lock          flock of the running daemon; its first line is {"pid": …, "endpoint": …}
  alonzo.db     the store (beside it SQLite's -wal and -shm)
  blobs/        packages and objects, encrypted
  trees/        unpacked code, can be made again from blobs
  keys/         secrets, 0600 each
  audit/        the audit log
  run/          sockets and the like, worthless after the daemon's end
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alonzo.lib import faults
from alonzo.model.errors import PlatformError

#: Bytes of a secret made by ``DataDir.secret``; fit for AES-256 and HMAC-SHA256.
SECRET_BYTES = 32

_FOLDERS = ("blobs", "trees", "keys", "audit", "run")
#: What marks a folder as a data directory.
_LOCK = "lock"
#: What a folder may hold and still count as empty: mkfs leaves it on a new volume.
_FOUND_IN_EMPTY = {"lost+found"}


class DataDirError(PlatformError):
    """The data directory cannot be used. The text is fit for a user: it says what to do."""


class DataDirLockedError(DataDirError):
    """A daemon is already running on the directory. ``pid`` and ``endpoint`` are its, if known."""

    def __init__(self, path: Path, pid: int | None, endpoint: str | None) -> None:
        who = f"process {pid}" if pid is not None else "another process"
        where = f", which listens on {endpoint}" if endpoint is not None else ""
        super().__init__(
            f"the data directory {path} is in use by {who}{where}; stop it, or choose another "
            "directory with --data-dir"
        )
        self.pid = pid
        self.endpoint = endpoint


class DataDir:
    """A data directory that this process owns until ``close()``. Made by ``open()``."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.db_path = path / "alonzo.db"
        self.blobs = path / "blobs"
        self.trees = path / "trees"
        self.keys = path / "keys"
        self.audit = path / "audit"
        self.run = path / "run"
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: Path) -> DataDir:
        """Make the directory if there is none, and take its lock.

        Raises:
            DataDirLockedError: another process has it.
            DataDirError: it cannot be made, belongs to another user, or holds something else.
        """
        path = path.absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_ours(path)
            path.chmod(0o700)
            lock = _take_lock(path)
            for name in _FOLDERS:
                (path / name).mkdir(mode=0o700, exist_ok=True)
            sync_folder(path)
        except OSError as error:
            raise DataDirError(f"cannot use {path} as the data directory: {error}") from error
        return cls(path, lock)

    def announce(self, endpoint: str, *, ca: Path | None = None) -> None:
        """Write down where this daemon listens, for those who find the directory locked.

        ``ca`` is the file of the authority behind its certificate, where nobody else knows that.
        """
        assert self._lock is not None
        _write_owner(self._lock, endpoint, ca)

    def secret(self, name: str) -> bytes:
        """The random bytes kept in ``keys/NAME``, made on first use; ``SECRET_BYTES`` long."""
        secret = read_or_create(self.keys / name, lambda: os.urandom(SECRET_BYTES))
        if len(secret) != SECRET_BYTES:
            raise DataDirError(f"{self.keys / name} should have {SECRET_BYTES} bytes")
        return secret

    def close(self) -> None:
        """Give the directory up. Safe to call twice."""
        if self._lock is not None:
            # The file stays: a new daemon may already wait for this very inode.
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a secret file, which is first made from ``make()`` if there is none.

    A file that is made has mode 0600 from its first moment and is on disk, whole, on return.

    Raises:
        DataDirError: the file can be read by others, or cannot be read or made.
    """
    try:
        try:
            return _read_secret(path)
        except FileNotFoundError:
            _create_secret(path, make())
            return _read_secret(path)
    except OSError as error:
        raise DataDirError(f"cannot use the secret {path}: {error}") from error


def read_if_there(path: Path) -> bytes | None:
    """The content of a secret file; None: there is none.

    Raises:
        DataDirError: the file can be read by others, or cannot be read.
    """
    try:
        return _read_secret(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataDirError(f"cannot use the secret {path}: {error}") from error


def write_secret(path: Path, content: bytes) -> None:
    """Put a secret in place of the one in a file, if any, in one step; mode 0600, on disk.

    Raises:
        DataDirError: it cannot be written.
    """
    try:
        _create_secret(path, content)
    except OSError as error:
        raise DataDirError(f"cannot use the secret {path}: {error}") from error


def sync_folder(path: Path) -> None:
    """Have the names in a folder survive a power cut."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_ours(path: Path) -> None:
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise DataDirError(f"{path} belongs to user {owner}, not to user {os.geteuid()}")
    content = set(os.listdir(path))
    # Somebody's home directory must not get our files, nor our mode.
    if _LOCK not in content and content - _FOUND_IN_EMPTY:
        raise DataDirError(f"{path} is not empty and is no data directory; choose another one")


def _take_lock(path: Path) -> int:
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read_owner(lock)
            raise DataDirLockedError(path, owner.get("pid"), owner.get("endpoint")) from None
        _write_owner(lock, None)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _write_owner(lock: int, endpoint: str | None, ca: Path | None = None) -> None:
    # In place, as a rename would leave the lock on a file without a name. A reader takes the first
    # line, so it does not see what a longer, older text left behind.
    owner: dict[str, object] = {"pid": os.getpid(), "endpoint": endpoint}
    if ca is not None:
        owner["ca"] = str(ca)
    text = json.dumps(owner) + "\n"
    os.ftruncate(lock, os.pwrite(lock, text.encode(), 0))


def _read_owner(lock: int) -> dict[str, Any]:
    line = os.pread(lock, 4096, 0).partition(b"\n")[0]
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError):
        return {}


def _read_secret(path: Path) -> bytes:
    with path.open("rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise DataDirError(f"{path} is a secret that others can read; chmod it to 600")
        return file.read()


def _create_secret(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        faults.reach_nowait("data_dir.before_rename")
        unfinished.rename(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)
