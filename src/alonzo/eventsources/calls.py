"""Calls of a mapping's function, and what came of them.

A call that Lambda could not make, for want of concurrency above all, is made again after a pause
that grows, for as long as its caller lets it. Whatever else is refused is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from alonzo.eventsources.backoff import call_pause_s
from alonzo.eventsources.batching import payload_of
from alonzo.eventsources.items import Item
from alonzo.eventsources.loops import trace_of
from alonzo.lib.chance import Chance
from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import Principal
from alonzo.model.deliveries import Destinations, RoleCalls
from alonzo.model.errors import AwsError
from alonzo.model.event_sources import EventSourceMapping
from alonzo.model.invocations import InvocationType, InvokeRequest, InvokeResult
from alonzo.model.limits import SYNC_PAYLOAD_BYTES_MAX
from alonzo.model.ports.event_sources import FunctionLookup
from alonzo.model.ports.invoking import Invoker

log = logging.getLogger("alonzo.eventsources")

_SERVICE = "lambda.amazonaws.com"

#: What batches under way may hold together, as documents; as objects they take about five times it.
HELD_BYTES_MAX = 128 * 1024 * 1024

#: Refusals that the next call of the same batch would meet again.
_FINAL = frozenset(
    {
        "AccessDeniedException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "InvalidRuntimeException",
        "InvalidZipFileException",
        "RequestEntityTooLargeException",
        "ResourceNotFoundException",
    }
)


class Held:
    """The bytes of all batches under way, of all mappings: they are in memory.

    A mapping that has nothing under way may always read, so that none waits for others for ever.
    """

    def __init__(self, most: int = HELD_BYTES_MAX) -> None:
        self._most = most
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read that can wait."""
        return self._bytes >= self._most

    def change(self, n_bytes: int) -> None:
        """So many more; fewer, if it is negative."""
        self._bytes += n_bytes


@dataclass(frozen=True, slots=True)
class Tools:
    """What runners work with. ``payload_bytes_max``: the longest event of a synchronous call."""

    calls: RoleCalls
    functions: FunctionLookup
    invoker: Invoker
    destinations: Destinations
    clock: Clock
    ids: IdSource
    chance: Chance
    payload_bytes_max: int = SYNC_PAYLOAD_BYTES_MAX
    held: Held = field(default_factory=Held)


class Waker:
    """Pauses that end early: at a nudge, or for good."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.stopping = False

    def nudge(self) -> None:
        """End every pause there is. Never blocks."""
        self._event.set()
        self._event = asyncio.Event()

    def stop(self) -> None:
        """End every pause, those to come too."""
        self.stopping = True
        self.nudge()

    async def pause(self, seconds: float) -> None:
        """Wait, for so long at most."""
        if self.stopping:
            return
        event = self._event
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


class Fate(Enum):
    """What came of a call."""

    RAN = "the function ran"
    REFUSED = "it was not called"
    LOOPED = "a loop was stopped"
    THROTTLED = "it was not called in time"


@dataclass(frozen=True, slots=True)
class Called:
    """A call that is over. ``result`` is there if the function ran."""

    fate: Fate
    result: InvokeResult | None = None

    @property
    def errored(self) -> bool:
        """Whether the function did not do its work."""
        return self.result is None or self.result.function_error is not None

    @property
    def payload(self) -> bytes:
        """What it answered."""
        return b"" if self.result is None else self.result.payload


#: Whether to call again after a pause of so many seconds, which begins now.
Patience = Callable[[float], bool]


class FunctionCaller:
    """Calls the function of one mapping."""

    def __init__(self, tools: Tools, waker: Waker) -> None:
        self._tools = tools
        self._waker = waker
        #: Calls that wait for another try.
        self.waiting = 0

    async def call(
        self,
        mapping: EventSourceMapping,
        items: Sequence[Item],
        patience: Patience,
        throttled: Callable[[], None],
    ) -> Called:
        """Call it with a batch. ``throttled`` hears of every try that found no concurrency."""
        tries = 0
        while True:
            try:
                return Called(Fate.RAN, await self._invoke(mapping, items))
            except AwsError as err:
                if err.code == "RecursiveInvocationException":
                    return Called(Fate.LOOPED)
                if err.code in _FINAL:
                    _log_refused(mapping, err)
                    return Called(Fate.REFUSED)
            throttled()
            tries += 1
            pause_s = call_pause_s(tries, self._tools.chance)
            if self._waker.stopping or not patience(pause_s):
                return Called(Fate.THROTTLED)
            self.waiting += 1
            try:
                await self._waker.pause(pause_s)
            finally:
                self.waiting -= 1

    async def _invoke(self, mapping: EventSourceMapping, items: Sequence[Item]) -> InvokeResult:
        ref = mapping.function
        account = ref.key.account
        request = InvokeRequest(
            request_id=self._tools.ids.uuid(),
            account=account,
            region=ref.key.region,
            function_name=ref.key.name,
            qualifier=ref.qualifier,
            invocation_type=InvocationType.REQUEST_RESPONSE,
            payload=payload_of(items),
            principal=Principal(account, _SERVICE, _SERVICE, "", service=_SERVICE),
            trace_header=trace_of(items),
        )
        return await self._tools.invoker.invoke(request)


def _log_refused(mapping: EventSourceMapping, err: AwsError) -> None:
    log.warning("event_source.call_refused", extra={"mapping": mapping.arn, "reason": repr(err)})
