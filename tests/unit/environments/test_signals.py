"""Reports of a runtime: none that is expected is lost, none that is not changes anything."""

import asyncio

import pytest

from alonzo.environments.signals import (
    Failed,
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
        assert await signals.wait(1) == Reply(b"1")
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
        assert await signals.wait(1) == Reply(b"first")
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


def test_each_wait_has_its_own_time_however_the_ones_before_it_ended():
    async def scenario(signals, _):
        loop = asyncio.get_running_loop()
        for timeout_s, answered in ((60, True), (0.02, False), (0.01, True), (0.03, False)):
            signals.expect_answer("r")
            if answered:
                signals.runtime_answered("r", Reply(b"1"))
            began_s = loop.time()
            told = await signals.wait(timeout_s)
            assert told == (Reply(b"1") if answered else TimedOut())
            assert answered or loop.time() - began_s >= timeout_s - 0.002
        signals.close()

    run(scenario)


def test_a_wait_is_not_cut_short_by_the_timer_of_the_one_before():
    async def scenario(signals, _):
        signals.expect_answer("a")
        signals.runtime_answered("a", Reply(b""))
        await signals.wait(0.01)
        signals.expect_answer("b")
        asyncio.get_running_loop().call_later(
            0.03, lambda: signals.runtime_answered("b", Reply(b"2"))
        )
        assert await signals.wait(2) == Reply(b"2")
        signals.close()

    run(scenario)


class Others:
    """Extensions that are at work until told otherwise."""

    def __init__(self):
        self.all_wait = False

    def runtime_waits(self):
        return self.all_wait


def test_a_runtime_is_ready_when_extensions_are_too():
    async def scenario(signals, _):
        signals.others = Others()
        signals.expect_init()
        signals.runtime_ready()
        assert not signals.ready
        signals.everyone_ready()
        assert await signals.wait(1) == Ready()
        signals.others.all_wait = True
        signals.expect_answer("r")
        signals.runtime_ready()
        assert signals.ready

    run(scenario)


def test_an_extension_that_fails_is_heard_once_by_whoever_waits_now_or_later():
    async def scenario(signals, losses):
        signals.expect_answer("r")
        signals.extension_failed("Extension.Crash", "exit status 1")
        signals.extension_failed("Extension.Crash", "exit status 2")
        assert await signals.wait(1) == Failed("Extension.Crash", "exit status 1")
        signals.expect_ready()
        assert await signals.wait(1) == Failed("Extension.Crash", "exit status 1")
        assert losses == []

    run(scenario)


def test_an_extension_that_fails_while_nobody_waits_is_a_loss():
    async def scenario(signals, losses):
        signals.extension_failed("Extension.Crash", "exit status 1")
        assert losses == [1]
        assert not signals.ready

    run(scenario)
