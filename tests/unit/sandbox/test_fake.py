"""The fake backend keeps to the contract where callers could rely on it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from alonzo.sandbox.base import Fitting, ProcessSpec, SandboxError, SandboxSpec
from alonzo.testing.sandbox import FakeBackend

FITTING = Fitting(128, 512)


def test_a_sandbox_is_fitted_once_and_not_after_its_end() -> None:
    async def scenario() -> None:
        backend = FakeBackend()
        box = await backend.create(SandboxSpec("one", 8))
        await box.fit(FITTING)
        assert box.fitting == FITTING
        with pytest.raises(SandboxError, match="fitted"):
            await box.fit(FITTING)
        await box.close()
        for attempt in (box.fit(FITTING), box.connect(1), box.start(ProcessSpec(("/x",), {}))):
            with pytest.raises(SandboxError, match="ended"):
                await attempt

    asyncio.run(scenario())


def test_only_a_zygote_can_be_forked() -> None:
    async def scenario() -> None:
        box = await FakeBackend().create(SandboxSpec("one", 8))
        with pytest.raises(SandboxError, match="no zygote"):
            await box.start(ProcessSpec((), {}))
        await box.close()

    asyncio.run(scenario())


def test_what_listens_inside_is_reached_and_nothing_else() -> None:
    async def scenario() -> None:
        box = await FakeBackend().create(SandboxSpec("one", 8))
        with socket.create_server(("127.0.0.1", 0)) as server:
            box.inside[4243] = server.getsockname()
            with await box.connect(4243) as peer:
                assert not peer.getblocking()
        with pytest.raises(ConnectionRefusedError):
            await box.connect(4244)
        await box.close()

    asyncio.run(scenario())
