"""Takes a program to another working folder from outside, which the kernel offers nobody.

A program's *leader* is a process that shares the working folder with it (``CLONE_FS``) and waits.
Told to, it goes to a folder, both are there, and it ends, and with it the sharing. It is made by
the process that is about to execute the program, so it has no more rights and the same filter, and
it is a child of pid 1 (``CLONE_PARENT``), whose own working folder it does not share. It does not
live to see foreign code: a sandbox is fitted before there is any.

Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal

from . import syscalls as sys
from . import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: Longest wait for a leader. It takes a system call; who is stopped, or was, has no time for it.
_GO_MS_MAX = 2000

_GO = b"1"


class Leader:
    """Pid 1's side of one. ``theirs`` is the descriptor for the leader itself.

    Numbers, not objects: forks of pid 1 have copies, which must not close what is another's then.
    """

    def __init__(self) -> None:
        ours, theirs = wire.pair()
        self._ours = ours.detach()
        self.theirs = theirs.detach()
        self.pid = 0

    def meet(self) -> None:
        """Take its pid, once the program has been executed: it says that before."""
        os.close(self.theirs)
        with contextlib.suppress(ValueError):  # it has ended
            self.pid = int(os.read(self._ours, 16))

    def go(self) -> None:
        """Have it go, and be gone.

        Raises:
            OSError: it did not get there.
        """
        pid, self.pid = self.pid, 0
        if not pid:
            raise ProcessLookupError(0, "the program's leader has ended")
        with contextlib.suppress(BrokenPipeError):  # its status tells
            os.write(self._ours, _GO)
        poll = select.poll()
        poll.register(self._ours, select.POLLHUP)
        if not poll.poll(_GO_MS_MAX):
            os.kill(pid, signal.SIGKILL)
        self.close()
        status = os.waitpid(pid, 0)[1]
        if status:
            number = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
            raise OSError(number, os.strerror(number) if number else "it was killed", "lead")

    def close(self) -> None:
        """Have it end where it is, if it still waits. Safe to call twice."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1


def fork_leader(descriptor: int, folder: str) -> None:
    """In a process about to execute a program: have a leader that will go to ``folder``.

    Raises:
        OSError: there is none.
    """
    if sys.fork_sharing_folder() == 0:
        _lead(descriptor, folder)
    os.close(descriptor)


def _lead(descriptor: int, folder: str) -> NoReturn:
    status = 1
    try:
        # What execve takes from the program: where that has a user namespace, it had all there.
        sys.set_capabilities(())
        sys.set_dumpable(False)
        sys.set_name("alonzo-leader")
        os.write(descriptor, b"%d" % os.getpid())
        # Only now: whoever waits for the program to be executed waits for these to close, too.
        sys.close_range(0, descriptor - 1)
        sys.close_range(descriptor + 1, 0x7FFFFFFF)
        if os.read(descriptor, 1) == _GO:
            os.chdir(folder)
            status = 0
    except OSError as err:
        status = err.errno or 1
    finally:
        os._exit(status)
