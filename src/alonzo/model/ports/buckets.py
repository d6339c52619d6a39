"""What the edge asks of S3 before it knows who calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Buckets(Protocol):
    """The buckets of the platform. Answers at once, from memory."""

    def exists_nowait(self, name: str) -> bool:
        """Whether there is a bucket of that name."""
        ...

    def preflight_nowait(
        self, name: str, origin: str, method: str, headers: Sequence[str]
    ) -> Mapping[str, str] | None:
        """The headers of the answer to a browser that asks first; None: it may not.

        ``method`` and ``headers`` are of the request that it would send.
        """
        ...

    def cross_origin_nowait(self, name: str, origin: str, method: str) -> Mapping[str, str]:
        """Headers that let a browser see the answer to a request; none: it may not."""
        ...
