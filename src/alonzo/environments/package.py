"""What an environment runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alonzo.runtimes.base import Launch
from alonzo.sandbox.base import Mount


@dataclass(frozen=True, slots=True)
class Package:
    """What an environment runs: how, its code, and the merged tree of its layers if it has any."""

    launch: Launch
    code: Path
    layers: Path | None = None

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What makes a sandbox this function's own."""
        code = Mount(self.code, "/var/task")
        return (code,) if self.layers is None else (code, Mount(self.layers, "/opt"))
