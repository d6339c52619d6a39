"""Reports of a runtime: none that is expected is lost, none that is not changes anything."""

import asyncio

import pytest

from alonzo.environments.signals import (
    Answered,
    InitFailed,
    Lost,
    Ready,
    RuntimeSignals,
    Stopped,
    TimedOut,
)
from alonzo.environments.values import Reply
from alonzo.sandbox.base import ExitStatus

GONE = ExitStatus(code=1)


def run(scenario):
    async def main():
        losses = []
        async with asyncio.timeout(5):
            await scenario(RuntimeSignals(lambda: losses.append(1)), losses)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("report", "signal"),
    [
        (lambda s: s.runtime_ready(), Ready()),
        (lambda s: s.runtime_init_failed(Reply(b"d", "T")), InitFailed(Reply(b"d", "T"))),
        (lambda s: s.runtime_exited(GONE), Lost(GONE)),
        (lambda s: s.stop(), Stopped()),
    ],
)
def test_what_comes_before_anybody_waits_is_not_lost(report, signal):
    async def scenario(signals, _):
        signals.expect_init()
        report(signals)
        assert await signals.wait(1) == signal

    run(scenario)


def test_ready_and_the_answer_in_one_breath_are_two_signals():
    async def scenario(signals, _):
        signals.expect_init()
        signals.runtime_ready()
        assert await signals.wait(1) == Ready()
        signals.expect_answer("r")
        signals.runtime_answered("r", Reply(b"1"))
        signals.runtime_ready()
        assert await signals.wait(1) == Answered(Reply(b"1"))
        signals.expect_ready()
        assert await signals.wait(1) == Ready()

    run(scenario)


def test_what_nobody_expects_changes_nothing():
    async def scenario(signals, losses):
        signals.expect_answer("mine")
        signals.runtime_answered("other", Reply(b""))
        signals.runtime_init_failed(Reply(b""))
        signals.runtime_ready()
        signals.runtime_answered("mine", Reply(b"first"))
        signals.runtime_answered("mine", Reply(b"second"))
        assert await signals.wait(1) == Answered(Reply(b"first"))
        signals.runtime_answered("mine", Reply(b"late"))
        assert losses == []

    run(scenario)


def test_time_that_is_over_is_over_however_much_is_said():
    async def scenario(signals, _):
        signals.expect_answer("r")
        signals.runtime_ready()
        assert await signals.wait(0) == TimedOut()

    run(scenario)


def test_a_loss_while_nobody_waits_is_told_and_remembered():
    async def scenario(signals, losses):
        signals.runtime_exited(GONE)
        assert losses == [1]
        signals.expect_answer("r")
        assert await signals.wait(1) == Lost(GONE)

    run(scenario)


def test_a_broken_link_ends_the_process_and_how_it_ended_is_the_processs_to_say():
    class Process:
        sent = None

        def signal(self, number):
            self.sent = number

    async def scenario(signals, _):
        process = Process()
        signals.runtime_broke_protocol("early")
        signals.attach(process)
        assert process.sent == 9
        signals.expect_answer("r")
        signals.runtime_broke_protocol("again")
        signals.runtime_exited(ExitStatus(code=3))
        assert await signals.wait(1) == Lost(ExitStatus(code=3))

    run(scenario)
