"""Carries replays out: some events at a time, each time with one commit, from where it stopped."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from alonzo.lib.event_patterns import read_document
from alonzo.model.errors import AwsError
from alonzo.services.events.directory import REPLAYS_TOPIC, Directory
from alonzo.services.events.intake import Intake
from alonzo.services.events.limits import REPLAYED_MAX
from alonzo.services.events.records import (
    OPEN,
    Q,
    Replay,
    ReplayState,
    find_replay,
    replay_from,
    save_replay,
)
from alonzo.services.events.routing import Arrival, route, with_replay
from alonzo.store.base import Connection, Row
from alonzo.store.retrying import until_stored


class Replayer:
    """Runs replays, in turns."""

    def __init__(self, directory: Directory, intake: Intake) -> None:
        self._directory = directory
        self._intake = intake
        self._nudged = asyncio.Event()

    async def run(self) -> None:
        """Replay until cancelled. What is not over goes on after the next start."""
        store = self._directory.store
        unsubscribe = store.subscribe(REPLAYS_TOPIC, lambda _: self._nudged.set())
        try:
            while True:
                await until_stored(self.step, name="events: replays")
        finally:
            unsubscribe()

    async def step(self) -> None:
        """Send the next events of each replay that is not over; without one, wait for one."""
        self._nudged.clear()
        store = self._directory.store
        rows = await store.read(lambda db: db.all(Q.all_replays))
        waiting = [replay.arn for replay in map(replay_from, rows) if replay.state in OPEN]
        for arn in waiting:
            await store.tx(lambda db, arn=arn: self._send(db, arn))
        if not waiting:
            await self._nudged.wait()

    def _send(self, db: Connection, arn: str) -> None:
        replay = find_replay(db, arn)
        if replay is None or replay.state not in OPEN:
            return
        if replay.state is ReplayState.CANCELLING:
            self._end(db, replay, ReplayState.CANCELLED)
            return
        if db.one(Q.find_archive, {"arn": replay.archive_arn}) is None:
            self._end(db, replace(replay, reason="The archive is gone."), ReplayState.FAILED)
            return
        rows = self._next(db, replay)
        if not rows:
            self._end(db, replay, ReplayState.COMPLETED)
            return
        now_s = self._directory.clock.now_s()
        arrivals = [self._arrival(replay, row, now_s) for row in rows]
        try:
            routed = route(self._directory, arrivals)
        except AwsError as error:
            self._end(db, replace(replay, reason=error.message), ReplayState.FAILED)
            return
        self._intake.store(db, routed)
        last = rows[-1]
        position = {"arn": arn, "position_s": last["event_at_s"], "position_id": last["id"]}
        db.execute(Q.move_replay, position)
        moved = replace(replay, state=ReplayState.RUNNING, last_event_s=last["event_at_s"])
        save_replay(db, moved)

    def _next(self, db: Connection, replay: Replay) -> list[Row]:
        row = db.one(Q.replay_position, {"arn": replay.arn})
        assert row is not None
        return db.all(
            Q.events_to_replay,
            {
                "archive_arn": replay.archive_arn,
                "until_s": replay.until_s,
                "position_s": row["position_s"],
                "position_id": row["position_id"],
                "limit": REPLAYED_MAX,
            },
        )

    def _arrival(self, replay: Replay, row: Row, now_s: float) -> Arrival:
        event, text = with_replay(read_document(bytes(row["document"])), replay.name)
        filters = frozenset(replay.filters)
        return Arrival(replay.bus_arn, event, text, now_s, row["event_at_s"], filters=filters)

    def _end(self, db: Connection, replay: Replay, state: ReplayState) -> None:
        save_replay(db, replace(replay, state=state, ended_at_s=self._directory.clock.now_s()))
