"""``Invoke``: admission, an environment, the answer. Implements ``model.ports.Invoker``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from alonzo.environments.pool import NoRoomError, Pool
from alonzo.environments.values import Invocation, Outcome
from alonzo.invoke.concurrency import Concurrency, ThrottleReason, throttled
from alonzo.invoke.directory import Directory, Target
from alonzo.invoke.event_life import EventPolicy, Run
from alonzo.invoke.events import Event, EventQueue
from alonzo.invoke.recursion import check_recursion, continue_lineage
from alonzo.invoke.rules import check_payload, check_tenant, trace_header
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.arns import FunctionRef, parse_function_ref
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvocationType, InvokeRequest, InvokeResult
from alonzo.model.limits import ACCOUNT_CONCURRENCY
from alonzo.model.ports import CodeError
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.sandbox.base import SandboxError

#: Names as callers write them, which hardly differ from call to call. The bound is for memory.
_function_ref = lru_cache(maxsize=2048)(parse_function_ref)


@dataclass(frozen=True, slots=True)
class InvokeSettings:
    """Limits of the data plane. ``concurrency_max`` is the account's, in one region."""

    concurrency_max: int = ACCOUNT_CONCURRENCY


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
    ) -> None:
        self._directory = directory
        self._pool = pool
        self._events = events
        self._clock = clock
        self._ids = ids
        self._concurrency = Concurrency(settings.concurrency_max)

    async def invoke(self, request: InvokeRequest) -> InvokeResult:
        """Run one call to its end, or accept one event durably."""
        ref = _function_ref(
            request.function_name,
            request.qualifier,
            account=request.account,
            region=request.region,
        )
        target = await self._directory.resolve(ref)
        check_tenant(target.version.tenant_isolation, request.tenant_id)
        payload = check_payload(request.invocation_type, request.payload)
        if request.invocation_type is InvocationType.DRY_RUN:
            return InvokeResult(204)
        lineage, runs_before = continue_lineage(request.trace_header, ref.key)
        if target.stops_loops:
            check_recursion(runs_before)
        trace = trace_header(request.trace_header, self._clock.now_s(), self._ids.hex(20), lineage)
        if request.invocation_type is InvocationType.EVENT:
            await self._events.accept(request, ref, payload, trace)
            return InvokeResult(202, trace_header=trace)
        invocation = Invocation(
            request_id=request.request_id,
            attempt_id=self._ids.uuid(),
            invoked_arn=ref.arn,
            payload=payload,
            trace_header=trace,
            client_context=request.client_context,
            tenant_id=request.tenant_id,
            log_tail=request.log_tail,
        )
        outcome = await self._run(target, invocation)
        return InvokeResult(
            200,
            outcome.payload,
            executed_version=target.version.version,
            function_error=None if outcome.error_type is None else "Unhandled",
            log_tail=outcome.log_tail,
            trace_header=trace,
        )

    async def _run(self, target: Target, invocation: Invocation) -> Outcome:
        """Run one attempt, if the account and the function have concurrency left.

        Raises:
            AwsError: no environment was to be had: throttled, or the host lacks something.
        """
        slot = self._concurrency.take(target.version.key, target.reservations)
        try:
            return await self._pool.invoke(target.version, invocation)
        except NoRoomError as err:
            raise throttled(ThrottleReason.ACCOUNT) from err
        except RuntimeUnavailableError as err:
            raise AwsError("InvalidRuntimeException", str(err)) from err
        except CodeError as err:
            raise AwsError("InvalidZipFileException", str(err)) from err
        except SandboxError as err:
            raise AwsError("ServiceException", "The environment could not be started.") from err
        finally:
            self._concurrency.give_back(slot)

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
        outcome = await self._run(target, invocation)
        return Run(outcome.payload, target.version.version, outcome.error_type is not None)
