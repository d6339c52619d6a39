"""The way of spans to an OpenTelemetry collector: a bounded queue, and one request at a time.

A collector that is slow or gone costs spans, and nothing else: past the bound the oldest go, and
a batch that it refuses is not sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from alonzo.invoke.traces.spans import Span, document
from alonzo.lib.tasks import TaskScope

log = logging.getLogger("alonzo.traces")

#: Spans that may wait, and spans of one request.
QUEUED_MAX = 10_000
BATCH_MAX = 512
EXPORT_EVERY_S = 1.0
REQUEST_S_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Collector:
    """Where spans go: the URL of an OTLP/HTTP receiver, and headers that it wants.

    A URL without a path is that of the receiver's root.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class SpanExporter:
    """Takes spans and sends them on. For one event loop."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._queue: deque[Span] = deque(maxlen=QUEUED_MAX)
        self._failing = False
        self._scope = TaskScope()

    def add_nowait(self, span: Span) -> None:
        """Queue a span."""
        self._queue.append(span)
        if not len(self._scope):
            self._scope.spawn(self._send_soon(), name="export spans")

    async def _send_soon(self) -> None:
        await asyncio.sleep(EXPORT_EVERY_S)
        await self._flush()

    async def close(self) -> None:
        """Send what is queued, once, and take nothing more."""
        await self._scope.close()
        await self._flush()

    async def _flush(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
            try:
                await asyncio.to_thread(self._send, document(batch))
            except OSError as error:
                if not self._failing:  # Once is enough to know.
                    log.warning("traces.not_sent", extra={"error": str(error)})
                self._failing = True
                return
            self._failing = False

    def _send(self, body: bytes) -> None:
        """Send one request.

        Raises:
            OSError: the collector does not take it.
        """
        # Few platforms have a collector, and this is half a MiB.
        from http.client import HTTPConnection, HTTPException, HTTPSConnection

        url = urlsplit(self._collector.url)
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=REQUEST_S_MAX)
        headers = {"Content-Type": "application/json", **self._collector.headers}
        path = url.path if url.path not in ("", "/") else "/v1/traces"
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
        except HTTPException as error:
            raise OSError(f"the collector answered {error!r}") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise OSError(f"the collector answered {answer.status}")
