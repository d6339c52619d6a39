"""Function URLs from memory. Implements ``model.ports.invoking.FunctionUrls``.

What the control plane wrote is read when a URL is first called, and kept until the URL, its
function, its alias or the policy of either changes.
"""

from __future__ import annotations

import json
from collections import defaultdict

from alonzo.model.arns import FunctionKey
from alonzo.model.function_urls import FUNCTION_URLS_TOPIC, URL_ID, FunctionUrl
from alonzo.model.functions import CHANGES_TOPIC
from alonzo.store.base import Connection, Store
from alonzo.store.queries import load

_SQL = load("alonzo.invoke")

#: URLs kept; the one that was read the longest ago goes first.
KNOWN_MAX = 4096


class FunctionUrlDirectory:
    """Finds URLs by their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, FunctionUrl] = {}
        self._ids: defaultdict[FunctionKey, set[str]] = defaultdict(set)
        self._changes = 0
        self._unsubscribe = tuple(
            store.subscribe(topic, self._changed) for topic in (CHANGES_TOPIC, FUNCTION_URLS_TOPIC)
        )

    def close(self) -> None:
        """Stop listening."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()

    async def find(self, url_id: str) -> FunctionUrl | None:
        """The URL of that id as it is now, or None."""
        known = self._known.get(url_id)
        if known is not None:
            return known
        if not URL_ID.fullmatch(url_id):
            return None
        changes = self._changes
        url = await self._store.read(lambda db: _read(db, url_id))
        # What was read before a change that came meanwhile serves this call, and no later one.
        if url is not None and changes == self._changes:
            self._keep(url)
        return url

    def _keep(self, url: FunctionUrl) -> None:
        if len(self._known) >= KNOWN_MAX:
            self._forget(self._known[next(iter(self._known))])
        self._known[url.id] = url
        self._ids[url.key].add(url.id)

    def _forget(self, url: FunctionUrl) -> None:
        self._known.pop(url.id, None)
        ids = self._ids[url.key]
        ids.discard(url.id)
        if not ids:
            del self._ids[url.key]

    def _changed(self, topic_key: str) -> None:
        self._changes += 1
        for url_id in self._ids.pop(FunctionKey.from_path(topic_key), ()):
            del self._known[url_id]


def _read(db: Connection, url_id: str) -> FunctionUrl | None:
    row = db.one(_SQL.find_function_url, {"id": url_id})
    if row is None:
        return None
    return FunctionUrl(
        id=row["id"],
        key=FunctionKey(row["account"], row["region"], row["name"]),
        alias=row["alias"],
        auth_type=row["auth_type"],
        invoke_mode=row["invoke_mode"],
        cors=None if row["cors"] is None else json.loads(row["cors"]),
        policy=row["policy"],
    )
