"""Figures that are not of one call: how many run at a time, and what is kept ready for them.

Taken every second. Peaks of concurrency are kept in between, so none is missed; the use of
provisioned concurrency is that of the moment.
"""

from __future__ import annotations

import asyncio

from alonzo.environments.provisioned import Provisioned
from alonzo.invoke.admission import Admission
from alonzo.lib.clock import Clock
from alonzo.model.arns import FunctionRef
from alonzo.model.metering import LambdaMetric
from alonzo.model.ports.logs import FunctionMetrics

SAMPLE_EVERY_S = 1.0
#: Time that passed unseen, as when the host slept, is nobody's usage.
_GAP_S_MAX = 10.0


class Sampler:
    """Takes samples."""

    def __init__(
        self,
        admission: Admission,
        provisioned: Provisioned,
        metrics: FunctionMetrics,
        clock: Clock,
    ) -> None:
        self._admission = admission
        self._provisioned = provisioned
        self._metrics = metrics
        self._clock = clock
        self._sampled_at_s = clock.monotonic_s()

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(SAMPLE_EVERY_S)
            self.sample()

    def sample(self) -> None:
        """Take one sample now."""
        now_s = self._clock.monotonic_s()
        passed_ms = round(min(now_s - self._sampled_at_s, _GAP_S_MAX) * 1000)
        self._sampled_at_s = now_s
        self._sample_concurrency()
        self._sample_provisioned(passed_ms)

    def _sample_concurrency(self) -> None:
        metrics, peaks = self._metrics, self._admission.take_peaks()
        running = LambdaMetric.CONCURRENT_EXECUTIONS
        for key, peak in peaks.functions.items():
            metrics.add_nowait(running, FunctionRef(key, None), peak)
        for (account, region), peak in peaks.regions.items():
            metrics.add_of_region_nowait(running, account, region, peak)
        for (account, region), peak in peaks.unreserved.items():
            unreserved = LambdaMetric.UNRESERVED_CONCURRENT_EXECUTIONS
            metrics.add_of_region_nowait(unreserved, account, region, peak)

    def _sample_provisioned(self, passed_ms: int) -> None:
        metrics = self._metrics
        for figures in self._provisioned.figures():
            ref = FunctionRef(figures.key, figures.version)
            in_use = LambdaMetric.PROVISIONED_CONCURRENT_EXECUTIONS
            metrics.add_nowait(in_use, ref, figures.in_use)
            utilization = LambdaMetric.PROVISIONED_CONCURRENCY_UTILIZATION
            metrics.add_nowait(utilization, ref, figures.utilization)
        for reserved in self._provisioned.reserved():
            metrics.reserved_nowait(reserved, passed_ms)
