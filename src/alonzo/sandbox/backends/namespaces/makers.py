"""The makers as the daemon sees them: one per kind of sandbox, started when one is asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.sandbox.backends.namespaces import plan, trust
from alonzo.sandbox.backends.namespaces.cgroup_trees import Trees
from alonzo.sandbox.backends.namespaces.channel import EndedError
from alonzo.sandbox.backends.namespaces.helper import Spawner
from alonzo.sandbox.backends.namespaces.inside import wire
from alonzo.sandbox.backends.namespaces.servant import Servant
from alonzo.sandbox.base import Mount, SandboxError, SandboxSpec, Zygote, ZygoteError

log = logging.getLogger("alonzo.sandbox")

#: Longest wait for a maker's first word: a foreign interpreter's start and its imports.
START_S_MAX = 15.0

#: How long a zygote that did not start is not tried again.
RETRY_ZYGOTE_S = 30.0

#: How long the end of a maker may be ahead of the news that it was the spawner's.
_NEWS_S_MAX = 0.2

#: What makes two sandboxes come from the same maker.
Kind = tuple[tuple[Mount, ...], Zygote | None]


def kind_of(spec: SandboxSpec) -> Kind:
    """The kind of maker that makes such a sandbox."""
    return (spec.mounts, spec.zygote) if spec.zygote else ((), None)


class Maker(Servant):
    """A running maker. ``on_end`` is called once, when it has ended or is about to.

    ``name`` is for the log: the zygote's module, or that it is none.
    """

    def __init__(self, ours: Any, name: str, on_end: Callable[[Maker], None]) -> None:
        self._name = name
        self._on_end = on_end
        super().__init__(ours, "the maker", start_s_max=START_S_MAX)

    def close(self) -> None:
        """Let it end, and with it its sandboxes. Safe to call twice."""
        self._channel.close()
        super()._died()

    def _died(self) -> None:
        """It ended by itself. Nobody knows why: it is no child of ours."""
        ready = self._ready.done() and not self._ready.cancelled()
        if ready and self._ready.exception() is None:
            log.warning("maker.ended", extra={"maker": self._name})
        super()._died()

    def _tell_end(self) -> None:
        self._on_end(self)


class Makers:
    """Starts makers and remembers them, and what could not be started.

    ``spawner`` answers the live spawner, ``trees`` what cgroups there are; ``on_end`` is called
    with a maker that has ended. ``resolv_conf`` is the file of that name in sandboxes to come.
    """

    def __init__(
        self,
        spawner: Callable[[], Awaitable[Spawner]],
        on_end: Callable[[Maker], None],
        trees: Callable[[], Trees],
        clock: Clock,
    ) -> None:
        self._spawner = spawner
        self._on_end = on_end
        self._trees = trees
        self._clock = clock
        self.resolv_conf = ""
        self._makers: dict[Kind, Maker] = {}
        self._starting: dict[Kind, asyncio.Lock] = {}
        self._broken: dict[Kind, tuple[float, str]] = {}

    async def live(self, spec: SandboxSpec) -> Maker:
        """The maker for such sandboxes; a new one if there is none.

        Raises:
            ZygoteError: it is a zygote, and does not work, or lately did not.
            SandboxError: it cannot be started.
        """
        kind = kind_of(spec)
        maker = self._makers.get(kind)
        if maker is not None and maker.alive:
            return maker
        async with self._starting.setdefault(kind, asyncio.Lock()):
            maker = self._makers.get(kind)
            if maker is not None and maker.alive:
                return maker
            self._refuse_if_broken(kind)
            spawner = await self._spawner()
            try:
                maker = self._makers[kind] = await self._start(spec, spawner)
            except SandboxError as err:
                if spec.zygote is None or isinstance(err, EndedError):
                    raise
                if await spawner.wait_end(_NEWS_S_MAX):
                    raise EndedError("the spawner ended") from err  # which is no zygote's fault
                text = f"zygote {spec.zygote.module}: {err}"
                self._broken[kind] = (self._clock.monotonic_s() + RETRY_ZYGOTE_S, text)
                log.warning("zygote.failed", extra={"error": text})
                raise ZygoteError(text) from err
            return maker

    def _refuse_if_broken(self, kind: Kind) -> None:
        until_s, text = self._broken.get(kind, (0.0, ""))
        if text and self._clock.monotonic_s() < until_s:
            raise ZygoteError(text)
        self._broken.pop(kind, None)

    async def _start(self, spec: SandboxSpec, spawner: Spawner) -> Maker:
        if distrust := trust.why_not(trust.files_run_by(spec)):
            raise SandboxError(distrust)
        ours, theirs = wire.pair()
        maker = Maker(ours, spec.zygote.module if spec.zygote else "no zygote", self._on_end)
        try:
            with theirs:
                order = plan.maker_order(spec, trees=self._trees(), resolv_conf=self.resolv_conf)
                await spawner.send(order, [theirs.fileno()])
            await maker.wait_ready()
        except BaseException:
            maker.close()
            raise
        return maker

    def close(self) -> None:
        """Let go of all."""
        for maker in list(self._makers.values()):
            maker.close()
        self._makers.clear()
