"""A network namespace that holds a loopback and listening sockets, and nothing else. Blocks."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from alonzo.sandbox.base import SandboxError

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_LOOPBACK = "127.0.0.1"

_T = TypeVar("_T")


class Network:
    """One namespace. It lives as long as its descriptor, or a process in it, does."""

    def __init__(self, ports: Sequence[int]) -> None:
        """Make it, listening on those ports.

        Raises:
            SandboxError: it cannot be made.
        """
        self.listeners: dict[int, socket.socket] = {}
        self.descriptor = -1
        try:
            _elsewhere(lambda: self._make(ports))
        except OSError as err:
            self.close()
            raise SandboxError(f"network namespace: {err}") from err

    def _make(self, ports: Sequence[int]) -> None:
        _call(lambda library: library.unshare(_CLONE_NEWNET))
        self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
        for port in ports:
            listener = self.listeners[port] = socket.socket()
            listener.bind((_LOOPBACK, port))
            listener.listen()
            listener.setblocking(False)

    @property
    def path(self) -> str:
        """Where another process finds it."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def socket(self) -> socket.socket:
        """A TCP socket in it, non-blocking.

        Raises:
            OSError: it is closed.
        """

        def make() -> socket.socket:
            _call(lambda library: library.setns(self.descriptor, _CLONE_NEWNET))
            return socket.socket()

        made = _elsewhere(make)
        made.setblocking(False)
        return made

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        for listener in self.listeners.values():
            listener.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _call(call: Callable[[ctypes.CDLL], int]) -> None:
    if call(ctypes.CDLL(None, use_errno=True)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _elsewhere(work: Callable[[], _T]) -> _T:
    """Do it in a thread that ends with it: nobody else may find himself in another namespace."""
    results: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as err:  # noqa: BLE001 - it is raised where it was asked for
            failures.append(err)

    thread = threading.Thread(target=run, name="network namespace")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]
