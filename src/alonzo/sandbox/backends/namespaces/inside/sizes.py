"""How much memory processes have, where no cgroup counts it.

Only what is mapped shows. Memory that is mapped nowhere is closed to such sandboxes where it can be
(``seccomp.py``); what pipes and sockets hold is bounded by the number of descriptors.
"""

from __future__ import annotations

_FIELDS = (b"RssAnon", b"RssShmem", b"RssFile", b"VmHWM")


class Size:
    """Bytes of one process: resident now, and at the highest; those of files left out.

    ``running``: its main thread has, or waits for, a processor.
    """

    def __init__(self, current: int, peak: int, *, running: bool = False) -> None:
        self.current = current
        self.peak = peak
        self.running = running


def size_of(pid: int) -> Size:
    """The size of a process, pages that it shares counted whole; nothing if it has ended."""
    words = _words(f"/proc/{pid}/status", (*_FIELDS, b"State"))
    running = words.pop(b"State", b"") == b"R"
    found = _bytes(words)
    current = found.get(b"RssAnon", 0) + found.get(b"RssShmem", 0)
    # The kernel keeps the peak of all three kinds only; files' pages come and seldom go.
    peak = max(current, found.get(b"VmHWM", 0) - found.get(b"RssFile", 0))
    return Size(current, peak, running=running)


def proportional_bytes(pid: int) -> int:
    """The same with each shared page divided by the number of its users; slower."""
    return sum(_bytes(_words(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon", b"Pss_Shmem"))).values())


def _words(path: str, wanted: tuple[bytes, ...]) -> dict[bytes, bytes]:
    """The first word of each line in ``wanted``."""
    try:
        with open(path, "rb") as file:
            lines = [line.split(b":") for line in file.read().splitlines()]
    except OSError:  # it has ended
        return {}
    return {line[0]: line[1].split()[0] for line in lines if line[0] in wanted}


def _bytes(words: dict[bytes, bytes]) -> dict[bytes, int]:
    return {name: int(word) << 10 for name, word in words.items()}
