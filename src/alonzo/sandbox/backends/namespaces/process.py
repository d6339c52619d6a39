"""What pid 1 answers when it cannot."""

from __future__ import annotations

from typing import Any

from alonzo.sandbox.base import NotExecutableError, SandboxError


class RefusedError(SandboxError):
    """The kernel refused, inside, with that error number."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def error_of(notice: dict[str, Any]) -> SandboxError:
    """What to raise for a notice of failure."""
    text: str = notice["error"]
    if "number" in notice:
        return RefusedError(notice["number"], text)
    return NotExecutableError(text) if notice.get("unexecutable") else SandboxError(text)
