"""What is known of how a version is started, and how that becomes better."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from alonzo.environments.packages import Packages
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.runtimes.base import Launch, Link

VERSION = ServingVersion(
    FunctionKey("000000000000", "eu-west-1", "shop"),
    "$LATEST",
    "g",
    "python3.13",
    "handler.handler",
    "arn:aws:iam::000000000000:role/any",
    "code",
)
PLAIN = Launch(("/bin/python",), Link.FRAMED)
BETTER = replace(PLAIN, environment={"COMPILED": "yes"})


class Code:
    async def prepare(self, sha256):
        return Path("/code") / sha256


class Improvable:
    """Runtimes of which one gets better once ``done`` is set, if it ``works``."""

    def __init__(self, works):
        self.works = works
        self.asked = self.improved = 0
        self.done = asyncio.Event()
        self.ended = False

    def launch(self, identifier, code):
        assert identifier == "python3.13"
        self.asked += 1
        if self.ended:
            return BETTER if self.works else PLAIN
        return replace(PLAIN, improve=self.improve)

    async def improve(self):
        self.improved += 1
        await self.done.wait()
        self.ended = True
        return self.works


@pytest.mark.parametrize("works", [True, False])
def test_a_launch_is_improved_once_behind_and_kept_from_then_on(works):
    replaced = []

    async def scenario():
        runtimes = Improvable(works)
        async with TaskScope() as scope:
            packages = Packages(runtimes, Code(), scope, lambda *pair: replaced.append(pair))
            for _ in range(3):
                assert (await packages.prepare(VERSION)).launch == PLAIN
                assert not packages.knows(VERSION)
            runtimes.done.set()
            async with asyncio.timeout(10):
                while packages._improving:  # noqa: ASYNC110 - it is nobody's business but ours
                    await asyncio.sleep(0.001)
            expected = BETTER if works else PLAIN
            assert (await packages.prepare(VERSION)).launch == expected
            assert packages.knows(VERSION)
            asked = runtimes.asked
            assert (await packages.prepare(VERSION)).launch == expected
            assert (runtimes.improved, runtimes.asked) == (1, asked)

    asyncio.run(scenario())
    assert replaced == ([(PLAIN, BETTER)] if works else [])
