"""What the edge asks of S3 before it knows who calls. Implements ``ports.buckets.Buckets``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from alonzo.services.s3.buckets import cors
from alonzo.services.s3.buckets.settings import CORS
from alonzo.services.s3.directory import Directory


class Front:
    """The buckets, as far as anybody may see them."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def exists_nowait(self, name: str) -> bool:
        """See ``Buckets``."""
        return self._directory.try_find_nowait(name) is not None

    def preflight_nowait(
        self, name: str, origin: str, method: str, headers: Sequence[str]
    ) -> Mapping[str, str] | None:
        """See ``Buckets``."""
        return cors.preflight(self._rules(name), origin, method, headers)

    def cross_origin_nowait(self, name: str, origin: str, method: str) -> Mapping[str, str]:
        """See ``Buckets``."""
        return cors.on_answer(self._rules(name), origin, method)

    def _rules(self, name: str) -> Sequence[Mapping[str, Any]]:
        bucket = self._directory.try_find_nowait(name)
        text = None if bucket is None else bucket.documents.get(CORS)
        return () if text is None else orjson.loads(text)
