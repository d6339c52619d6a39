"""SnapStart: environments of published versions that are restored, not initialised at their call.

* A version's *source* (``snapshot_sources.py``) is opened when the version is published, or at its
  first call: a process that is forked where this host and the function allow it, else environments
  that are prepared one by one. What it makes has been initialised, with a log stream of its own.
* ``take()`` hands out a home that can be restored. Some are ready ahead of need, and another one is
  made once one is taken. It hands out none where making it takes as long as an init: the call's
  own environment then does at once what else is done ahead.
* Nothing of it is remembered over a restart of the platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from alonzo.environments.home import Home, nothing
from alonzo.environments.inits import EnvironmentStoppedError, InitFailedError, InitFailure
from alonzo.environments.package import Package
from alonzo.environments.snapshot_rules import can_be_forked
from alonzo.environments.snapshot_sources import (
    ForkSource,
    PreparingSource,
    Source,
    extensions_of,
)
from alonzo.environments.stock import Stock
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.turnstile import Turnstile
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.sandbox.base import SandboxError
from alonzo.sandbox.templates import TemplateBackend

log = logging.getLogger("alonzo.environments")

#: How long a source is kept that is not used; and one whose version nobody has seen to be live:
#: it was deleted before it could be.
_KEPT_S = 3600.0
_UNSEEN_S = 60.0

#: How long a version whose init failed is not tried again ahead of need.
_RETRY_S = 60.0

#: Inits ahead of need begin once no call has come for so long: a burst has the processors for
#: itself. So many run beside each other; a slow one counts no longer than this.
_CALM_S = 0.25
_BESIDE_MAX = 2
_COUNTS_S = 1.0

#: The part of its life that an environment may have spent waiting.
_OLD_AFTER = 0.9


@dataclass(eq=False, slots=True)
class _Supply:
    """One version's source and what has come of it.

    ``alive`` are the homes of the version that have not ended, whoever has them. ``published``: it
    has been seen to be live. Its version may serve only once it is taken.
    """

    version: ServingVersion
    source: Source
    ready: list[Home] = field(default_factory=list[Home])
    alive: set[Home] = field(default_factory=set[Home])
    used_at_s: float = 0.0
    making: int = 0
    filling: asyncio.Task[None] | None = None
    published: bool = False
    over: bool = False


class Snapshots:
    """The sources of one node, by the generations of their versions.

    ``make_room`` makes room on this node for one environment more, or says that there is none.
    """

    def __init__(
        self, around: Surroundings, stock: Stock, make_room: Callable[[], Awaitable[bool]]
    ) -> None:
        self._around = around
        self._clock = around.clock
        self._stock = stock
        self._make_room = make_room
        self._ahead = max(1, around.settings.snap_start_ready)
        self._supplies: dict[str, _Supply] = {}
        self._failed: dict[str, float] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._turns = Turnstile(_BESIDE_MAX, counts_s=_COUNTS_S)
        self._tasks = TaskScope()
        self._closers = TaskScope()
        self._closed = False

    def __len__(self) -> int:
        """How many homes are nobody's, or will be once they are made; templates included."""
        supplies = self._supplies.values()
        return sum(each.source.homes + each.making + len(each.ready) for each in supplies)

    def has(self, version: ServingVersion) -> bool:
        """Whether one is ready that ``take()`` would hand out at once."""
        supply = self._supplies.get(version.generation)
        return supply is not None and bool(supply.ready)

    async def take(self, version: ServingVersion, package: Package) -> Home | None:
        """A home that can be restored, and is the caller's from now on; None: it initialises one.

        Raises:
            SandboxError: it could not be made.
        """
        if version.generation not in self._supplies and self._failed_lately(version):
            return None
        try:
            supply = await self._get(version, package)
        except InitFailedError:
            return None  # The call's own init will say so.
        supply.published = True
        supply.used_at_s = self._clock.monotonic_s()
        home = self._pop(supply)
        if home is None and supply.source.quick:
            home = await self._make(supply)
        self._fill(supply)
        return home

    def _pop(self, supply: _Supply) -> Home | None:
        while supply.ready:
            # The oldest: the others stay ready for longer.
            home = supply.ready.pop(0)
            home.on_end = nothing
            if not (home.is_lost or self._is_old(home)):
                return home
            self._close(home)
        return None

    def _is_old(self, home: Home) -> bool:
        since_s, life_s = home.prepared_at_s, self._around.settings.age_s_max
        return since_s is not None and self._clock.monotonic_s() - since_s > _OLD_AFTER * life_s

    async def prepare(self, version: ServingVersion, package: Package) -> InitFailure | None:
        """Make ready what a version that is being published needs; answers how its init failed.

        Where it is the platform that fails nothing does: each environment will initialise itself.
        """
        try:
            supply = await self._get(version, package)
            if not supply.ready and not supply.source.quick and await self._make_room():
                await self._add(supply)
        except InitFailedError as err:
            return err.failure
        except SandboxError as err:
            log.warning("snapshot.failed", extra={"function": version.arn, "error": str(err)})
            return None
        supply.used_at_s = self._clock.monotonic_s()
        self._fill(supply)
        return None

    # Sources

    async def _get(self, version: ServingVersion, package: Package) -> _Supply:
        """The version's supply; its source is opened if there is none."""
        generation = version.generation
        async with self._opening.setdefault(generation, asyncio.Lock()):
            supply = self._supplies.get(generation)
            if supply is not None and not supply.over:
                return supply
            if self._closed:
                raise EnvironmentStoppedError("the platform is stopping")
            try:
                source = await self._open(version, package)
            except InitFailedError:
                self._not_again_soon(version)
                raise
            supply = _Supply(version, source, used_at_s=self._clock.monotonic_s())
            self._supplies[generation] = supply
            source.watch(lambda: self._over(supply))
            return supply

    async def _open(self, version: ServingVersion, package: Package) -> Source:
        around, backend = self._around, self._around.backend
        if isinstance(backend, TemplateBackend) and backend.why_no_templates() is None:
            extensions = await extensions_of(package)
            if can_be_forked(package, extensions, version.environment):
                try:
                    return await ForkSource.open(version, package, around, backend)
                except SandboxError as err:
                    about = {"function": version.arn, "error": str(err)}
                    log.warning("snapshot.no_template", extra=about)
        return PreparingSource(version, package, around, self._stock)

    def _over(self, supply: _Supply) -> None:
        """Take no more of it; its source goes when what it made has gone: forks end with it."""
        if supply.over:
            return
        supply.over = True
        if self._supplies.get(supply.version.generation) is supply:
            del self._supplies[supply.version.generation]
        if supply.filling is not None:
            # Its init, which nobody waits for and nothing counts any more, could go on for long.
            supply.filling.cancel()
        for home in supply.ready:
            self._close(home)
        supply.ready.clear()
        self._close_if_unused(supply)

    def _close_if_unused(self, supply: _Supply) -> None:
        if supply.over and not supply.alive:
            self._closers.spawn(supply.source.close(), name=f"close {supply.version.arn}")

    # Homes

    async def _make(self, supply: _Supply) -> Home:
        home = await supply.source.make()
        self._count(supply, home)
        return home

    def adopt(self, version: ServingVersion, home: Home) -> None:
        """An environment initialises itself in ``home``: its version is in use while that lives."""
        supply = self._supplies.get(version.generation)
        if supply is not None:
            self._count(supply, home)

    def _count(self, supply: _Supply, home: Home) -> None:
        supply.alive.add(home)
        self._tasks.spawn(self._watch(supply, home), name=f"restorable {home.sandbox.id}")

    async def _watch(self, supply: _Supply, home: Home) -> None:
        await home.sandbox.wait_ended()
        supply.alive.discard(home)
        self._close_if_unused(supply)

    async def _add(self, supply: _Supply) -> None:
        """Make one ready."""
        supply.making += 1
        try:
            home = await self._make(supply)
        except InitFailedError:
            self._not_again_soon(supply.version)
            raise
        finally:
            supply.making -= 1
        if home.is_lost:
            self._not_again_soon(supply.version)
        if supply.over or self._closed or home.is_lost:
            self._close(home)
            return
        home.on_end = lambda: self._lost(supply, home)
        supply.ready.append(home)

    def _not_again_soon(self, version: ServingVersion) -> None:
        now_s = self._clock.monotonic_s()
        known = self._failed.items()
        self._failed = {which: until_s for which, until_s in known if until_s > now_s}
        self._failed[version.generation] = now_s + _RETRY_S

    def _failed_lately(self, version: ServingVersion) -> bool:
        return self._failed.get(version.generation, 0.0) > self._clock.monotonic_s()

    def _fill(self, supply: _Supply) -> None:
        """Have some ready for the next calls."""
        if not (supply.filling or self._closed or supply.over):
            filling = self._fill_one_by_one(supply)
            supply.filling = self._tasks.spawn(filling, name="make ready to restore")

    async def _fill_one_by_one(self, supply: _Supply) -> None:
        try:
            while self._wants_more(supply):
                async with contextlib.AsyncExitStack() as turn:
                    if not supply.source.quick:
                        await self._wait_for_calm(supply)
                        await turn.enter_async_context(self._turns.passage())
                    if not self._wants_more(supply) or not await self._make_room():
                        return
                    await self._add(supply)
        except (InitFailedError, SandboxError) as err:
            # What a function says of its own is for its own log.
            error = err.failure.error_type if isinstance(err, InitFailedError) else str(err)
            about = {"function": supply.version.arn, "error": error}
            log.info("snapshot.not_ahead", extra=about)
        finally:
            supply.filling = None

    def _wants_more(self, supply: _Supply) -> bool:
        return (
            len(supply.ready) < self._ahead
            and not (supply.over or self._closed)
            and not self._failed_lately(supply.version)
        )

    async def _wait_for_calm(self, supply: _Supply) -> None:
        # Each call puts off the end.
        while (  # noqa: ASYNC110 - no event ends it
            left_s := supply.used_at_s + _CALM_S - self._clock.monotonic_s()
        ) > 0:
            await asyncio.sleep(left_s)

    def _lost(self, supply: _Supply, home: Home) -> None:
        """One ended while it waited."""
        if home in supply.ready:
            supply.ready.remove(home)
            self._not_again_soon(supply.version)
            self._close(home)

    def _close(self, home: Home) -> None:
        home.on_end = nothing
        self._closers.spawn(home.close(), name=f"close {home.sandbox.id}")

    async def give_up_one(self) -> bool:
        """Throw away one that is nobody's, to make room; False if there is none."""
        for supply in self._supplies.values():
            if supply.ready:
                home = supply.ready.pop()
                home.on_end = nothing
                await home.close()
                return True
        return False

    # Ends

    def code_in_use(self) -> frozenset[str]:
        """Names of the unpacked trees that homes have open which are nobody's."""
        return frozenset(name for each in self._supplies.values() for name in each.version.trees)

    def retire(self, key: FunctionKey, live_generations: frozenset[str]) -> None:
        """Let go of what is of no live generation of a function any more."""
        for supply in list(self._supplies.values()):
            if supply.version.key != key:
                continue
            if supply.version.generation in live_generations:
                supply.published = True
            elif supply.published:
                self._over(supply)

    def reap(self) -> None:
        """Let go of what nobody has used for long, and have the old and the lost made anew."""
        now_s = self._clock.monotonic_s()
        for supply in list(self._supplies.values()):
            kept_s = _KEPT_S if supply.published else min(_KEPT_S, _UNSEEN_S)
            is_unused = not supply.making and len(supply.alive) == len(supply.ready)
            if is_unused and supply.used_at_s < now_s - kept_s:
                self._over(supply)
                continue
            for home in [each for each in supply.ready if self._is_old(each)]:
                supply.ready.remove(home)
                self._close(home)
            self._fill(supply)

    async def close(self) -> None:
        """End every source, and what is ready."""
        self._closed = True
        for supply in list(self._supplies.values()):
            supply.over = True
            for home in supply.ready:
                home.on_end = nothing
                with contextlib.suppress(SandboxError):
                    await home.close()
            with contextlib.suppress(SandboxError):
                await supply.source.close()
        self._supplies.clear()
        await self._tasks.close()
        await self._closers.drain()
