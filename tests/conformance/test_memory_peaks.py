"""What the REPORT of an invocation says of memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alonzo.model.limits import MIB
from alonzo.sandbox.backends.namespaces.sandbox import NamespaceSandbox
from alonzo.testing.environments import Environments, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_short_call_after_a_rest_has_its_peak_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests, peaks_mib = asyncio.Event(), [50]
    freeze = NamespaceSandbox.freeze

    async def frozen(sandbox: NamespaceSandbox) -> None:
        await freeze(sandbox)
        rests.set()

    def peak_bytes(_: NamespaceSandbox) -> int:
        return peaks_mib[-1] * MIB

    monkeypatch.setattr(NamespaceSandbox, "freeze", frozen)
    monkeypatch.setattr(NamespaceSandbox, "peak_bytes", peak_bytes)

    async def scenario(made: Environments) -> None:
        made.write("code/handler.py", "def handler(event, context): return 1")
        first = await made.invoke()
        await rests.wait()
        peaks_mib.append(70)
        second = await made.invoke()
        assert [each.usage.peak_memory_mib for each in (first, second)] == [50, 70]

    run(tmp_path, scenario)
