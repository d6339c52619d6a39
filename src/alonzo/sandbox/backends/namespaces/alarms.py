"""What wakes the event loop when a sandbox's memory may have run out."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import Protocol

from alonzo.sandbox.backends.namespaces.cgroup_files import counter, write


class MemoryAlarm(Protocol):
    """A descriptor for the event loop: readable when memory may have run out."""

    def fileno(self) -> int:
        """The descriptor to watch."""
        ...

    def acknowledge(self) -> bool:
        """Make it unreadable again; True if memory did run out."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class EventAlarm:
    """Version 1: the kernel counts up an eventfd just before it ends a process."""

    def __init__(self, folder: Path) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            control = os.open(folder / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
            try:
                write(folder, "cgroup.event_control", f"{self._event} {control}")
            finally:
                os.close(control)
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._event

    def acknowledge(self) -> bool:
        """Make it unreadable again; True if memory did run out."""
        try:
            return os.eventfd_read(self._event) > 0
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Let go."""
        os.close(self._event)


class FileAlarm:
    """Version 2: the file of event counts changes, which ``epoll`` shows as priority data.

    An ordinary event loop asks only for input, and such a file always has some: hence an epoll
    of its own, which is readable when the file has changed since it was last read.
    """

    def __init__(self, path: Path, counter: str = "oom_kill") -> None:
        self._counter = counter
        self._seen = 0
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.epoll()
        self._poll.register(self._file, select.EPOLLPRI)
        self.acknowledge()

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._poll.fileno()

    def acknowledge(self) -> bool:
        """Make it unreadable again; True if the counter went up."""
        before = self._seen
        self._seen = counter(os.pread(self._file, 4096, 0).decode(), self._counter)
        self._poll.poll(0)
        return self._seen > before

    def close(self) -> None:
        """Let go."""
        self._poll.close()
        os.close(self._file)
