"""What services hand over to others, kept until the others have it.

* A parcel is stored by the commit of what it tells of, and deleted once it is delivered: at least
  once, whatever dies. It says nothing of when it was tried before but how often.
* When a parcel is tried again, and when it is given up, is for its carrier to say. The commit that
  gives one up also stores what the carrier sends in its place, to a dead-letter queue for one.
* Parcels of one *lane* share slots, and no lane takes them all (``lib.slots``): a target that is
  slow keeps no other waiting. Within a lane the oldest goes first, without a promise of order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.lib.slots import share_slots
from alonzo.lib.tasks import TaskScope
from alonzo.model.errors import AwsError
from alonzo.store.base import Connection, Row, Store
from alonzo.store.queries import load
from alonzo.store.retrying import until_stored

log = logging.getLogger("alonzo.store")

_SQL = load("alonzo.store.outbox")

#: Parcels of one sender under way at a time, and for how long each is, in seconds.
PARALLEL_MAX = 64
CARRY_S_MAX = 60.0

#: How often to look though nothing was published: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class NewParcel:
    """What is to be handed over. ``about`` is JSON, for the carrier; ``document`` what it brings.

    ``due_at_s`` None is at once; epoch seconds.
    """

    lane: str
    about: Mapping[str, Any]
    document: bytes
    due_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel on its way. ``attempts`` are those made before. Times are epoch seconds."""

    id: int
    lane: str
    about: Mapping[str, Any]
    document: bytes
    attempts: int
    accepted_at_s: float


@dataclass(frozen=True, slots=True)
class Again:
    """Try it again then, epoch seconds."""

    due_at_s: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It is over; ``instead`` goes on its way in the same commit."""

    instead: Sequence[NewParcel] = ()


class Carrier(Protocol):
    """Brings parcels to where they belong. Implemented by each sender."""

    async def carry(self, parcel: Parcel) -> None:
        """Hand one over; the target has it durably when this returns, perhaps twice.

        Raises:
            Exception: any; ``after_failure`` says what follows.
        """
        ...

    def after_failure(self, parcel: Parcel, error: Exception, now_s: float) -> Again | GivenUp:
        """What becomes of a parcel that could not be handed over. Pure."""
        ...


class Outbox:
    """The outbox of one sender: a service, by its name in ARNs or another name of its own."""

    def __init__(
        self, store: Store, clock: Clock, sender: str, *, parallel_max: int = PARALLEL_MAX
    ) -> None:
        self._store = store
        self._clock = clock
        self._sender = sender
        self._parallel_max = parallel_max
        self._nudged = asyncio.Event()
        self._in_hand: dict[int, str] = {}

    @property
    def topic(self) -> str:
        """The store's topic on which new parcels are published, under their lanes."""
        return f"outbox {self._sender}"

    def add(self, db: Connection, parcels: Iterable[NewParcel]) -> None:
        """Put parcels on their way: part of the unit of work that they tell of."""
        now_s = self._clock.now_s()
        rows = [
            {
                "sender": self._sender,
                "lane": each.lane,
                "about": json.dumps(each.about, separators=(",", ":")),
                "document": each.document,
                "accepted_at_s": now_s,
                "due_at_s": now_s if each.due_at_s is None else each.due_at_s,
            }
            for each in parcels
        ]
        if rows:
            db.execute_many(_SQL.add, rows)
            db.publish(self.topic, self._sender)

    def count(self, db: Connection) -> int:
        """How many parcels are on their way."""
        row = db.one(_SQL.count, {"sender": self._sender})
        return 0 if row is None else int(row["n"])

    async def run(self, carrier: Carrier) -> None:
        """Hand over until cancelled. What is under way then goes out after the next start."""
        unsubscribe = self._store.subscribe(self.topic, lambda _: self._nudged.set())
        try:
            async with TaskScope() as scope:
                while True:
                    await until_stored(
                        lambda: self._start_due(scope, carrier), name=f"{self.topic}: start"
                    )
        finally:
            unsubscribe()

    async def _start_due(self, scope: TaskScope, carrier: Carrier) -> None:
        """Start what is due and has a slot; with nothing to do, wait for work."""
        self._nudged.clear()
        now_s = self._clock.now_s()
        in_hand = dict(self._in_hand)
        rows, next_due_at_s = await self._store.read(lambda db: self._due(db, now_s, in_hand))
        # One that was in hand and has ended meanwhile is not in ``rows``: it was left out.
        for row in rows:
            self._in_hand[row["id"]] = row["lane"]
            scope.spawn(self._carry(_parcel(row), carrier), name=f"{self.topic} {row['id']}")
        if rows:
            return
        wait_s = _LOOK_AGAIN_S if next_due_at_s is None else next_due_at_s - now_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, _LOOK_AGAIN_S)):
                await self._nudged.wait()

    async def _carry(self, parcel: Parcel, carrier: Carrier) -> None:
        """One try, and what it means."""
        try:
            verdict = await self._try(parcel, carrier)
            await faults.reach(f"{self._sender}.after_carry")
            await until_stored(
                lambda: self._store.tx(lambda db: self._settle(db, parcel, verdict)),
                name=f"{self.topic}: settle",
            )
        finally:
            del self._in_hand[parcel.id]
            self._nudged.set()

    async def _try(self, parcel: Parcel, carrier: Carrier) -> Again | GivenUp | None:
        try:
            async with asyncio.timeout(CARRY_S_MAX):
                await carrier.carry(parcel)
        except Exception as err:
            verdict = carrier.after_failure(parcel, err, self._clock.now_s())
            over = isinstance(verdict, GivenUp)
            log.warning(
                "outbox.given_up" if over else "outbox.postponed",
                extra={"sender": self._sender, "lane": parcel.lane, "reason": repr(err)},
                # A refusal says itself what it is; where it came from is known of it.
                exc_info=None if isinstance(err, AwsError | TimeoutError) else err,
            )
            return verdict
        return None

    def _settle(self, db: Connection, parcel: Parcel, verdict: Again | GivenUp | None) -> None:
        if isinstance(verdict, Again):
            values = {
                "id": parcel.id,
                "attempts": parcel.attempts + 1,
                "due_at_s": verdict.due_at_s,
            }
            db.execute(_SQL.postpone, values)
            return
        if db.execute(_SQL.finish, {"id": parcel.id}) and verdict is not None:
            self.add(db, verdict.instead)

    def _due(
        self, db: Connection, now_s: float, in_hand: Mapping[int, str]
    ) -> tuple[list[Row], float | None]:
        """What to start now, and when the next of the others comes due. Reads only.

        ``in_hand`` are the lanes of what is under way, by id; due ones that get no slot wait for
        one of these to end, and not for a time.
        """
        held = Counter(in_hand.values())
        found = db.all(_SQL.waiting_lanes, {"sender": self._sender})
        due_at_s = {row["lane"]: row["due_at_s"] for row in found}
        waiting = [lane for lane, at_s in due_at_s.items() if at_s <= now_s]
        later = [at_s for at_s in due_at_s.values() if at_s > now_s]
        rows: list[Row] = []
        for lane, share in share_slots(waiting, held, self._parallel_max).items():
            # Those in hand come first, as they were due first; one more tells when the next is due.
            limit = held[lane] + share + 1
            values = {"sender": self._sender, "lane": lane, "limit": limit}
            others = [row for row in db.all(_SQL.due, values) if row["id"] not in in_hand]
            now = [row for row in others if row["due_at_s"] <= now_s][:share]
            rows += _whole(db, now)
            later += [row["due_at_s"] for row in others if row["due_at_s"] > now_s]
        return rows, min(later, default=None)


def _whole(db: Connection, found: Iterable[Row]) -> list[Row]:
    rows = (db.one(_SQL.find, {"id": row["id"]}) for row in found)
    return [row for row in rows if row is not None]


def _parcel(row: Row) -> Parcel:
    return Parcel(
        id=row["id"],
        lane=row["lane"],
        about=json.loads(row["about"]),
        document=row["document"],
        attempts=row["attempts"],
        accepted_at_s=row["accepted_at_s"],
    )
