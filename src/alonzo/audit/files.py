"""The files of the audit log: appended to, synced, closed, packed, and in the end deleted.

    audit/20261121T105800.000Z-0.jsonl       one record a line; only ever appended to
    audit/20261120T105800.000Z-0.jsonl.gz    closed and packed

Names sort by time. Blocking: to be used from one thread at a time. A line that could not be written
whole is taken back, so that whoever reads meets whole lines only, but for the last one after a
crash.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from pathlib import Path

from alonzo.audit.settings import AuditSettings
from alonzo.lib.clock import Clock, utc

PLAIN, PACKED = ".jsonl", ".jsonl.gz"
_UNFINISHED = ".unfinished"
_TAIL_BYTES = 256 * 1024
_DAY_S = 86_400.0


class AuditFiles:
    """The open file of a log, and care for the closed ones."""

    def __init__(self, folder: Path, settings: AuditSettings, clock: Clock) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._file: int | None = None
        self._path = folder
        self._opened_at_s = 0.0
        self._size = 0

    def open(self) -> bytes:
        """Go on with the newest file, and answer its last whole line: empty if there is none.

        Raises:
            OSError: the folder or the file cannot be had.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        newest = max(self._folder.glob(f"*{PLAIN}"), default=None)
        if newest is None:
            self._begin()
            return b""
        self._take(newest, os.O_CREAT)
        assert self._file is not None
        self._opened_at_s = os.fstat(self._file).st_mtime
        start = max(0, self._size - _TAIL_BYTES)
        tail = os.pread(self._file, _TAIL_BYTES, start)
        if tail and not tail.endswith(b"\n"):
            # Torn by a crash. What is left of it stays, on a line of its own.
            self._size += os.write(self._file, b"\n")
        lines = tail.splitlines()
        return lines[-1] if lines else b""

    def append(self, lines: bytes) -> None:
        """Have whole lines on disk when this returns.

        Raises:
            OSError: they are not there, and nothing of them is.
        """
        gone = self._file is None or os.fstat(self._file).st_nlink == 0
        if gone or self._size >= self._settings.file_bytes_max:
            self._begin()
        assert self._file is not None
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(lines)

    def tidy(self) -> bool:
        """Close the file if it is full or old; pack a closed one, and delete those out of date.

        One at a time, as nothing is written meanwhile: 64 MiB take about a second.

        Returns:
            Whether there is another one to pack.

        Raises:
            OSError: the disk refuses.
        """
        settings, now_s = self._settings, self._clock.now_s()
        age_s = now_s - self._opened_at_s
        if self._size and (
            self._size >= settings.file_bytes_max or age_s > settings.file_age_s_max
        ):
            self._begin()
        closed = sorted(path for path in self._folder.glob(f"*{PLAIN}") if path != self._path)
        if closed:
            _pack(closed[0])
        kept = 0
        for path in sorted(self._folder.glob(f"*{PACKED}"), reverse=True):
            facts = path.stat()
            kept += facts.st_size
            if kept > settings.bytes_max or now_s - facts.st_mtime > settings.keep_days * _DAY_S:
                path.unlink(missing_ok=True)
        return len(closed) > 1

    def close(self) -> None:
        """Give the file up. Safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _begin(self) -> None:
        self._opened_at_s = self._clock.now_s()
        moment = utc(self._opened_at_s)
        stamp = moment.strftime("%Y%m%dT%H%M%S.") + f"{moment.microsecond // 1000:03d}Z"
        number = 0
        while True:
            try:
                self._take(self._folder / f"{stamp}-{number}{PLAIN}", os.O_CREAT | os.O_EXCL)
                break
            except FileExistsError:
                number += 1
        _sync(self._folder)

    def _take(self, path: Path, flags: int) -> None:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
        self.close()
        self._file, self._path = file, path
        self._size = os.fstat(file).st_size


def _pack(path: Path) -> None:
    """Pack a closed file; whenever this is cut short, one of the two is there, whole."""
    packed = path.with_suffix(".jsonl.gz")
    unfinished = packed.with_name(f".{packed.name}{_UNFINISHED}")
    unfinished.unlink(missing_ok=True)
    made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(made, "wb") as target:
            with path.open("rb") as source, gzip.GzipFile("", "wb", 6, target, mtime=0) as into:
                shutil.copyfileobj(source, into, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
            times = path.stat()
            os.utime(target.fileno(), ns=(times.st_atime_ns, times.st_mtime_ns))
        unfinished.rename(packed)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync(path.parent)
    path.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
