"""Environments that are kept ready for versions with provisioned concurrency.

Rules:

* None of a version's environments serves before as many as are wanted have been ready together.
  From then on each does that is ready.
* A call that finds none idle, or that comes faster than so many a second for each of them, spills
  over: it runs on demand.
* One that ends, or loses its runtime, is replaced, and so is one that grows old; none is ended for
  being idle. One that nobody wants any more ends when its call is over.
* A start that fails is tried again after longer and longer pauses, and so is one whose environment
  ends soon after its init. What is ready serves meanwhile.

Accounts are kept at once, on the event loop; only starts and ends take time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from alonzo.environments.environment import Environment
from alonzo.environments.inits import EnvironmentStoppedError, InitFailedError
from alonzo.environments.surroundings import Surroundings
from alonzo.environments.turnstile import Turnstile
from alonzo.lib.pace import Pace
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import FunctionKey
from alonzo.model.functions import ServingVersion
from alonzo.model.metering import ReservedEnvironments
from alonzo.model.ports.code import CodeError
from alonzo.model.provisioned import INIT_FAILURE, ProvisionedFigures
from alonzo.runtimes.base import RuntimeUnavailableError
from alonzo.sandbox.base import SandboxError

log = logging.getLogger("alonzo.environments")

#: Starts beside each other, so that calls on demand find processors too; a slow init counts no
#: longer than this.
_STARTS_MAX = 8
_START_COUNTS_S = 1.0

#: Starts of one version beside each other: an init may take minutes, and all of a processor.
_BESIDE_MAX = 16

#: How often to look for starts that are due again and for what grows old.
_LOOK_EVERY_S = 1.0

#: The part of its life after which an environment is replaced.
_OLD_AFTER = 0.9

#: An environment that ends by itself sooner than this after its init counts as a failed start;
#: so many of them in a row are told to the user.
_LIVES_S = 10.0
_EARLY_ENDS_MAX = 3

#: The first pause after a failure, which doubles, and the longest.
_PAUSE_S = 1.0
_PAUSE_S_MAX = 300.0

#: How long a start waits for its turn in the scaling rate before it looks again.
_PACE_POLL_S = 0.1


class NoRoomError(Exception):
    """As many environments as there may be are at work."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How many are wanted of a version. A new ``revision`` is a new wish, even of the same."""

    version: ServingVersion
    number: int
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """How far it is with one version. ``failure`` says, fit for a client, what went wrong last.

    ``complete``: all that are wanted were ready together once, since they are wanted.
    """

    wanted: int
    allocated: int
    available: int
    complete: bool
    failure: str | None


@dataclass(slots=True, eq=False)
class _Set:
    """The environments of one generation.

    ``starting`` counts those that have not come up yet; ``old`` are to be replaced. ``failures``
    are those in a row, ``early_ends`` the environments among them that ended too soon.
    """

    version: ServingVersion
    scaling: Pace
    wanted: int = 0
    revision: str = ""
    all: set[Environment] = field(default_factory=set[Environment])
    idle: list[Environment] = field(default_factory=list[Environment])
    old: set[Environment] = field(default_factory=set[Environment])
    starting: int = 0
    serves: bool = False
    complete: bool = False
    failure: str | None = None
    failures: int = 0
    early_ends: int = 0
    retry_at_s: float = 0.0
    requests: Pace = field(default_factory=Pace)
    invocations: int = 0
    spillovers: int = 0


class Provisioned:
    """What is provisioned on this node.

    ``make`` starts an environment, initialised or not at all; ``end`` has one ended. Both are the
    pool's, which counts what is here among its own.
    """

    def __init__(
        self,
        around: Surroundings,
        make: Callable[[ServingVersion], Awaitable[Environment]],
        end: Callable[[Environment], None],
    ) -> None:
        self._clock = around.clock
        self._settings = around.settings
        self._make = make
        self._end = end
        self._sets: dict[str, _Set] = {}
        self._by_function: dict[FunctionKey, list[_Set]] = {}
        self._turns = Turnstile(_STARTS_MAX, counts_s=_START_COUNTS_S)
        self._starting = TaskScope()
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        """Those that there are and those that are being made."""
        return self._count

    # Intent

    def want(self, wishes: Iterable[Wish]) -> None:
        """Keep so many of each version, and none of any other."""
        wanted = {wish.version.generation: wish for wish in wishes}
        for generation, wish in wanted.items():
            kept = self._sets.get(generation)
            if kept is None:
                pace = Pace(self._settings.scaling_period_s)
                kept = self._sets[generation] = _Set(wish.version, pace)
                self._by_function.setdefault(wish.version.key, []).append(kept)
            if (kept.wanted, kept.revision) != (wish.number, wish.revision):
                kept.wanted, kept.revision = wish.number, wish.revision
                kept.complete = False
                self._forgive(kept)
                self._tend(kept)
        for generation in [each for each in self._sets if each not in wanted]:
            self._give_up(self._sets[generation])

    def retire(self, key: FunctionKey, live_generations: frozenset[str]) -> None:
        """Give up the generations of a function that are not among the live ones."""
        for kept in list(self._by_function.get(key, ())):
            if kept.version.generation not in live_generations:
                self._give_up(kept)

    def _give_up(self, kept: _Set) -> None:
        kept.wanted = 0
        kept.serves = kept.complete = False
        self._tend(kept)

    # Fact

    def kept(self, generation: str) -> Kept:
        """How far it is with a generation."""
        kept = self._sets.get(generation)
        if kept is None:
            return Kept(0, 0, 0, complete=False, failure=None)
        return Kept(
            wanted=kept.wanted,
            allocated=min(len(kept.all), kept.wanted),
            available=min(len(kept.idle), kept.wanted) if kept.serves else 0,
            complete=kept.complete,
            failure=kept.failure,
        )

    def ready(self, key: FunctionKey) -> int:
        """How many of a function's environments serve, busy ones included."""
        return sum(
            min(len(kept.all), kept.wanted)
            for kept in self._by_function.get(key, ())
            if kept.serves
        )

    def figures(self) -> Sequence[ProvisionedFigures]:
        """Of every version that has some."""
        return [
            ProvisionedFigures(
                key=kept.version.key,
                version=kept.version.version,
                allocated=len(kept.all),
                in_use=len(kept.all) - len(kept.idle),
                invocations=kept.invocations,
                spillovers=kept.spillovers,
            )
            for kept in self._sets.values()
        ]

    def reserved(self) -> Sequence[ReservedEnvironments]:
        """What is asked for, and paid for, used or not."""
        return [
            ReservedEnvironments(kept.version, kept.wanted)
            for kept in self._sets.values()
            if kept.wanted
        ]

    def code_in_use(self) -> frozenset[str]:
        """Names of the unpacked trees that environments have open."""
        return frozenset(name for kept in self._sets.values() for name in kept.version.trees)

    # Use

    def serves(self, version: ServingVersion) -> bool:
        """Whether calls of the version are to run here, if one is idle."""
        kept = self._sets.get(version.generation)
        return kept is not None and kept.serves

    def try_reserve(self, version: ServingVersion, *, per_s: float | None) -> Environment | None:
        """An environment for one call, or None: the call is to run on demand.

        ``per_s``: so many calls a second for each environment; None: however many come.
        """
        kept = self._sets.get(version.generation)
        if kept is None or not kept.serves or not kept.idle:
            return None
        if per_s is not None and not kept.requests.try_pass(
            self._clock.monotonic_s(), per_s * len(kept.all)
        ):
            return None
        while kept.idle:
            environment = kept.idle.pop()
            try:
                environment.reserve_nowait()
            except SandboxError:  # It cannot be thawed any more.
                self._end(environment)
            else:
                return environment
        return None

    def count(self, version: ServingVersion, *, spilled: bool) -> None:
        """A call of a version whose environments serve was admitted: here, or on demand."""
        kept = self._sets.get(version.generation)
        if kept is None:
            return
        if spilled:
            kept.spillovers += 1
        else:
            kept.invocations += 1

    def release(self, environment: Environment) -> None:
        """A call is over."""
        kept = self._sets.get(environment.version.generation)
        if kept is None or environment not in kept.all:
            return
        if not environment.is_warm:
            self._remove(kept, environment)
            self._end(environment)
            self._tend(kept)
            return
        kept.idle.append(environment)
        if len(kept.all) > kept.wanted:
            self._tend(kept)

    def forget(self, environment: Environment) -> None:
        """One has ended by itself, or is ended from outside."""
        kept = self._sets.get(environment.version.generation)
        if kept is None or environment not in kept.all:
            return
        was_idle = environment in kept.idle
        self._remove(kept, environment)
        if was_idle and self._age_s(environment) < _LIVES_S:
            self._ended_early(kept)
        self._tend(kept)

    def _ended_early(self, kept: _Set) -> None:
        self._pause(kept)
        kept.early_ends += 1
        if kept.early_ends >= _EARLY_ENDS_MAX:
            kept.failure = "The environments end soon after their initialization."

    def _remove(self, kept: _Set, environment: Environment) -> None:
        kept.all.remove(environment)
        kept.old.discard(environment)
        self._count -= 1
        if environment in kept.idle:
            kept.idle.remove(environment)

    # Upkeep

    async def run(self) -> None:
        """Keep, for ever, as many as are wanted."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Do what is due because time has passed: ends of the old, and starts once more."""
        for kept in list(self._sets.values()):
            self._look(kept)

    def _look(self, kept: _Set) -> None:
        ages_s = {environment: self._age_s(environment) for environment in kept.all}
        life_s = self._settings.age_s_max
        kept.old = {each for each, age_s in ages_s.items() if age_s > _OLD_AFTER * life_s}
        for environment in [each for each in kept.idle if ages_s[each] > life_s]:
            self._remove(kept, environment)
            self._end(environment)
        if kept.complete and all(age_s >= _LIVES_S for age_s in ages_s.values()):
            self._forgive(kept)
        self._tend(kept)

    def _age_s(self, environment: Environment) -> float:
        return self._clock.monotonic_s() - environment.born_at_s

    def _missing(self, kept: _Set) -> int:
        """How many starts are to be begun, those for the places of old ones included."""
        return kept.wanted - (len(kept.all) - len(kept.old)) - kept.starting

    def _tend(self, kept: _Set) -> None:
        """End what is too much, begin what is missing, and note whether it is all there."""
        if self._closed:
            return
        self._shed(kept)
        if kept.wanted and len(kept.all) >= kept.wanted:
            kept.serves = kept.complete = True
            if kept.early_ends < _EARLY_ENDS_MAX:
                kept.failure = None
        if self._clock.monotonic_s() >= kept.retry_at_s:
            for _ in range(min(self._missing(kept), _BESIDE_MAX - kept.starting)):
                kept.starting += 1
                self._starting.spawn(self._start(kept), name=f"provision {kept.version.arn}")
        if not (kept.wanted or kept.all or kept.starting):
            self._drop(kept)

    def _shed(self, kept: _Set) -> None:
        """End idle ones that are too many, the oldest first."""
        too_many = len(kept.all) - kept.wanted
        if too_many > 0:
            for environment in sorted(kept.idle, key=lambda env: env.born_at_s)[:too_many]:
                self._remove(kept, environment)
                self._end(environment)

    def _drop(self, kept: _Set) -> None:
        if self._sets.pop(kept.version.generation, None) is None:
            return
        sets = self._by_function[kept.version.key]
        sets.remove(kept)
        if not sets:
            del self._by_function[kept.version.key]

    async def _start(self, kept: _Set) -> None:
        """Start one, unless it is wanted no more when its turn comes."""
        environment: Environment | None = None
        counted = 0
        try:
            async with self._turns.passage():
                await self._wait_scaling(kept)
                # This one is among those that are starting.
                if self._missing(kept) >= 0 and self._clock.monotonic_s() >= kept.retry_at_s:
                    counted = 1
                    self._count += 1
                    environment = await self._make(kept.version)
        except Exception as err:  # noqa: BLE001 - whatever it is, it is told and tried again
            self._failed(kept, err)
        finally:
            kept.starting -= 1
            self._count -= counted
            if environment is not None:
                self._add(kept, environment)
            self._tend(kept)

    async def _wait_scaling(self, kept: _Set) -> None:
        per_s = self._settings.scaling_max / self._settings.scaling_period_s
        while not kept.scaling.try_pass(  # noqa: ASYNC110 - time that passes has no event
            self._clock.monotonic_s(), per_s
        ):
            await asyncio.sleep(_PACE_POLL_S)

    def _add(self, kept: _Set, environment: Environment) -> None:
        if self._closed or not environment.is_warm:
            self._ended_early(kept)
            self._end(environment)
            return
        kept.all.add(environment)
        self._count += 1
        kept.idle.append(environment)

    def _failed(self, kept: _Set, err: Exception) -> None:
        reason = _reason(err)
        if reason is None:
            log.warning(
                "provisioned.failed",
                extra={"function": kept.version.arn, "error": str(err)},
                exc_info=None if isinstance(err, SandboxError) else err,
            )
            reason = "The platform could not start the environment. It tries again."
        kept.failure = reason
        self._pause(kept)

    def _pause(self, kept: _Set) -> None:
        """Wait before the next start; starts that fail beside each other count once."""
        now_s = self._clock.monotonic_s()
        if now_s >= kept.retry_at_s:
            kept.failures += 1
            kept.retry_at_s = now_s + min(_PAUSE_S * 2.0 ** (kept.failures - 1), _PAUSE_S_MAX)

    def _forgive(self, kept: _Set) -> None:
        kept.failure = None
        kept.failures = kept.early_ends = 0
        kept.retry_at_s = 0.0

    async def close(self) -> None:
        """Start no more, and end those that there are."""
        self._closed = True
        await self._starting.close()
        for kept in list(self._sets.values()):
            for environment in list(kept.all):
                self._remove(kept, environment)
                self._end(environment)
        self._sets.clear()
        self._by_function.clear()


def _reason(err: Exception) -> str | None:
    """What a client may be told of a start that failed, or None: it is our fault."""
    match err:
        case InitFailedError():
            return INIT_FAILURE
        case NoRoomError():
            return f"This host has no room for it: {err}."
        case CodeError() | RuntimeUnavailableError():
            return str(err)
        case EnvironmentStoppedError():
            return "The environment ended during its initialization."
        case _:
            return None
