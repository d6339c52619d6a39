"""``Invoke``: admission, an environment, the answer. Implements ``ports.invoking.Invoker``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial

from alonzo.environments.pool import NoRoomError, Pool, ScalingRateError
from alonzo.environments.values import Invocation, Outcome
from alonzo.invoke.admission import Admission
from alonzo.invoke.concurrency import ThrottleReason, throttled
from alonzo.invoke.directory import Directory, Target
from alonzo.invoke.event_life import EventPolicy, Run
from alonzo.invoke.events import Event, EventQueue
from alonzo.invoke.recursion import check_recursion, continue_lineage
from alonzo.invoke.rules import check_payload, check_tenant, trace_header
from alonzo.invoke.streams import Outflow, StreamSettings, carry
from alonzo.invoke.traces.exporter import SpanExporter
from alonzo.invoke.traces.sampling import TraceSampler
from alonzo.invoke.traces.spans import span_of
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.arns import FunctionRef, parse_function_ref
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest, InvokeResult
from alonzo.model.limits import ACCOUNT_CONCURRENCY, REQUESTS_PER_CONCURRENCY_S
from alonzo.model.metering import LambdaMetric, Uncounted
from alonzo.model.payloads import PayloadLimits
from alonzo.model.ports.code import CodeError
from alonzo.model.ports.invoking import ResponseSink
from alonzo.model.ports.logs import FunctionMetrics
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.sandbox.base import SandboxError


@lru_cache(maxsize=2048)
def _callee(name: str, qualifier: str | None, account: str, region: str) -> tuple[FunctionRef, str]:
    """The function as it is addressed, and its ARN as such.

    Callers hardly ever differ in how they write a name; the bound is for memory.
    """
    ref = parse_function_ref(name, qualifier, account=account, region=region)
    return ref, ref.arn


@dataclass(frozen=True, slots=True)
class InvokeSettings:
    """Limits of the data plane. ``concurrency_max`` is the account's, in one region.

    ``requests_s``: synchronous requests a second for each unit of concurrency. ``payloads``: limits
    of events; ``streams``: of responses that are streamed.
    """

    concurrency_max: int = ACCOUNT_CONCURRENCY
    requests_s: float = REQUESTS_PER_CONCURRENCY_S
    payloads: PayloadLimits = field(default_factory=PayloadLimits)
    streams: StreamSettings = field(default_factory=StreamSettings)


class LambdaInvoker:
    """Runs functions on this node."""

    def __init__(
        self,
        directory: Directory,
        pool: Pool,
        events: EventQueue,
        *,
        clock: Clock,
        ids: IdSource,
        settings: InvokeSettings,
        metrics: FunctionMetrics | None = None,
        spans: SpanExporter | None = None,
    ) -> None:
        self._directory = directory
        self._pool = pool
        self._events = events
        self._clock = clock
        self._ids = ids
        self._payloads = settings.payloads
        self._streams = settings.streams
        self._metrics = metrics or Uncounted()
        self._sampler = TraceSampler()
        self._spans = spans
        self.admission = Admission(
            pool,
            clock=clock,
            account_max=settings.concurrency_max,
            requests_s=settings.requests_s,
        )

    async def stream(self, request: InvokeRequest, sink: ResponseSink) -> InvokeResult:
        """Run one call to its end, and hand its response on while it comes."""
        outflow = Outflow(sink, self._streams, self._clock)
        return await carry(outflow, self.invoke(request, outflow))

    async def invoke(self, request: InvokeRequest, outflow: Outflow | None = None) -> InvokeResult:
        """Run one call to its end, or accept one event durably.

        ``outflow`` carries a response that comes in pieces; None: the result has it whole.
        """
        ref, arn = _callee(
            request.function_name, request.qualifier, request.account, request.region
        )
        directory = self._directory
        target = directory.try_resolve(ref) or await directory.resolve(ref)
        if target.version.tenant_isolation or request.tenant_id is not None:
            check_tenant(target.version.tenant_isolation, request.tenant_id)
        payload = check_payload(request.invocation_type, request.payload, self._payloads)
        if request.invocation_type is InvocationType.DRY_RUN:
            return InvokeResult(204)
        lineage, runs_before = continue_lineage(request.trace_header, ref.key)
        trace = self._trace_header(request, target, lineage)
        if target.stops_loops and runs_before:
            try:
                check_recursion(runs_before)
            except AwsError:
                await self._stop_loop(request, ref, trace)
                raise
        if request.invocation_type is InvocationType.EVENT:
            await self._events.accept(request, ref, payload, trace)
            self._metrics.add_nowait(LambdaMetric.ASYNC_EVENTS_RECEIVED, ref)
            return InvokeResult(202, trace_header=trace)
        # With its fields by name it would take three times as long, for each call.
        invocation = Invocation(request.request_id, self._ids.uuid(), arn, payload, trace)
        invocation.client_context = request.client_context
        invocation.tenant_id = request.tenant_id
        invocation.log_tail = request.log_tail
        invocation.caller_trace = request.trace_header
        if outflow is not None:
            outflow.identify(target.version.version, trace)
            invocation.intake = outflow.relay
        outcome = await self._run(ref, target, invocation, rated=True)
        error = None if outcome.error_type is None else "Unhandled"
        version = target.version.version
        return InvokeResult(200, outcome.payload, version, error, outcome.log_tail, trace)

    async def _stop_loop(self, request: InvokeRequest, ref: FunctionRef, trace: str) -> None:
        """Count a loop that was stopped. What becomes of events hears of an event in it."""
        self._metrics.add_nowait(LambdaMetric.RECURSIVE_INVOCATIONS_DROPPED, ref)
        if request.invocation_type is InvocationType.EVENT:
            policy = await self._directory.event_policy(ref)
            await self._events.refuse(request, ref, trace, policy)

    def _trace_header(self, request: InvokeRequest, target: Target, lineage: str) -> str:
        now_s, random_hex = self._clock.now_s(), self._ids.hex(20)
        if target.version.tracing_mode != "Active":
            return trace_header(request.trace_header, now_s, random_hex, lineage)
        samples = partial(self._sampler.samples, target.version.key, now_s, random_hex)
        return trace_header(request.trace_header, now_s, random_hex, lineage, samples=samples)

    async def _run(
        self, ref: FunctionRef, target: Target, invocation: Invocation, *, rated: bool
    ) -> Outcome:
        """Run one attempt, if the account and the function have concurrency left.

        ``rated``: it counts against the rate of requests.

        Raises:
            AwsError: no environment was to be had: throttled, or the host lacks something.
        """
        try:
            permit = self.admission.admit(target, rated=rated)
        except AwsError:
            self._count(LambdaMetric.THROTTLES, ref, target)
            raise
        if permit.environment is not None:
            self._count(LambdaMetric.PROVISIONED_CONCURRENCY_INVOCATIONS, ref, target)
        elif permit.spilled:
            self._count(LambdaMetric.PROVISIONED_CONCURRENCY_SPILLOVER_INVOCATIONS, ref, target)
        began_at_s = self._clock.now_s() if self._spans is not None else 0.0
        try:
            outcome = await self._pool.invoke(target.version, invocation, permit.environment)
        except (NoRoomError, ScalingRateError) as err:
            self._count(LambdaMetric.THROTTLES, ref, target)
            raise throttled(ThrottleReason.ACCOUNT) from err
        except RuntimeUnavailableError as err:
            raise AwsError("InvalidRuntimeException", str(err)) from err
        except CodeError as err:
            raise AwsError("InvalidZipFileException", str(err)) from err
        except SandboxError as err:
            raise AwsError("ServiceException", "The environment could not be started.") from err
        finally:
            self.admission.end(permit)
        if self._spans is not None and "Sampled=1" in invocation.trace_header:
            now_s = self._clock.now_s()
            self._spans.add_nowait(
                span_of(ref, target, invocation, outcome, began_at_s, now_s, is_event=not rated)
            )
        return outcome

    def _count(self, metric: LambdaMetric, ref: FunctionRef, target: Target) -> None:
        self._metrics.add_nowait(metric, ref, executed_version=target.version.version)

    async def event_policy(self, ref: FunctionRef) -> EventPolicy:
        """What holds for the events to ``ref`` now; the defaults if there is no such function."""
        return await self._directory.event_policy(ref)

    async def run_event(self, event: Event) -> Run:
        """Run an accepted event once.

        Raises:
            AwsError: as for ``invoke``; the function did not run.
        """
        ref = event.ref
        target = await self._directory.resolve(ref)
        check_tenant(target.version.tenant_isolation, event.tenant_id)
        invocation = Invocation(
            request_id=event.request_id,
            attempt_id=self._ids.uuid(),
            invoked_arn=ref.arn,
            payload=event.payload,
            trace_header=event.trace_header,
            tenant_id=event.tenant_id,
        )
        age_ms = (self._clock.now_s() - event.life.accepted_at_s) * 1000
        self._metrics.add_nowait(LambdaMetric.ASYNC_EVENT_AGE, ref, max(0.0, round(age_ms)))
        outcome = await self._run(ref, target, invocation, rated=False)
        return Run(outcome.payload, target.version.version, outcome.error_type is not None)
