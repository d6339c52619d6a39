"""Which version a name stands for, and what else a call must know, from memory.

An invoke touches no SQL: what the control plane wrote is read once and kept until it says that the
function changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from alonzo.invoke.concurrency import Reservations
from alonzo.invoke.event_life import EventPolicy
from alonzo.lib.chance import Chance
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import LATEST, FunctionKey, FunctionRef
from alonzo.model.errors import AwsError, conflict
from alonzo.model.functions import CHANGES_TOPIC, RESERVATIONS_TOPIC, ServingVersion
from alonzo.model.limits import EVENT_RETRIES_MAX, MAXIMUM_EVENT_AGE_S
from alonzo.store.base import Connection, Row, Store
from alonzo.store.queries import load
from alonzo.store.retrying import until_stored

_SQL = load("alonzo.invoke")

#: Records kept parsed. A change reads all versions of its function again, and few have changed.
_PARSED_MAX = 2048

#: Called with a function and the generations of it that may still serve.
OnChange = Callable[[FunctionKey, frozenset[str]], None]


@dataclass(frozen=True, slots=True)
class Target:
    """What a call runs on: one version, and what holds for its function now."""

    version: ServingVersion
    reservations: Reservations
    stops_loops: bool


@dataclass(frozen=True, slots=True)
class _Alias:
    """``additional`` gets the share ``weight`` of the calls; None gets none."""

    version: str
    additional: str | None
    weight: float


@dataclass(frozen=True, slots=True)
class _Function:
    """``targets`` are the versions that can serve; ``states`` has the state of every version.

    ``policies`` are for the events to a qualifier, ``default_policy`` for those to all others.
    """

    targets: Mapping[str, Target]
    states: Mapping[str, str]
    aliases: Mapping[str, _Alias]
    policies: Mapping[str, EventPolicy]
    default_policy: EventPolicy


class Directory:
    """Resolves names.

    ``on_change`` hears of each function that changed, once it was read again. Of several changes
    in a row it may hear only the last, and never one after a later one.
    """

    def __init__(
        self, store: Store, scope: TaskScope, on_change: OnChange, *, chance: Chance
    ) -> None:
        self._store = store
        self._scope = scope
        self._on_change = on_change
        self._chance = chance
        self._known: dict[FunctionKey, _Function] = {}
        self._changes = 0
        self._last_change: dict[FunctionKey, int] = {}
        self._unsubscribe = (
            store.subscribe(CHANGES_TOPIC, self._changed),
            store.subscribe(RESERVATIONS_TOPIC, self._reservations_changed),
        )

    def close(self) -> None:
        """Stop listening."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    def _reservations_changed(self, region_path: str) -> None:
        self._changes += 1
        account, region = region_path.split("/")
        for key in [key for key in self._known if (key.account, key.region) == (account, region)]:
            del self._known[key]

    def _changed(self, topic_key: str) -> None:
        key = FunctionKey.from_path(topic_key)
        self._changes += 1
        change = self._last_change[key] = self._changes
        self._known.pop(key, None)
        self._scope.spawn(
            until_stored(lambda: self._refresh(key, change), name=f"refresh {topic_key}"),
            name=f"refresh {topic_key}",
        )

    async def _refresh(self, key: FunctionKey, change: int) -> None:
        function = await self._read(key)
        # Reads run side by side: what one saw before a later change must not end its environments.
        if self._last_change.get(key) != change:
            return
        del self._last_change[key]
        targets = () if function is None else function.targets.values()
        self._on_change(key, frozenset(target.version.generation for target in targets))

    async def _read(self, key: FunctionKey) -> _Function | None:
        return await self._store.read(lambda db: _read_function(db, key))

    def try_resolve(self, ref: FunctionRef) -> Target | None:
        """``resolve``, if it is known already what comes of it and that is a target."""
        function = self._known.get(ref.key)
        if function is None:
            return None
        qualifier = ref.qualifier or LATEST
        if function.aliases:
            qualifier = self._version(function, qualifier)
        return function.targets.get(qualifier)

    async def resolve(self, ref: FunctionRef) -> Target:
        """What a call to ``ref`` runs on. An alias that shares its calls answers by chance.

        Raises:
            ResourceNotFoundException: there is no such function, version or alias.
            ResourceConflictException: it cannot serve yet.
        """
        function = self._known.get(ref.key) or await self._learn(ref.key)
        qualifier = ref.qualifier or LATEST
        if function is not None and function.aliases:
            qualifier = self._version(function, qualifier)
        target = None if function is None else function.targets.get(qualifier)
        if target is not None:
            return target
        state = None if function is None else function.states.get(qualifier)
        if state is None:
            arn = ref.key.qualified(ref.qualifier or LATEST)
            raise AwsError(
                "ResourceNotFoundException", f"Function not found: {arn}", members={"Type": "User"}
            )
        raise conflict(
            "The operation cannot be performed at this time. "
            f"The function is currently in the following state: {state}"
        )

    async def event_policy(self, ref: FunctionRef) -> EventPolicy:
        """What holds for events to ``ref``; the defaults where nothing is known of it."""
        function = self._known.get(ref.key) or await self._learn(ref.key)
        if function is None:
            return EventPolicy()
        qualifier = ref.qualifier or LATEST
        policy = function.policies.get(qualifier, function.default_policy)
        # Versions that share an alias' calls have the same role and dead-letter queue.
        alias = function.aliases.get(qualifier)
        target = function.targets.get(qualifier if alias is None else alias.version)
        if target is None:
            return policy
        version = target.version
        return replace(policy, dead_letter=version.dead_letter, role=version.role)

    async def _learn(self, key: FunctionKey) -> _Function | None:
        changes = self._changes
        function = await self._read(key)
        # What was read before a change that came meanwhile serves this call, and no later one.
        if function is not None and changes == self._changes:
            self._known[key] = function
        return function

    def _version(self, function: _Function, qualifier: str) -> str:
        """The version that a call to ``qualifier`` runs on this time."""
        alias = function.aliases.get(qualifier)
        if alias is None:
            return qualifier
        if alias.additional is not None and self._chance() < alias.weight:
            return alias.additional
        return alias.version

    async def live_code(self) -> frozenset[str]:
        """Digests of every package that some version refers to."""
        rows = await self._store.read(lambda db: db.all(_SQL.live_code))
        return frozenset(row["code_sha256"] for row in rows)


@lru_cache(_PARSED_MAX)
def _serving(text: str) -> ServingVersion:
    return ServingVersion.from_json(text)


def _read_function(db: Connection, key: FunctionKey) -> _Function | None:
    where = {"account": key.account, "region": key.region, "name": key.name}
    row = db.one(_SQL.find_function, where)
    if row is None:
        return None
    reservations = Reservations(
        row["reserved_concurrency"], row["reserved_in_region"], row["provisioned_in_region"]
    )
    blocked = reservations.function == 0
    stops_loops = row["recursive_loop"] == "Terminate"
    versions = db.all(_SQL.versions_of_function, where)
    return _Function(
        targets={
            each["version"]: Target(_serving(each["serving"]), reservations, stops_loops)
            for each in versions
            if each["serving"] is not None
        },
        states={each["version"]: each["state"] for each in versions},
        aliases={
            each["alias"]: _Alias(
                each["version"], each["additional_version"], each["additional_weight"] or 0.0
            )
            for each in db.all(_SQL.aliases_of_function, where)
        },
        policies={
            each["qualifier"]: _policy(each, blocked=blocked)
            for each in db.all(_SQL.event_policies_of_function, where)
        },
        default_policy=EventPolicy(blocked=blocked),
    )


def _policy(row: Row, *, blocked: bool) -> EventPolicy:
    retries_max, age_s_max = row["retries_max"], row["age_s_max"]
    return EventPolicy(
        retries_max=EVENT_RETRIES_MAX if retries_max is None else retries_max,
        age_s_max=MAXIMUM_EVENT_AGE_S if age_s_max is None else age_s_max,
        on_success=row["on_success"],
        on_failure=row["on_failure"],
        blocked=blocked,
    )
