"""What is counted of functions: one attempt's figures, and the names of Lambda's own metrics.

Source: Lambda developer guide, types of metrics for Lambda functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alonzo.model.arns import FunctionRef
from alonzo.model.functions import ServingVersion

#: Bytes of a streamed response that cost nothing, per request. Source: AWS Lambda pricing.
FREE_STREAMED_BYTES = 6 << 20


class LambdaMetric(StrEnum):
    """A metric of the namespace ``AWS/Lambda``, by AWS's name for it."""

    INVOCATIONS = "Invocations"
    ERRORS = "Errors"
    THROTTLES = "Throttles"
    DURATION = "Duration"
    POST_RUNTIME_EXTENSIONS_DURATION = "PostRuntimeExtensionsDuration"
    CONCURRENT_EXECUTIONS = "ConcurrentExecutions"
    UNRESERVED_CONCURRENT_EXECUTIONS = "UnreservedConcurrentExecutions"
    PROVISIONED_CONCURRENT_EXECUTIONS = "ProvisionedConcurrentExecutions"
    PROVISIONED_CONCURRENCY_UTILIZATION = "ProvisionedConcurrencyUtilization"
    PROVISIONED_CONCURRENCY_INVOCATIONS = "ProvisionedConcurrencyInvocations"
    PROVISIONED_CONCURRENCY_SPILLOVER_INVOCATIONS = "ProvisionedConcurrencySpilloverInvocations"
    ASYNC_EVENTS_RECEIVED = "AsyncEventsReceived"
    ASYNC_EVENT_AGE = "AsyncEventAge"
    ASYNC_EVENTS_DROPPED = "AsyncEventsDropped"
    DEAD_LETTER_ERRORS = "DeadLetterErrors"
    DESTINATION_DELIVERY_FAILURES = "DestinationDeliveryFailures"
    RECURSIVE_INVOCATIONS_DROPPED = "RecursiveInvocationsDropped"
    ITERATOR_AGE = "IteratorAge"
    URL_REQUEST_COUNT = "UrlRequestCount"
    URL_4XX_COUNT = "Url4xxCount"
    URL_5XX_COUNT = "Url5xxCount"
    URL_REQUEST_LATENCY = "UrlRequestLatency"


@dataclass(slots=True)
class Attempt:
    """One attempt that has a REPORT line, with the figures of that line.

    ``invoked_arn`` is the ARN as the caller addressed it; ``began_at_s`` epoch seconds.
    ``extensions_ms``: how long extensions kept it open after the answer; None: there were none.
    ``provisioned``: it ran in provisioned concurrency. ``streamed_bytes``: the length of a streamed
    response. Made anew for every invocation, so not frozen; nobody changes one.
    """

    version: ServingVersion
    invoked_arn: str
    began_at_s: float
    duration_ms: float
    billed_ms: int
    failed: bool
    extensions_ms: float | None = None
    provisioned: bool = False
    streamed_bytes: int = 0


class Uncounted:
    """A ``ports.FunctionMetrics`` that counts nothing, where nobody asks for figures."""

    def add_nowait(
        self,
        metric: LambdaMetric,
        ref: FunctionRef,
        value: float = 1.0,
        *,
        executed_version: str | None = None,
    ) -> None:
        """Nothing."""

    def add_of_region_nowait(
        self, metric: LambdaMetric, account: str, region: str, value: float
    ) -> None:
        """Nothing."""

    def reserved_nowait(self, reserved: ReservedEnvironments, milliseconds: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class ReservedEnvironments:
    """Provisioned concurrency of one version that is paid for, used or not.

    ``environments`` are as many as were asked for.
    """

    version: ServingVersion
    environments: int
