"""Homes made ahead of need, so that a first call finds one to move into.

* ``take()`` hands out one that is parked, or has one made; those who wait are served in the order
  of their coming, and nothing is made for the stock while somebody waits.
* The stock is filled a little after the last claim, a few homes at a time, by ``stock_rules``.
* Where a rung of the ladder does not work on this host the next one serves; now and then it is
  tried again, off the path.
* A home that ends while it waits is thrown away. Kinds whose homes keep failing are tried again
  after longer and longer pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alonzo.environments import stock_rules
from alonzo.environments.home import Home, Kind, Rung, kind_of, nothing, rungs_of
from alonzo.environments.stock_rules import Demand, Heat
from alonzo.environments.surroundings import Surroundings
from alonzo.lib.tasks import TaskScope
from alonzo.runtimes.base import PARKED_BYTES, Launch
from alonzo.sandbox.base import Fitting, SandboxError, ZygoteError

log = logging.getLogger("alonzo.environments")

#: Homes made for the stock beside each other, and all that are made beside each other.
_FILLERS_MAX = 2
_MAKERS_MAX = 4 * (os.cpu_count() or 1)

#: The stock is filled once no claim has come for so long: a burst of claims has the processors for
#: itself. It is filled all the same after the longer time.
_CALM_S = 0.01
_CALM_S_MAX = 0.5

#: How many homes may end, or not be made, before a claim fails.
_TRIES_MAX = 3

#: How often to look whether there is too much in stock.
_LOOK_EVERY_S = 2.0

#: The first and the longest pause after a home that could not be made, or did not live.
_PAUSE_S = 0.1
_PAUSE_S_MAX = 30.0


#: The first and the longest pause before a rung that did not work is tried again. A backend may
#: remember for half a minute that a zygote did not work.
_OUTAGE_S = 35.0
_OUTAGE_S_MAX = 600.0


@dataclass(slots=True, eq=False)
class _Outage:
    """A rung that does not work, for now."""

    launch: Launch
    kind: Kind
    error: str
    until_s: float
    pause_s: float


@dataclass(slots=True, eq=False)
class _Shelf:
    """The homes of one kind. ``launch`` is one of those that they are for."""

    launch: Launch
    kind: Kind
    heat: Heat
    parked: list[Home] = field(default_factory=list[Home])
    waiting: deque[asyncio.Future[Home]] = field(default_factory=deque[asyncio.Future[Home]])
    making: int = 0
    failures: int = 0
    paused_until_s: float = 0.0

    @property
    def demand(self) -> Demand:
        """What there is to say for it."""
        exec_only = self.kind.rung is Rung.EXEC
        n_bytes = PARKED_BYTES if exec_only else self.launch.parked_bytes
        return Demand(self.heat, n_bytes, lasting=not self.kind.variables)

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing on it, nor anybody who waits for something."""
        return not (self.parked or self.making or self.waiting)

    def next_waiting(self) -> asyncio.Future[Home] | None:
        """Who waits longest and has not given up."""
        while self.waiting:
            wish = self.waiting.popleft()
            if not wish.done():
                return wish
        return None


class Stock:
    """The homes of one node that are nobody's yet.

    ``environments`` says how many of ``environments_max`` are in use.
    """

    def __init__(
        self,
        around: Surroundings,
        environments: Callable[[], int],
        *,
        memory_bytes: Callable[[], int] | None = None,
    ) -> None:
        self._around = around
        self._settings = around.settings
        self._environments = environments
        self._memory_bytes = memory_bytes or available_memory_bytes
        self._shelves: dict[Kind, _Shelf] = {}
        self._outages: dict[Kind, _Outage] = {}
        self._makers = TaskScope()
        self._making = 0
        self._closers = TaskScope()
        self._wake = asyncio.Event()
        self._claimed_at_s = 0.0
        self._closed = False

    def __len__(self) -> int:
        """How many are nobody's, or will be once they are made."""
        return sum(
            len(shelf.parked) + max(0, shelf.making - len(shelf.waiting))
            for shelf in self._shelves.values()
        )

    def has(self, launch: Launch, variables: Mapping[str, str]) -> bool:
        """Whether one is parked that ``take()`` would hand out at once."""
        shelf = self._shelves.get(self._kind(launch, variables))
        return shelf is not None and bool(shelf.parked)

    # Demand

    def expect(self, launch: Launch, variables: Mapping[str, str], *, soon: bool = True) -> None:
        """Somebody may take one for ``launch``, and ``soon`` probably will: a function is new."""
        shelf = self._shelf(launch, self._kind(launch, variables))
        if soon:
            self._warm(shelf)
        self._wake.set()

    def replace(self, old: Launch, new: Launch) -> None:
        """Keep homes for ``new`` where there were some for ``old``, which nobody asks for again."""
        for shelf in [each for each in self._shelves.values() if each.launch == old]:
            del self._shelves[shelf.kind]
            while shelf.parked:
                self._close(shelf.parked.pop())
            instead = self._shelf(new, self._kind(new, shelf.kind.variables))
            instead.heat = max(instead.heat, shelf.heat, key=lambda heat: heat.at_s)
            # Both do the same, so that who waits is served by either.
            instead.waiting.extend(shelf.waiting)
            shelf.waiting.clear()
        self._serve_waiting()
        self._wake.set()

    async def take_fitted(
        self, launch: Launch, variables: Mapping[str, str], fitting: Fitting
    ) -> Home:
        """``take()`` one and make it the caller's own; another one if that fails or it ends.

        Raises:
            SandboxError: it went wrong again and again.
        """
        for left in reversed(range(_TRIES_MAX)):
            home: Home | None = None
            try:
                home = await self.take(launch, variables)
                home.on_end = nothing
                await home.fit(fitting)
            except BaseException as err:
                if home is not None:
                    self._close(home)
                if not left or self._closed or not isinstance(err, SandboxError):
                    raise
            else:
                return home
        raise AssertionError("the last try raises")

    async def take(self, launch: Launch, variables: Mapping[str, str]) -> Home:
        """One for ``launch``, which is the caller's from now on.

        ``variables`` are those known by now: some can only be had by executing a program with them.

        Raises:
            SandboxError: none can be made.
        """
        while True:
            kind = self._kind(launch, variables)
            try:
                return await self._take(self._shelf(launch, kind))
            except ZygoteError as err:
                self._give_up(launch, kind, err)

    async def _take(self, shelf: _Shelf) -> Home:
        self._warm(shelf)
        self._claimed_at_s = self._around.clock.monotonic_s()
        self._wake.set()
        while shelf.parked:
            # The oldest: what was executed ahead has had the most time to load what it needs.
            home = shelf.parked.pop(0)
            if not home.is_lost:
                return home
        if self._closed:
            raise SandboxError("the platform is stopping")
        wish: asyncio.Future[Home] = asyncio.get_running_loop().create_future()
        shelf.waiting.append(wish)
        self._serve_waiting()
        try:
            return await wish
        except asyncio.CancelledError:
            if wish.done() and not wish.cancelled() and wish.exception() is None:
                self._put(shelf, wish.result())
            raise

    def _warm(self, shelf: _Shelf) -> None:
        shelf.heat = shelf.heat.risen(self._around.clock.monotonic_s())

    # The ladder

    def _kind(self, launch: Launch, variables: Mapping[str, str]) -> Kind:
        """The kind that serves, of the best rung that works."""
        for rung in rungs_of(launch, variables) if self._can_park(launch) else ():
            kind = kind_of(launch, rung, variables)
            if kind not in self._outages:
                return kind
        return kind_of(launch, Rung.EXEC, variables)

    def _can_park(self, launch: Launch) -> bool:
        return not launch.led or self._around.backend.leads

    def _give_up(self, launch: Launch, kind: Kind, err: ZygoteError) -> None:
        """The next rung serves until this one works again."""
        now_s = self._around.clock.monotonic_s()
        outage = self._outages.get(kind)
        if outage is not None:
            outage.pause_s = min(2 * outage.pause_s, _OUTAGE_S_MAX)
            outage.until_s = now_s + outage.pause_s
            return
        # What keeps the zygotes of all kinds from working is said once.
        if all(each.error != str(err) for each in self._outages.values()):
            log.warning("stock.no_zygote", extra={"argv": launch.argv, "error": str(err)})
        self._outages[kind] = _Outage(launch, kind, str(err), now_s + _OUTAGE_S, _OUTAGE_S)
        shelf = self._shelves.pop(kind, None)
        if shelf is None:
            return
        for home in shelf.parked:
            self._close(home)
        while (wish := shelf.next_waiting()) is not None:
            wish.set_exception(err)
        self._shelf(launch, self._kind(launch, kind.variables)).heat = shelf.heat
        self._wake.set()

    def _try_again(self, now_s: float) -> None:
        """Begin to find out whether rungs that were given up work by now."""
        for outage in list(self._outages.values()):
            if outage.until_s <= now_s and not self._closed:
                outage.until_s = now_s + _OUTAGE_S_MAX
                self._makers.spawn(self._probe(outage), name="try a rung again")

    async def _probe(self, outage: _Outage) -> None:
        try:
            home = await self._make_home(outage.launch, outage.kind)
        except ZygoteError as err:
            self._give_up(outage.launch, outage.kind, err)
        except SandboxError:  # Of another cause, which says nothing about the rung.
            outage.until_s = self._around.clock.monotonic_s() + outage.pause_s
        else:
            meanwhile = self._kind(outage.launch, outage.kind.variables)
            self._outages.pop(outage.kind, None)
            self._clear(meanwhile)
            log.warning("stock.zygote_works_again", extra={"argv": outage.launch.argv})
            self._put(self._shelf(outage.launch, outage.kind), home)

    def _clear(self, kind: Kind) -> None:
        """Keep none of a kind any more, until one is asked for."""
        shelf = self._shelves.get(kind)
        if shelf is not None and not shelf.waiting:
            del self._shelves[kind]
            for home in shelf.parked:
                self._close(home)

    def _shelf(self, launch: Launch, kind: Kind) -> _Shelf:
        shelf = self._shelves.get(kind)
        if shelf is None:
            heat = Heat(0.0, self._around.clock.monotonic_s())
            shelf = self._shelves[kind] = _Shelf(launch, kind, heat)
        return shelf

    # Making

    def _serve_waiting(self) -> None:
        """Begin to make as many as are waited for, up to the bound."""
        for shelf in self._shelves.values():
            while shelf.making < len(shelf.waiting) and self._making < _MAKERS_MAX:
                self._begin(shelf)

    def _begin(self, shelf: _Shelf) -> None:
        shelf.making += 1
        self._making += 1
        self._makers.spawn(self._make(shelf), name="make a home")

    async def _make_home(self, launch: Launch, kind: Kind) -> Home:
        return await Home.make(
            launch, kind.rung, self._around, known=dict(kind.known), ports=kind.ports
        )

    async def _make(self, shelf: _Shelf) -> None:
        home: Home | None = None
        try:
            home = await self._make_home(shelf.launch, shelf.kind)
        except ZygoteError as err:
            self._give_up(shelf.launch, shelf.kind, err)
        except Exception as err:  # noqa: BLE001 - whatever it is, the claim that waits must hear
            self._pause(shelf)
            wish = shelf.next_waiting()
            if wish is not None:
                wish.set_exception(err)
            elif shelf.failures == 1:
                log.warning("stock.not_filled", extra={"error": str(err)})
        finally:
            shelf.making -= 1
            self._making -= 1
            self._wake.set()
        if home is not None:
            self._put(shelf, home)
        self._serve_waiting()

    def _put(self, shelf: _Shelf, home: Home) -> None:
        """Give a home to who waits longest, or put it on its shelf."""
        current = self._shelves.get(shelf.kind) is shelf
        if self._closed or home.is_lost or not current:
            self._close(home)
        elif (wish := shelf.next_waiting()) is not None:
            wish.set_result(home)
        else:
            home.on_end = lambda: self._lost(shelf, home)
            shelf.parked.append(home)

    def _lost(self, shelf: _Shelf, home: Home) -> None:
        """One ended while it waited."""
        if home in shelf.parked:
            shelf.parked.remove(home)
            self._pause(shelf)
            self._close(home)
            self._wake.set()

    def _pause(self, shelf: _Shelf) -> None:
        now_s = self._around.clock.monotonic_s()
        if now_s > shelf.paused_until_s + _PAUSE_S_MAX:
            shelf.failures = 0
        shelf.failures += 1
        pause_s = min(_PAUSE_S * 2 ** min(shelf.failures - 1, 10), _PAUSE_S_MAX)
        shelf.paused_until_s = max(shelf.paused_until_s, now_s + pause_s)

    def _close(self, home: Home) -> None:
        self._closers.spawn(home.close(), name=f"close {home.sandbox.id}")

    # Upkeep

    async def run(self) -> None:
        """Keep the stock as it should be, for ever."""
        while True:
            self._wake.clear()
            wait_s = self._keep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            await self._wait_for_calm()

    async def _wait_for_calm(self) -> None:
        clock = self._around.clock
        until_s = clock.monotonic_s() + _CALM_S_MAX
        # Each claim puts off the end.
        while (now_s := clock.monotonic_s()) < min(  # noqa: ASYNC110 - no event ends it
            until_s, self._claimed_at_s + _CALM_S
        ):
            await asyncio.sleep(self._claimed_at_s + _CALM_S - now_s)

    def _keep(self) -> float:
        """Begin to make what is missing, end what is too much. Answers when to look again."""
        now_s = self._around.clock.monotonic_s()
        wait_s = _LOOK_EVERY_S
        self._try_again(now_s)
        self._forget(now_s)
        targets = self._targets(now_s)
        for shelf, target in targets.items():
            if len(shelf.parked) > target:
                self._close(shelf.parked.pop(0))
                wait_s = _CALM_S
            elif shelf.paused_until_s > now_s:
                wait_s = min(wait_s, shelf.paused_until_s - now_s)
        # The barest shelf first, so that each kind soon has its first.
        for shelf in sorted(targets, key=lambda shelf: len(shelf.parked)):
            while (
                len(shelf.parked) + shelf.making < targets[shelf]
                and shelf.paused_until_s <= now_s
                and self._making < _FILLERS_MAX
                and not self._closed
            ):
                self._begin(shelf)
        return wait_s

    def _forget(self, now_s: float) -> None:
        for shelf in [each for each in self._shelves.values() if each.demand.forgotten(now_s)]:
            if shelf.is_bare:
                del self._shelves[shelf.kind]

    def _targets(self, now_s: float) -> dict[_Shelf, int]:
        settings = self._settings
        return stock_rules.wanted(
            {shelf: shelf.demand for shelf in self._shelves.values()},
            now_s=now_s,
            floor=settings.parked_floor,
            room=stock_rules.room(
                parked_max=settings.parked_max,
                memory_bytes=self._memory_bytes(),
                memory_share=settings.parked_memory_share,
                environments_free=settings.environments_max - self._environments(),
            ),
        )

    async def give_up_one(self) -> bool:
        """Throw one away, to make room; False if there is none. The fullest shelf gives it."""
        fullest = max(self._shelves.values(), key=lambda shelf: len(shelf.parked), default=None)
        if fullest is None or not fullest.parked:
            return False
        await fullest.parked.pop(0).close()
        return True

    async def close(self) -> None:
        """Throw everything away; who waits hears of it."""
        self._closed = True
        await self._makers.close()
        for shelf in self._shelves.values():
            while (wish := shelf.next_waiting()) is not None:
                wish.set_exception(SandboxError("the platform is stopping"))
            while shelf.parked:
                self._close(shelf.parked.pop())
        await self._closers.drain()


def available_memory_bytes() -> int:
    """What the host says programs may still take."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
