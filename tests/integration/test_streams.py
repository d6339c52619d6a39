"""Streamed responses from real environments to a sink of our own: held back, given up, too long."""

import asyncio

import pytest

from alonzo.environments.intake import FULL_BYTES
from alonzo.invoke.streams import Outflow, StreamSettings, carry
from alonzo.lib.clock import SystemClock
from alonzo.model.errors import AwsError
from alonzo.model.invocations import InvokeResult
from alonzo.model.ports.invoking import ClientGoneError
from alonzo.testing.environments import run

#: Sends mebibytes in pieces of 64 KiB, and logs each mebibyte that has been taken.
SENDER = """
import json

def handler(event, context):
    for mib in range(event["mib"]):
        for _ in range(16):
            yield bytes(1 << 16)
        print("taken", mib + 1)
"""

UNLIMITED = StreamSettings(bytes_per_s=None)


class Sink:
    """Takes pieces while ``open`` is set; ``gone`` says that nobody does any more."""

    def __init__(self):
        self.head = None
        self.n_bytes = 0
        self.first = asyncio.Event()
        self.open = asyncio.Event()
        self.gone = False

    def start(self, head):
        assert self.head is None
        self.head = head

    async def write(self, data):
        assert data
        self.n_bytes += len(data)
        self.first.set()
        await self.open.wait()
        if self.gone:
            raise ClientGoneError


async def call(environments, outflow, payload, **changes):
    outflow.identify("$LATEST", "Root=1-0-0")
    outcome = await environments.invoke(payload, intake=outflow.relay, **changes)
    error = None if outcome.error_type is None else outcome.error_type
    return InvokeResult(200, outcome.payload, function_error=error)


def stream(environments, sink, payload, settings=UNLIMITED, **changes):
    outflow = Outflow(sink, settings, SystemClock())
    return asyncio.ensure_future(carry(outflow, call(environments, outflow, payload, **changes)))


def taken(environments):
    return sum(line.startswith("taken") for line in environments.lines)


def test_a_slow_reader_holds_the_function_back(tmp_path):
    async def scenario(environments):
        environments.write("code/handler.py", SENDER)
        sink = Sink()
        running = stream(environments, sink, b'{"mib": 40}', timeout_s=30)
        await sink.first.wait()
        # The runtime answers nobody else meanwhile, so it can only wait for the reader.
        assert await environments.invoke(b'{"mib": 0}') is not None
        assert not running.done()
        assert taken(environments) <= 2
        assert sink.n_bytes < 16 * FULL_BYTES
        sink.open.set()
        result = await running
        assert (result.function_error, result.payload) == (None, b"")
        assert sink.n_bytes == 40 << 20
        assert sink.head.content_type == "application/octet-stream"
        assert taken(environments) == 40

    run(tmp_path, scenario)


def test_a_function_whose_client_has_gone_runs_to_its_end(tmp_path):
    async def scenario(environments):
        environments.write("code/handler.py", SENDER)
        sink = Sink()
        running = stream(environments, sink, b'{"mib": 40}', timeout_s=30)
        await sink.first.wait()
        sink.gone = True
        sink.open.set()
        result = await running
        assert result.function_error is None
        assert taken(environments) == 40
        assert sink.n_bytes < 40 << 20

    run(tmp_path, scenario)


def test_a_call_that_is_cancelled_gives_its_environment_back(tmp_path):
    async def scenario(environments):
        environments.write("code/handler.py", SENDER)
        sink = Sink()
        running = stream(environments, sink, b'{"mib": 40}', timeout_s=30)
        await sink.first.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        # It serves the next call once the function has said all, to nobody.
        while taken(environments) < 40:
            await environments.invoke(b'{"mib": 0}')
        assert len(environments.pool) <= 2

    run(tmp_path, scenario)


def test_a_response_that_is_too_long_is_broken_off_at_its_limit(tmp_path):
    async def scenario(environments):
        environments.write("code/handler.py", SENDER)
        sink = Sink()
        sink.open.set()
        settings = StreamSettings(bytes_max=3 << 20, bytes_per_s=None)
        result = await stream(environments, sink, b'{"mib": 5}', settings, timeout_s=30)
        assert result.function_error == "Function.ResponseSizeTooLarge"
        assert b"(3145728 bytes)" in result.payload
        assert 0 < sink.n_bytes <= 3 << 20
        again = await stream(environments, Open(), b'{"mib": 1}', settings, timeout_s=30)
        assert again.function_error is None

    run(tmp_path, scenario)


def test_an_environment_that_dies_in_the_middle_ends_the_response(tmp_path):
    async def scenario(environments):
        environments.write("code/handler.py", SENDER)
        sink = Sink()
        sink.open.set()
        running = stream(environments, sink, b'{"mib": 4000}', timeout_s=30)
        await sink.first.wait()
        await environments.pool.close()
        with pytest.raises(Exception, match="stopped"):
            await running
        assert len(environments.pool) == 0

    run(tmp_path, scenario)


# Without an environment


def carried(sink, settings, feed):
    """Carry what ``feed`` gives to the relay; it answers the result or raises."""

    async def main():
        outflow = Outflow(sink, settings, SystemClock())
        outflow.identify("7", "Root=1-0-0")
        return await carry(outflow, feed(outflow.relay))

    return asyncio.run(main())


class Valve:
    def hold(self):
        pass

    resume = hold


class Open(Sink):
    def __init__(self):
        super().__init__()
        self.open.set()


def test_a_refusal_before_the_first_byte_is_raised_and_one_after_it_is_a_result():
    async def refuses(relay):
        raise AwsError("ServiceException", "no")

    async def begins_and_refuses(relay):
        relay.begin("text/plain", Valve())
        relay.take(b"a")
        raise AwsError("ServiceException", "no")

    sink = Open()
    with pytest.raises(AwsError):
        carried(sink, UNLIMITED, refuses)
    assert sink.head is None
    result = carried(sink, UNLIMITED, begins_and_refuses)
    assert result.function_error == "Unhandled"
    assert b"ServiceException" in result.payload
    assert (sink.n_bytes, sink.head.content_type) == (1, "text/plain")


def test_every_end_without_a_byte_has_a_head():
    async def whole(relay):
        return InvokeResult(200, b"{}")

    async def fails(relay):
        return InvokeResult(200, b"{}", function_error="Unhandled")

    async def says_nothing(relay):
        relay.begin("text/plain", Valve())
        return InvokeResult(200, b"")

    for feed, n_bytes, payload in [(whole, 2, b""), (fails, 0, b"{}"), (says_nothing, 0, b"")]:
        sink = Open()
        assert carried(sink, UNLIMITED, feed).payload == payload
        assert sink.n_bytes == n_bytes
        assert (sink.head.executed_version, sink.head.trace_header) == ("7", "Root=1-0-0")


def test_a_dry_run_has_no_head():
    async def dry(relay):
        return InvokeResult(204)

    sink = Open()
    assert carried(sink, UNLIMITED, dry).status == 204
    assert sink.head is None


def test_what_is_past_the_burst_goes_out_at_the_rate():
    clock = SystemClock()
    sink = Open()

    async def whole(relay):
        return InvokeResult(200, bytes(30_000))

    async def main():
        outflow = Outflow(sink, StreamSettings(burst_bytes=10_000, bytes_per_s=200_000), clock)
        began_s = clock.monotonic_s()
        await carry(outflow, whole(outflow.relay))
        return clock.monotonic_s() - began_s

    # The 20,000 bytes past the burst take at least a tenth of a second.
    assert asyncio.run(main()) >= 0.099
    assert sink.n_bytes == 30_000
