"""Brings a fork of a template into another sandbox, without a moment in which it could misuse that.

A process that enters a user namespace of its own user holds every capability there, and this one
runs foreign code. So it is traced: from its first ``setns`` on it may make the agreed system calls,
in their order, and those that only concern its own memory; anything else is its death. Capabilities
are of no use but in system calls, and what is checked are registers, so it does not matter what the
process makes of its memory meanwhile, or others of it. The last call leaves it without any.

Only under escort does the filter let ``setns`` pass at all. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Callable, Sequence

#: What a sandbox has of its own, in the order in which it is entered: the user namespace first,
#: which gives the right to the others.
NAMESPACES = ("user", "mnt", "net", "ipc", "uts", "cgroup", "pid")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_ulong, ctypes.c_void_p)

_CONT, _DETACH, _SYSCALL = 7, 17, 24
_GETEVENTMSG, _SEIZE, _INTERRUPT, _GET_SYSCALL_INFO = 0x4201, 0x4206, 0x4207, 0x420E
_TRACESYSGOOD, _TRACESECCOMP, _EXITKILL = 0x1, 0x80, 0x100000
_TRACEFORK, _TRACEVFORK, _TRACECLONE = 0x2, 0x4, 0x8
_OPTIONS = _TRACESYSGOOD | _TRACEFORK | _TRACEVFORK | _TRACECLONE | _TRACESECCOMP | _EXITKILL
_EVENT_FORK, _EVENT_STOP = 1, 128
#: A fork, a vfork, a thread: whoever is born is stopped and traced, too.
_BIRTHS = frozenset({1, 2, 3})
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_INFO_BYTES = 88
_ENTRY, _EXIT = 1, 2
_WALL = 0x40000000
_MAP_ANONYMOUS = 0x20
#: Flags of a plain fork: where its own id is kept, and the signal of its end.
_PLAIN_FORK = 0x01000000 | 0x00200000 | signal.SIGCHLD

#: Numbers of system calls: setns, setresuid, setresgid, mmap; and those that are of no use but to
#: the process itself (futex, brk, munmap, madvise).
_NUMBERS = {
    "x86_64": (308, 117, 119, 9, frozenset({202, 12, 11, 28})),
    "aarch64": (268, 147, 149, 222, frozenset({98, 214, 215, 233})),
}


class EscortError(Exception):
    """The process did something else than was agreed, or died. It is dead or about to be."""


def lead(
    pid: int,
    *,
    inside_uid: int,
    uid: int,
    namespaces: Sequence[int],
    let_go: Callable[[], None],
    settle: Callable[[int], None],
) -> int:
    """Escort ``pid``, which blocks until ``let_go``, into ``namespaces``; answers its child's pid.

    ``namespaces`` are descriptors in the order of ``NAMESPACES``. In the user namespace
    ``inside_uid`` is the host's ``uid``, which the process has at the end. It then forks once, and
    it is the child that is in the new pid namespace; ``settle`` is called with its pid before it
    runs. Its parent ends there and then, so that whoever reaps orphans is told of the child's end.

    Raises:
        EscortError: it did something else.
        OSError: it is gone, or cannot be traced.
    """
    escorted = _Escorted(pid)
    _ptrace(_SEIZE, pid, data=_OPTIONS)
    child = 0
    try:
        _ptrace(_INTERRUPT, pid)
        escorted.wait_event(_EVENT_STOP)
        let_go()
        escorted.walk(_agreed(inside_uid))
        _check(pid, uid, namespaces)
        child = escorted.walk_to_fork()
        _Escorted(child).wait_event(_EVENT_STOP)
        _check_child(child, pid, uid)
        settle(child)
        _ptrace(_DETACH, child)
    except BaseException:
        for each in escorted.born:
            _end(each)
        raise
    finally:
        _end(pid)
    return child


def _agreed(inside_uid: int) -> list[tuple[int, ...]]:
    setns, setresuid, setresgid, _, _ = _NUMBERS[os.uname().machine]
    return [
        *((setns,) for _ in NAMESPACES),
        (setresgid, *(inside_uid,) * 3),
        # From root of the user namespace to another user: that takes the capabilities away.
        (setresuid, 0, 0, 0),
        (setresuid, *(inside_uid,) * 3),
    ]


class _Escorted:
    """A traced process between two of its stops."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.born: list[int] = []

    def _wait(self) -> tuple[int, int]:
        """Signal and event of its next stop."""
        _, status = os.waitpid(self._pid, _WALL)
        if not os.WIFSTOPPED(status):
            raise EscortError(f"process {self._pid} ended")
        if status >> 16 in _BIRTHS:
            self.born.append(_message(self._pid))
        return status >> 8 & 0xFF, status >> 16

    def wait_event(self, wanted: int) -> None:
        """Wait for that stop. Signals that come meanwhile are lost."""
        while True:
            number, event = self._wait()
            if event == wanted:
                return
            if event or number == _SYSCALL_STOP:
                raise EscortError(f"process {self._pid} did something else")
            _ptrace(_CONT, self._pid)

    def walk(self, agreed: list[tuple[int, ...]]) -> None:
        """Let it make the system calls of ``agreed``, and return behind the last."""
        done, inside = 0, False
        while done < len(agreed):
            _ptrace(_SYSCALL, self._pid)
            number, event = self._wait()
            if event in _BIRTHS:
                raise EscortError("it forked on the way")
            if number != _SYSCALL_STOP:
                continue  # the filter's stop, or a signal, which is lost
            kind, values = _info(self._pid)
            if kind == _ENTRY:
                inside = values[: len(agreed[done])] == agreed[done]
                if done and not inside and not _is_harmless(values):
                    raise EscortError(f"system call {values[0]} in place of {agreed[done][0]}")
            elif kind == _EXIT and inside:
                if values[0]:
                    raise EscortError(f"system call {agreed[done][0]}: error {-values[0]}")
                done, inside = done + 1, False

    def walk_to_fork(self) -> int:
        """Let it do what it likes, up to a plain fork. Answers the pid of the child."""
        while True:
            _ptrace(_SYSCALL, self._pid)
            number, event = self._wait()
            if event == _EVENT_FORK:
                return self.born[0]
            if event in _BIRTHS:
                raise EscortError("it did not fork but something like it")
            if number == _SYSCALL_STOP:
                kind, values = _info(self._pid)
                # Another parent than its own would be the one to be told of the child's end.
                if kind == _ENTRY and values[0] == _clone() and values[1] & ~_PLAIN_FORK:
                    raise EscortError(f"it forked with flags {values[1]:#x}")


def _clone() -> int:
    return {"x86_64": 56, "aarch64": 220}[os.uname().machine]


def _is_harmless(call: tuple[int, ...]) -> bool:
    *_, mmap, own_memory = _NUMBERS[os.uname().machine]
    return call[0] in own_memory or (call[0] == mmap and bool(call[4] & _MAP_ANONYMOUS))


def _info(pid: int) -> tuple[int, tuple[int, ...]]:
    """Whether it enters or leaves a system call; number and arguments, or the result."""
    buffer = ctypes.create_string_buffer(_INFO_BYTES)
    _ptrace(_GET_SYSCALL_INFO, pid, address=_INFO_BYTES, data=ctypes.addressof(buffer))
    kind = buffer.raw[0]
    return kind, struct.unpack_from("=q" if kind == _EXIT else "=7Q", buffer.raw, 24)


def _message(pid: int) -> int:
    value = ctypes.c_ulong()
    _ptrace(_GETEVENTMSG, pid, data=ctypes.addressof(value))
    return value.value


def _check(pid: int, uid: int, namespaces: Sequence[int]) -> None:
    """Be sure of where it is, and of what it may."""
    for name, descriptor in zip(NAMESPACES, namespaces, strict=True):
        shown = "pid_for_children" if name == "pid" else name
        if os.stat(f"/proc/{pid}/ns/{shown}").st_ino != os.fstat(descriptor).st_ino:
            raise EscortError(f"it is in another {name} namespace")
    facts = _status(pid)
    if {int(number) for number in facts["Uid"] + facts["Gid"]} != {uid}:
        raise EscortError("it has another user")
    if any(int(facts[f"Cap{name}"][0], 16) for name in ("Inh", "Prm", "Eff", "Amb")):
        raise EscortError("it has kept a capability")


def _status(pid: int) -> dict[str, list[str]]:
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        lines = [line.split(":", 1) for line in file if ":" in line]
    return {name: value.split() for name, value in lines}


def _check_child(pid: int, parent: int, uid: int) -> None:
    if not is_child(pid, parent, uid):
        raise EscortError("its child is not its own")


def is_child(pid: int, parent: int, uid: int) -> bool:
    """Whether ``pid`` is a child of that process with that user, and has one thread."""
    try:
        facts = _status(pid)
    except OSError:
        return False
    return (
        facts["PPid"] == [str(parent)]
        and facts["Threads"] == ["1"]
        and {int(number) for number in facts["Uid"]} == {uid}
    )


def _end(pid: int) -> None:
    """End a process that we trace, and be told of it: its parent is only after us."""
    try:
        os.kill(pid, signal.SIGKILL)
        while os.WIFSTOPPED(os.waitpid(pid, _WALL)[1]):
            continue
    except (ProcessLookupError, ChildProcessError):
        return


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if _libc.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), f"ptrace {request:#x}")
