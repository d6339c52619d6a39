"""From a relay to whoever called: no faster than they take it, and than the limits let it go.

Source: Lambda developer guide, response streaming: what is past the first megabytes goes out at a
limited bandwidth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

import orjson

from alonzo.environments.intake import Relay
from alonzo.lib.clock import Clock
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeResult
from alonzo.model.limits import (
    STREAM_BURST_BYTES,
    STREAM_BYTES_PER_S,
    STREAMED_RESPONSE_BYTES_MAX,
)
from alonzo.model.ports.invoking import ClientGoneError, ResponseSink, StreamHead

_OK = 200

#: At the limited rate a piece goes out at least this often, so that its reader sees it flow.
_TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """Limits of streamed responses; AWS's are the defaults.

    ``bytes_max``: the longest one. ``burst_bytes``, at least 1: so much goes out as fast as it is
    taken, and what follows at ``bytes_per_s``; None: that, too.
    """

    bytes_max: int = STREAMED_RESPONSE_BYTES_MAX
    burst_bytes: int = STREAM_BURST_BYTES
    bytes_per_s: int | None = STREAM_BYTES_PER_S


class Outflow:
    """Carries the response of one call to its sink. ``relay`` takes it from the runtime."""

    def __init__(self, sink: ResponseSink, settings: StreamSettings, clock: Clock) -> None:
        self.relay = Relay(settings.bytes_max, clock)
        self._began = False
        self._sink = sink
        self._settings = settings
        self._clock = clock
        self._version = ""
        self._trace_header: str | None = None
        self._allowed_bytes = float(settings.burst_bytes)
        self._refilled_at_s = clock.monotonic_s()
        step_bytes = int((settings.bytes_per_s or 0) * _TICK_S)
        self._step_bytes = max(1, min(step_bytes, settings.burst_bytes))

    def identify(self, version: str, trace_header: str) -> None:
        """The call was admitted: which version serves it, and its trace."""
        self._version = version
        self._trace_header = trace_header

    async def run(self) -> None:
        """Hand on what comes, to the end or until nobody takes it any more."""
        try:
            while (data := await self.relay.next()) is not None:
                await self._pass(data)
        except ClientGoneError:
            pass
        finally:
            self.relay.discard()

    async def finish(self, payload: bytes) -> None:
        """Hand on a response that came whole, which may be empty."""
        self._begin()
        try:
            if payload:
                await self._pass(payload)
        except ClientGoneError:
            pass

    async def _pass(self, data: bytes) -> None:
        self._begin()
        rate = self._settings.bytes_per_s
        if rate is None:
            await self._sink.write(data)
            return
        at = 0
        while at < len(data):
            wanted = min(len(data) - at, self._step_bytes)
            allowed = self._refill(rate)
            if allowed < wanted:
                await asyncio.sleep((wanted - allowed) / rate)
                continue
            n = min(len(data) - at, int(allowed))
            self._allowed_bytes -= n
            await self._sink.write(data if n == len(data) else data[at : at + n])
            at += n

    def _refill(self, rate: int) -> float:
        """How many bytes may go out now. What the rate allows adds up to the burst."""
        now_s = self._clock.monotonic_s()
        gained = (now_s - self._refilled_at_s) * rate
        self._allowed_bytes = min(float(self._settings.burst_bytes), self._allowed_bytes + gained)
        self._refilled_at_s = now_s
        return self._allowed_bytes

    def _begin(self) -> None:
        if not self._began:
            self._began = True
            head = StreamHead(self._version, self._trace_header, self.relay.content_type)
            self._sink.start(head)


async def carry(outflow: Outflow, call: Coroutine[Any, Any, InvokeResult]) -> InvokeResult:
    """Run the call, and carry its response meanwhile. See ``model.ports.invoking.Invoker.stream``.

    The call may be over, and its environment free, while the client still takes the last pieces.
    """
    relay = outflow.relay
    async with TaskScope() as scope:
        flowing = scope.spawn(outflow.run(), name="response stream")
        try:
            result = await call
        except AwsError as err:
            if relay.began_at_s is None:
                raise
            result = _broken_off(err)
        relay.close()
        await flowing
        if result.status != _OK:  # A dry run, which has no response.
            return result
        whole = relay.began_at_s is None and result.function_error is None
        await outflow.finish(result.payload if whole else b"")
        return replace(result, payload=b"") if whole else result


def _broken_off(error: AwsError) -> InvokeResult:
    """The end of a call whose environment was ended after its response had begun."""
    message = "The environment was ended in the middle of the response."
    document = {"errorType": error.code, "errorMessage": message}
    return InvokeResult(_OK, orjson.dumps(document), function_error="Unhandled")
