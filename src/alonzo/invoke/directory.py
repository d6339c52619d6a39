"""Which version a name stands for, from memory.

An invoke touches no SQL: what the control plane wrote is read once and kept until it says that the
function changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alonzo.invoke.retries import until_stored
from alonzo.lib.tasks import TaskScope
from alonzo.model.arns import LATEST, FunctionKey, FunctionRef
from alonzo.model.errors import AwsError, conflict
from alonzo.model.functions import CHANGES_TOPIC, ServingVersion
from alonzo.store.base import Connection, Store
from alonzo.store.queries import load

_SQL = load("alonzo.invoke")

#: Called with a function and the generations of it that may still serve.
OnChange = Callable[[FunctionKey, frozenset[str]], None]


@dataclass(frozen=True, slots=True)
class _Version:
    state: str
    serving: ServingVersion | None


class Directory:
    """Resolves names.

    ``on_change`` hears of each function that changed, once it was read again. Of several changes
    in a row it may hear only the last, and never one after a later one.
    """

    def __init__(self, store: Store, scope: TaskScope, on_change: OnChange) -> None:
        self._store = store
        self._scope = scope
        self._on_change = on_change
        self._known: dict[FunctionKey, dict[str, _Version]] = {}
        self._changes = 0
        self._last_change: dict[FunctionKey, int] = {}
        self._unsubscribe = store.subscribe(CHANGES_TOPIC, self._changed)

    def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()

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
        versions = await self._read(key)
        # Reads run side by side: what one saw before a later change must not end its environments.
        if self._last_change.get(key) != change:
            return
        del self._last_change[key]
        live = (v.serving.generation for v in versions.values() if v.serving is not None)
        self._on_change(key, frozenset(live))

    async def _read(self, key: FunctionKey) -> dict[str, _Version]:
        def work(db: Connection) -> dict[str, _Version]:
            rows = db.all(
                _SQL.versions_of_function,
                {"account": key.account, "region": key.region, "name": key.name},
            )
            return {row["version"]: _version(row["state"], row["serving"]) for row in rows}

        return await self._store.read(work)

    async def resolve(self, ref: FunctionRef) -> ServingVersion:
        """The record that a call to ``ref`` runs on.

        Raises:
            ResourceNotFoundException: there is no such function or version.
            ResourceConflictException: it cannot serve yet.
        """
        versions = self._known.get(ref.key)
        if versions is None:
            changes = self._changes
            versions = await self._read(ref.key)
            # What was read before a change that came meanwhile serves this call, and no later one.
            if versions and changes == self._changes:
                self._known[ref.key] = versions
        found = versions.get(ref.qualifier or LATEST)
        if found is None:
            arn = ref.key.qualified(ref.qualifier or LATEST)
            raise AwsError(
                "ResourceNotFoundException", f"Function not found: {arn}", members={"Type": "User"}
            )
        if found.serving is None:
            raise conflict(
                "The operation cannot be performed at this time. "
                f"The function is currently in the following state: {found.state}"
            )
        return found.serving

    async def live_code(self) -> frozenset[str]:
        """Digests of every package that some version refers to."""
        rows = await self._store.read(lambda db: db.all(_SQL.live_code))
        return frozenset(row["code_sha256"] for row in rows)


def _version(state: str, serving: str | None) -> _Version:
    return _Version(state, None if serving is None else ServingVersion.from_json(serving))
