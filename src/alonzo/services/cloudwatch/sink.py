"""What the platform counts: taken in under two microseconds, durable with the lines of the log.

    attempt_nowait, add_nowait ──▶ memory ──▶ one row of the journal, in the commit of the log flush

* The log's writer asks for what was counted at the moment at which it takes its lines, and writes
  both in one unit of work. An attempt is counted in the same step of the event loop in which its
  REPORT line is written: after any death, usage and REPORT lines are of the same attempts.
* Embedded metrics are read from the lines of that same flush, in a thread.
* A flush that fails keeps what it had: it goes with the next one.
* Values that calls put (PutMetricData) are durable before the call is answered.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from alonzo.lib.clock import Clock
from alonzo.model.arns import FunctionRef
from alonzo.model.metering import Attempt, LambdaMetric, ReservedEnvironments
from alonzo.model.ports.logs import FoundValue, LogEvent, LogStream
from alonzo.services.cloudwatch.embedded import read_embedded
from alonzo.services.cloudwatch.journal import Document, FigureEntry, PointEntry, ReservedEntry
from alonzo.services.cloudwatch.lambda_metrics import MINUTE_S, group_attempts
from alonzo.services.cloudwatch.series import start_of
from alonzo.services.cloudwatch.totals import Totals
from alonzo.store.base import Connection, Store
from alonzo.store.queries import load

log = logging.getLogger("alonzo.metrics")

Q = load("alonzo.services.cloudwatch")

#: Documents of flushes that failed, oldest first; past the bound the oldest go.
_UNWRITTEN_MAX = 10_000
#: Attempts and kinds of figures that wait for a flush; past the bounds they become a document.
_WAITING_MAX = 20_000

#: What a figure is counted under: name, account, region, function, qualifier, version, minute.
_FigureKey = tuple[str, str, str, str | None, str | None, str | None, int]


class MetricWriter:
    """Implements ``model.ports.logs.Meter`` and ``FunctionMetrics``. For one event loop.

    ``wake`` is called when something begins to wait for a flush.
    """

    def __init__(self, store: Store, *, clock: Clock, wake: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._attempts: list[Attempt] = []
        self._figures: dict[_FigureKey, Counter[float]] = {}
        self._reserved: list[ReservedEntry] = []
        self._unwritten: deque[bytes] = deque(maxlen=_UNWRITTEN_MAX)
        self.totals = Totals()

    def now_s(self) -> float:
        """Epoch seconds."""
        return self._clock.now_s()

    @property
    def waits(self) -> bool:
        """Whether a flush has something to take."""
        return bool(self._attempts or self._figures or self._reserved or self._unwritten)

    def attempt_nowait(self, attempt: Attempt) -> None:
        """Count an attempt. Call it in the step that writes its REPORT line."""
        attempts = self._attempts
        attempts.append(attempt)
        if len(attempts) == 1:
            self._wake()
        elif len(attempts) > _WAITING_MAX:
            self._set_aside()

    def add_nowait(
        self,
        metric: LambdaMetric,
        ref: FunctionRef,
        value: float = 1.0,
        *,
        executed_version: str | None = None,
    ) -> None:
        """Count a value, which is not below zero, of one of Lambda's metrics of a function."""
        key, qualifier = ref.key, ref.qualifier
        where = (metric.value, key.account, key.region, key.name, qualifier, executed_version)
        self._add((*where, start_of(self._clock.now_s(), MINUTE_S)), round(value, 3))

    def add_of_region_nowait(
        self, metric: LambdaMetric, account: str, region: str, value: float
    ) -> None:
        """Count a value of one of Lambda's metrics that is the region's."""
        minute_s = start_of(self._clock.now_s(), MINUTE_S)
        self._add((metric.value, account, region, None, None, None, minute_s), value)

    def _add(self, key: _FigureKey, value: float) -> None:
        values = self._figures.get(key)
        if values is None:
            if not self._figures:
                self._wake()
            values = self._figures[key] = Counter()
        values[value] += 1
        if len(self._figures) > _WAITING_MAX or len(values) > _WAITING_MAX:
            self._set_aside()

    def reserved_nowait(self, reserved: ReservedEnvironments, milliseconds: int) -> None:
        """Count environments that were kept reserved for so long, up to now."""
        version = reserved.version
        self._reserved.append(
            ReservedEntry(
                version.key.account,
                version.key.region,
                version.key.name,
                version.version,
                version.architecture,
                version.memory_mib,
                version.tmp_mib,
                start_of(self._clock.now_s(), MINUTE_S),
                reserved.environments * milliseconds,
            )
        )
        if len(self._reserved) == 1:
            self._wake()

    async def put(self, points: Sequence[PointEntry]) -> None:
        """Keep points; they are durable when this returns.

        Raises:
            StoreError: they could not be kept; nothing of them is left.
        """
        body = Document(points=points).encode()
        await self._store.tx(lambda conn: conn.execute(Q.add_to_journal, {"body": body}))

    def encode_found(self, values: Iterable[FoundValue]) -> bytes:
        """Values that metric filters found, as the journal has them. May run in a thread."""
        return Document(
            points=[
                PointEntry(
                    each.account,
                    each.region,
                    each.namespace,
                    each.name,
                    list(each.dimensions),
                    each.unit,
                    MINUTE_S,
                    each.minute_s,
                    list(each.counts),
                    [float(count) for count in each.counts.values()],
                    None,
                )
                for each in values
            ]
        ).encode()

    def write_found(self, conn: Connection, body: bytes) -> None:
        """Keep them: part of the unit of work that writes the events they were found in."""
        conn.execute(Q.add_to_journal, {"body": body})

    def take(self) -> Load:
        """What waits, for one flush of the log."""
        taken = Load(self, self._attempts, self._figures, self._reserved, self._unwritten)
        self._attempts, self._figures, self._reserved = [], {}, []
        self._unwritten = deque(maxlen=_UNWRITTEN_MAX)
        return taken

    def _set_aside(self) -> None:
        """Make a document of what waits: no flush has come for it for long."""
        taken = Load(self, self._attempts, self._figures, self._reserved, deque())
        self._attempts, self._figures, self._reserved = [], {}, []
        taken.prepare(())
        taken.settle(written=False)

    def put_back(self, bodies: Iterable[bytes]) -> None:
        """Keep the documents of a flush that failed for the next one."""
        older = deque(bodies, maxlen=_UNWRITTEN_MAX)
        lost = max(0, len(older) + len(self._unwritten) - _UNWRITTEN_MAX)
        if lost:
            log.warning("metrics.dropped", extra={"documents": lost})
        older.extend(self._unwritten)
        self._unwritten = older


class Load:
    """What one flush writes: ``prepare`` in a thread, ``write``, then ``settle``."""

    def __init__(
        self,
        writer: MetricWriter,
        attempts: list[Attempt],
        figures: dict[_FigureKey, Counter[float]],
        reserved: list[ReservedEntry],
        unwritten: deque[bytes],
    ) -> None:
        self._writer = writer
        self._attempts = attempts
        self._figures = figures
        self._reserved = reserved
        self._bodies = list(unwritten)
        self._embedded = b""
        self._counted = Document()

    def prepare(self, lines: Iterable[tuple[LogStream, Sequence[LogEvent]]]) -> None:
        """Make the document. ``lines`` are those of the flush, searched for embedded metrics."""
        counted = self._counted = Document(
            attempts=group_attempts(self._attempts),
            figures=[
                FigureEntry(*key, list(values.items())) for key, values in self._figures.items()
            ],
            reserved=self._reserved,
        )
        if counted:
            self._bodies.append(counted.encode())
        try:
            embedded = Document(points=read_embedded(lines, self._writer.now_s()))
            if embedded:
                self._embedded = embedded.encode()
        except Exception:
            # Whatever a function wrote, its lines and the figures above must get to the disk.
            log.exception("metrics.embedded_failed")

    def write(self, conn: Connection) -> None:
        """Part of the unit of work that writes the lines."""
        bodies = [*self._bodies, self._embedded] if self._embedded else self._bodies
        conn.execute_many(Q.add_to_journal, [{"body": body} for body in bodies])

    def settle(self, *, written: bool) -> None:
        """On the event loop: the unit of work is durable, or nothing of it is left.

        Then its lines come again, and embedded metrics are read from them again.
        """
        self._writer.totals.count(self._counted)
        if not written:
            self._writer.put_back(self._bodies)
