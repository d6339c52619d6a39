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
import stat
import sys
import time  # noqa: TID251 - no clock is read
from collections.abc import Callable

from . import steps

#: Where /proc/self/stat tells the place of the command line, counted after the name.
_ARG_START, _ARG_END = 45, 46

#: ``signal.signal`` without its enumerations.
_set_signal: Callable[[int, object], object] = importlib.import_module("_signal").signal

#: What Python does with signals from its start.
_DISPOSITIONS = (
    (int(signal.SIGPIPE), int(signal.SIG_IGN)),
    (int(signal.SIGXFSZ), int(signal.SIG_IGN)),
    (int(signal.SIGCHLD), int(signal.SIG_DFL)),
    (int(signal.SIGINT), signal.default_int_handler),
)


class Program:
    """The module of a zygote. ``folder`` is where it is, ``interpreter`` how it was started."""

    def __init__(self, interpreter: list[str], folder: str, module: str) -> None:
        self._interpreter = interpreter
        self._folder = folder
        self._name = module
        self._path = f"{folder}/{module}.py"
        self._command = [*interpreter, self._path]
        self._main: Callable[[], object] = lambda: None
        self._reseed: Callable[[], object] = _nothing
        self._set_thread: Callable[[], object] = _nothing
        self._naming = steps.set_name(os.path.basename(interpreter[0]))
        self._shown: tuple[int, bytes, int] | None = None

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
        self._prepare()

    def _prepare(self) -> None:
        """Have done what is the same for all forks: what one writes to is copied for it."""
        for name in list(os.environ):
            del os.environ[name]
        sys.argv = [self._path]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = self._command
        self._shown = _command_line("\0".join(self._command).encode() + b"\0")
        _open_streams_of_pipes()
        if "random" in sys.modules:
            self._reseed = sys.modules["random"].seed
        if "threading" in sys.modules:
            main = sys.modules["threading"].main_thread()
            self._set_thread = getattr(main, "_set_native_id", _nothing)  # where there are such ids

    def begin(self, environment: dict[str, str]) -> Callable[[], object]:
        """In the fork: put everything in its place, and answer what to call."""
        for name, value in environment.items():
            os.environ[name] = value
        time.tzset()
        steps.take((self._naming,))
        if self._shown is not None:
            ctypes.memmove(*self._shown)
        for number, disposition in _DISPOSITIONS:
            _set_signal(number, disposition)
        if not (stat.S_ISFIFO(os.fstat(1).st_mode) and stat.S_ISFIFO(os.fstat(2).st_mode)):
            _open_standard_streams()
        # What modules ask to have done in forks (``os.register_at_fork``) is for those who share
        # threads and locks with what they were forked from, and was not done (``syscalls.fork``).
        self._reseed()
        self._set_thread()
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


def _open_streams_of_pipes() -> None:
    """The same for forks whose output goes to pipes, which it nearly always does."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    kept = [(number, os.dup(number)) for number in (1, 2)]
    for number, _ in kept:
        os.dup2(writer, number)
    _open_standard_streams()
    for number, own in kept:
        os.dup2(own, number)
    for each in (reader, writer, *(own for _, own in kept)):
        os.close(each)


def _command_line(text: bytes) -> tuple[int, bytes, int] | None:
    """What to move where for ``ps`` to show ``text``, cut to the room of the zygote's own."""
    try:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    except (OSError, ValueError, IndexError):
        return None  # without /proc there is nobody to see it
    room = end - start
    return (start, text[: room - 1].ljust(room, b"\0"), room) if start and room > 1 else None
