"""StartLiveTail: a session that shows events as they are stored.

    sessionStart · sessionUpdate (once a second while there is something, else every five) · …
                 · SessionTimeoutException after three hours

* A session is in memory: it ends with its client, with the platform, or after its time. It shows
  at most 500 events a second; of more it shows the first, and says that it sampled.
* The session begins with the call: every event that is stored later is shown, none from before.

Source: CloudWatch Logs API reference, StartLiveTail, LiveTailSessionUpdate; quotas.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from alonzo.lib.clock import Clock
from alonzo.lib.ids import IdSource
from alonzo.model.context import RequestContext
from alonzo.model.errors import AwsError
from alonzo.services.logs import filter_pattern, records
from alonzo.services.logs.errors import invalid
from alonzo.services.logs.findings import SHOWN_MAX, Shown, Viewer
from alonzo.services.logs.rules import GroupKey, group_by_identifier
from alonzo.services.logs.sink import LogWriter
from alonzo.store.base import Connection, Store

#: Sessions of one account in a region at a time, and how long one lasts, in seconds.
SESSIONS_MAX = 15
SESSION_S_MAX = 3 * 3600.0
#: Between two updates, and between two that have nothing to show.
UPDATE_S = 1.0
_QUIET_UPDATES = 5


class LiveTails:
    """All sessions. ``viewers`` are theirs, by the groups that they look at."""

    def __init__(self, store: Store, writer: LogWriter, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self._ids = ids
        self._sessions: dict[str, _Session] = {}
        self.viewers: dict[GroupKey, list[Viewer]] = {}

    async def start_live_tail(
        self, context: RequestContext, params: dict[str, Any]
    ) -> Mapping[str, Any]:
        """StartLiveTail."""
        keys = _groups_of(context, params)
        pattern = params.get("logEventFilterPattern", "")
        matches = filter_pattern.parse(pattern)

        def check(conn: Connection) -> None:
            for key in keys:
                records.need_group(conn, key)

        # What was written before the call is no news.
        await self._writer.flush()
        await self._store.read(check)
        of = (context.account, context.region)
        if sum(each.of == of for each in self._sessions.values()) >= SESSIONS_MAX:
            raise AwsError(
                "LimitExceededException",
                f"An account can have at most {SESSIONS_MAX} Live Tail sessions at a time.",
            )
        start = {
            "requestId": context.request_id,
            "sessionId": self._ids.uuid(),
            "logGroupIdentifiers": params["logGroupIdentifiers"],
            "logStreamNames": params.get("logStreamNames"),
            "logStreamNamePrefixes": params.get("logStreamNamePrefixes"),
            "logEventFilterPattern": pattern or None,
        }
        session = _Session(of)
        viewer = Viewer(_stream_test(params), matches, session.take)
        return {"responseStream": self._events(session, viewer, keys, start)}

    def end_all(self) -> None:
        """End every session: the platform stops."""
        for session in self._sessions.values():
            session.end()

    async def _events(
        self,
        session: _Session,
        viewer: Viewer,
        keys: Sequence[GroupKey],
        start: Mapping[str, Any],
    ) -> AsyncIterator[Mapping[str, Any]]:
        session_id = start["sessionId"]
        self._sessions[session_id] = session
        for key in keys:
            self.viewers.setdefault(key, []).append(viewer)
        ends_at_s = self._clock.monotonic_s() + SESSION_S_MAX
        quiet = 0
        try:
            yield {"sessionStart": start}
            while not await session.wait_end(UPDATE_S):
                quiet += 1
                if self._clock.monotonic_s() >= ends_at_s:
                    raise AwsError(
                        "SessionTimeoutException", "The Live Tail session has reached its end."
                    )
                if session.has_news or quiet == _QUIET_UPDATES:
                    quiet = 0
                    yield {"sessionUpdate": session.update()}
            if session.has_news:
                yield {"sessionUpdate": session.update()}
        finally:
            del self._sessions[session_id]
            for key in keys:
                self.viewers[key].remove(viewer)
                if not self.viewers[key]:
                    del self.viewers[key]


class _Session:
    """What waits to be shown."""

    def __init__(self, of: tuple[str, str]) -> None:
        self.of = of
        self._news: list[Shown] = []
        self._more = 0
        self._ended = asyncio.Event()

    def take(self, events: Sequence[Shown], more: int) -> None:
        """Keep events for the next update, as many as it may have."""
        room = SHOWN_MAX - len(self._news)
        self._news += events[:room]
        self._more += more + max(0, len(events) - room)

    def end(self) -> None:
        """Let the stream come to its end."""
        self._ended.set()

    async def wait_end(self, for_s: float) -> bool:
        """Wait for the end, so long at most; whether it has come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                await self._ended.wait()
        return self._ended.is_set()

    @property
    def has_news(self) -> bool:
        """Whether there is something to show."""
        return bool(self._news)

    def update(self) -> Mapping[str, Any]:
        """A LiveTailSessionUpdate of what waits."""
        news, more = self._news, self._more
        self._news, self._more = [], 0
        return {
            "sessionMetadata": {"sampled": more > 0},
            "sessionResults": [
                {
                    "logStreamName": each.stream,
                    "logGroupIdentifier": f"{each.group.account}:{each.group.name}",
                    "message": each.message,
                    "timestamp": each.timestamp_ms,
                    "ingestionTime": each.ingestion_ms,
                }
                for each in news
            ],
        }


def _groups_of(context: RequestContext, params: Mapping[str, Any]) -> list[GroupKey]:
    identifiers: list[str] = params["logGroupIdentifiers"]
    names, prefixes = params.get("logStreamNames"), params.get("logStreamNamePrefixes")
    if names and prefixes:
        raise invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive.")
    if (names or prefixes) and len(identifiers) > 1:
        raise invalid("Log streams can be named for a single log group only.")
    for each in identifiers:
        if not each.startswith("arn:") or each.endswith("*"):
            raise invalid(
                "logGroupIdentifiers must be ARNs of log groups, without a final asterisk."
            )
    keys = [
        group_by_identifier(each, account=context.account, region=context.region)
        for each in identifiers
    ]
    if len(set(keys)) < len(keys):
        raise invalid("logGroupIdentifiers must not name a log group twice.")
    return keys


def _stream_test(params: Mapping[str, Any]) -> Callable[[str], bool]:
    names = frozenset[str](params.get("logStreamNames") or ())
    prefixes = tuple[str, ...](params.get("logStreamNamePrefixes") or ())
    if names:
        return lambda stream: stream in names
    if prefixes:
        return lambda stream: stream.startswith(prefixes)
    return lambda stream: True
