"""Makes a fork of a zygote look like an interpreter that has just started.

What a fresh interpreter has and a fork has not: another hash seed and another memory layout than
its siblings; and what it would read from ``PYTHON…`` variables, which is for ``main()`` to honour.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import sys
import time  # noqa: TID251 - no clock is read
from collections.abc import Callable

from . import syscalls

#: Where /proc/self/stat tells the place of the command line, counted after the name.
_ARG_START, _ARG_END = 45, 46


class Program:
    """The module of a zygote. ``folder`` is where it is, ``interpreter`` how it was started."""

    def __init__(self, interpreter: list[str], folder: str, module: str) -> None:
        self._interpreter = interpreter
        self._folder = folder
        self._name = module
        self._path = f"{folder}/{module}.py"
        self._main: Callable[[], object] = lambda: None

    def preload(self) -> None:
        """Import the module, and what it knows to be needed.

        Whatever the module raises comes out of here.
        """
        own = __package__ or ""
        sys.path[:] = [self._folder, *(p for p in sys.path if p not in ("", _root_of_ours()))]
        sys.argv = [self._path]
        for name in [n for n in sys.modules if n == own or n.startswith(own + ".")]:
            del sys.modules[name]  # ours is no module of theirs
        module = importlib.import_module(self._name)
        module.preload()
        if len(os.listdir("/proc/self/task")) > 1:
            raise RuntimeError("preload() left threads, which no fork would have")
        self._main = module.main

    def begin(self, environment: dict[str, str]) -> Callable[[], object]:
        """In the fork: put everything in its place, and answer what to call."""
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        command = [*self._interpreter, self._path]
        sys.argv = [self._path]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = command
        syscalls.set_name(os.path.basename(self._interpreter[0]))
        _show_command_line("\0".join(command).encode() + b"\0")
        for number, disposition in (
            (signal.SIGPIPE, signal.SIG_IGN),
            (signal.SIGXFSZ, signal.SIG_IGN),
            (signal.SIGCHLD, signal.SIG_DFL),
            (signal.SIGINT, signal.default_int_handler),
        ):
            signal.signal(number, disposition)
        _open_standard_streams()
        # What modules ask to have done in forks (``os.register_at_fork``) is for those who share
        # threads and locks with what they were forked from, and was not done (``syscalls.fork``).
        if "random" in sys.modules:
            sys.modules["random"].seed()
        if "threading" in sys.modules:
            main = sys.modules["threading"].main_thread()
            getattr(main, "_set_native_id", _nothing)()  # where the system has such ids
        gc.enable()
        return self._main


def _nothing() -> None:
    """In place of what this Python does not have."""


def _root_of_ours() -> str:
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _open_standard_streams() -> None:
    """Anew: what the zygote left in their buffers, or did to them, is nobody else's."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = open(  # noqa: SIM115 - for as long as the process lives
            number,
            mode,
            encoding="utf-8",
            errors="backslashreplace" if number == 2 else "surrogateescape",
            # As the interpreter does it: errors are seen at once, a file's content in blocks.
            buffering=1 if number == 2 or os.isatty(number) else -1,
            closefd=False,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _show_command_line(text: bytes) -> None:
    """Let ``ps`` show ``text``, cut to the room that the zygote's own command line took."""
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    except (OSError, ValueError, IndexError):
        return  # without /proc there is nobody to see it
    room = end - start
    if start and room > 1:
        ctypes.memmove(start, text[: room - 1].ljust(room, b"\0"), room)
