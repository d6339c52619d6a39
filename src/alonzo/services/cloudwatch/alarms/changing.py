"""Changes of alarms' states, and all that follows from one, in the same unit of work.

    state, history, event, actions ─▶ composite alarms that look at it, each after all those that it
    looks at itself ─▶ composite alarms whose actions it keeps back

So a composite alarm never lags behind, and a death leaves all of it or nothing. What many alarms
make of a change is worked out beside the writer (``beside``). An alarm whose actions are kept back
is released by ``keeper`` when the time has come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.actions import parcel_of, state_event
from alonzo.services.cloudwatch.alarms.beside import Draft, Looked, work_out
from alonzo.services.cloudwatch.alarms.composite import reasons
from alonzo.services.cloudwatch.alarms.composite.graph import order_of
from alonzo.services.cloudwatch.alarms.composite.rule import evaluate
from alonzo.services.cloudwatch.alarms.composite.suppression import (
    Hold,
    after_change,
    after_suppressor,
)
from alonzo.services.cloudwatch.alarms.evaluation import State
from alonzo.services.cloudwatch.alarms.records import (
    COMPOSITE,
    Alarm,
    AlarmKey,
    Q,
    StateFacts,
    alarm_from,
)
from alonzo.store.base import Connection, Store
from alonzo.store.outbox import Outbox

#: The store's topic on which it is published that actions wait for a time.
HOLDS_TOPIC = "alarm holds"
#: Why a composite alarm looks at another: its rule names it, or it keeps its actions back.
RULE, SUPPRESSOR = "rule", "suppressor"

#: Alarms released by one unit of work.
_RELEASED_MAX = 50
#: Alarms that a change concerns in the unit of work that makes it; each may look at a hundred.
_FOLLOWING_MAX = 10


async def change_state(
    store: Store, outbox: Outbox, find: Callable[[Connection], Alarm | None], after: StateFacts
) -> bool:
    """Change a state. False: there is no such alarm, or it is not any more as it was.

    ``find`` answers the alarm as it is, or None.

    Raises:
        StoreError: nothing has changed.
    """

    def at_once(db: Connection) -> bool | AlarmKey:
        alarm = find(db)
        if alarm is None:
            return False
        if concerns_many(db, alarm.key):
            return alarm.key
        return _Unit(db, outbox, alarm.key, after.updated_at_s).enter(alarm, after)

    def enter(unit: _Unit) -> None:
        alarm = find(unit.db)
        if alarm is not None:
            unit.enter(alarm, after)

    done = await store.tx(at_once)
    if isinstance(done, bool):
        return done
    return await _beside(store, outbox, done, after.updated_at_s, enter)


@dataclass(frozen=True, slots=True)
class Put:
    """A composite alarm that was put. ``was_on_cycle``: it looked at itself, through others too."""

    alarm: Alarm
    created: bool
    on_cycle: bool
    was_on_cycle: bool


def settle_put(db: Connection, outbox: Outbox, put: Put) -> None:
    """Evaluate a composite alarm that was put, with all that follows.

    If it was on a cycle, alarms above it may have missed changes: all of them are evaluated.
    """
    _Unit(db, outbox, put.alarm.key, put.alarm.updated_at_s).put(put)


async def settle_put_beside(store: Store, outbox: Outbox, put: Put) -> None:
    """The same where many alarms follow, beside the writer.

    Raises:
        StoreError: nothing has changed.
    """
    key, now_s = put.alarm.key, put.alarm.updated_at_s
    await _beside(store, outbox, key, now_s, lambda unit: unit.put(put))


async def _beside(
    store: Store, outbox: Outbox, where: AlarmKey, now_s: float, work: Callable[[_Unit], None]
) -> bool:
    """Work on a unit beside the writer; whether it came to anything."""

    def look(db: Connection) -> Looked[Draft]:
        draft = Draft(db)
        unit = _Unit(draft, outbox, where, now_s)
        work(unit)
        return Looked(draft, unit.names)

    def write(db: Connection, draft: Draft) -> bool:
        draft.write(db)
        return bool(draft.writes)

    return await work_out(store, where, look, write)


def release_due(db: Connection, outbox: Outbox, now_s: float) -> bool:
    """Let actions go whose time has come. Whether there may be more."""
    rows = db.all(Q.due_releases, {"now_s": now_s, "limit": _RELEASED_MAX})
    for alarm in map(alarm_from, rows):
        _Unit(db, outbox, alarm.key, now_s).hold(alarm, None)
    return len(rows) == _RELEASED_MAX


class _Unit:
    """One unit of work, in one account and region."""

    def __init__(self, db: Connection, outbox: Outbox, where: AlarmKey, now_s: float) -> None:
        self.db = db
        self._outbox = outbox
        self._where = where
        self._now_s = now_s
        #: Alarms as they are now, those with their rule read.
        self._known: dict[str, Alarm | None] = {}

    @property
    def names(self) -> Collection[str]:
        """The alarms that were looked at."""
        return self._known.keys()

    def enter(self, alarm: Alarm, after: StateFacts) -> bool:
        """Change one state, with all that follows. False: it is stale."""
        self._known.setdefault(alarm.key.name, alarm)
        if not self.change(alarm, after):
            return False
        if after.state is not alarm.facts.state:
            self.follow(alarm.key.name)
        return True

    def change(self, alarm: Alarm, after: StateFacts) -> bool:
        """Change one state, and what this alarm does. False: it is stale."""
        before = alarm.facts
        changed = after.state is not before.state
        hold = before.hold
        if changed:
            hold = after_change(
                alarm.suppressor,
                suppressing=self._suppressing(alarm),
                left=before.state,
                now_s=self._now_s,
            )
        since_s = after.updated_at_s if changed else before.since_s
        after = replace(after, changed_at_s=since_s, hold=hold)
        if not self._save(alarm, after):
            return False
        if not changed:
            return True
        records.note(
            self.db,
            alarm.key,
            alarm.kind,
            after.updated_at_s,
            kind="StateUpdate",
            summary=f"Alarm updated from {before.state} to {after.state}",
            data={
                "oldState": records.state_document(before),
                "newState": records.state_document(after),
            },
        )
        self._outbox.add(self.db, [state_event(alarm, before, after)])
        if hold is None:
            self._act(alarm, before, after)
        if (before.state is State.ALARM) is not (after.state is State.ALARM):
            for name in self._parents(alarm.key.name, SUPPRESSOR):
                self._suppress(name)
        return True

    def follow(self, name: str, *, everywhere: bool = False) -> None:
        """Evaluate the composite alarms that an alarm's change concerns, or all above it."""
        changed = [name]
        for each in order_of(above(self.db, self._where._replace(name=name))):
            alarm = self._alarm(each)
            if alarm is None:
                continue
            children = {alarm.key.name_of(child) for child in alarm.rule.children}
            cause = next((child for child in reversed(changed) if child in children), None)
            if cause is None and everywhere:
                cause = name
            child = None if cause is None else self._alarm(cause)
            if child is None:
                continue
            reason = reasons.after_child(child.key.arn, child.facts.state, child.facts.since_s)
            if self._evaluate(alarm, reason):
                changed.append(each)

    def put(self, put: Put) -> None:
        """Evaluate an alarm that was put, and those that it concerns."""
        name = put.alarm.key.name
        self._suppress(name)
        alarm = self._alarm(name)
        if alarm is None:
            return
        changed = False
        if not put.on_cycle:
            state = State.ALARM if self._holds(alarm)[0] else State.OK
            reason = reasons.after_put(alarm.key.arn, created=put.created, state=state)
            changed = self._evaluate(alarm, reason)
        if changed or put.was_on_cycle:
            self.follow(name, everywhere=put.was_on_cycle)

    def hold(self, alarm: Alarm, hold: Hold | None) -> None:
        """Keep actions back, or let those go that wait."""
        before = alarm.facts
        if hold == before.hold:
            return
        if hold is not None or before.hold is None or before.hold.left is None:
            self._save(alarm, replace(before, changed_at_s=before.since_s, hold=hold))
            return
        after = replace(before, updated_at_s=self._now_s, changed_at_s=before.since_s, hold=None)
        if self._save(alarm, after):
            self._act(alarm, before, after)

    def _suppress(self, name: str) -> None:
        """The suppressor of an alarm has changed, or it has become another."""
        alarm = self._alarm(name)
        if alarm is None:
            return
        suppressor = alarm.suppressor
        if suppressor is None:
            self.hold(alarm, None)
            return
        suppressing = self._suppressing(alarm)
        now_s = self._now_s
        self.hold(
            alarm,
            after_suppressor(alarm.facts.hold, suppressor, suppressing=suppressing, now_s=now_s),
        )

    def _evaluate(self, alarm: Alarm, reason: str) -> bool:
        """Give a composite alarm the state that its rule asks for. Whether it is another."""
        holds, because = self._holds(alarm)
        state = State.ALARM if holds else State.OK
        if state is alarm.facts.state:
            return False
        data = reasons.data_of(
            (each.key.arn, each.facts.state, each.facts.since_s) for each in because
        )
        return self.change(alarm, StateFacts(state, reason, data, self._now_s))

    def _holds(self, alarm: Alarm) -> tuple[bool, Sequence[Alarm]]:
        """Whether its rule holds, and the alarms that suffice for that."""
        found = {name: self._alarm(alarm.key.name_of(name)) for name in alarm.rule.children}
        there = {name: each for name, each in found.items() if each is not None}
        answer = evaluate(alarm.rule, {name: each.facts.state for name, each in there.items()})
        # A rule may name one alarm in two ways.
        because = {each.id: each for name, each in there.items() if name in answer.because}
        return answer.holds, list(because.values())

    def _suppressing(self, alarm: Alarm) -> bool:
        suppressor = alarm.suppressor
        by = None if suppressor is None else self._alarm(suppressor.alarm)
        return by is not None and by.facts.state is State.ALARM

    def _act(self, alarm: Alarm, before: StateFacts, after: StateFacts) -> None:
        targets = alarm.actions(after.state)
        self._outbox.add(self.db, [parcel_of(alarm, before, after, each) for each in targets])

    def _save(self, alarm: Alarm, after: StateFacts) -> bool:
        if not records.save_state(self.db, alarm, after):
            return False
        self._known[alarm.key.name] = replace(alarm, facts=after)
        if after.hold is not None and after.hold.until_s is not None:
            self.db.publish(HOLDS_TOPIC, alarm.key.name)
        return True

    def _alarm(self, name: str) -> Alarm | None:
        if name not in self._known:
            self._known[name] = records.find(self.db, self._where._replace(name=name))
        return self._known[name]

    def _parents(self, name: str, role: str) -> list[str]:
        return parents_of(self.db, self._where._replace(name=name), role)


def above(db: Connection, key: AlarmKey, *, limit: int | None = None) -> dict[str, list[str]]:
    """The alarm and all that may follow it, each with the composite alarms that look at it.

    With a ``limit`` of followers it stops once there are more.
    """
    found: dict[str, list[str]] = {}
    waiting = [key.name]
    while waiting and (limit is None or len(found) <= limit + 1):
        each = waiting.pop()
        if each not in found:
            found[each] = parents_of(db, key._replace(name=each), RULE)
            waiting += found[each]
    return found


def concerns_many(db: Connection, key: AlarmKey) -> bool:
    """Whether a change of an alarm concerns too many others for the unit of work that makes it."""
    concerned = above(db, key, limit=_FOLLOWING_MAX)
    number = len(concerned) - 1
    if number <= _FOLLOWING_MAX:
        number += sum(
            len(parents_of(db, key._replace(name=name), SUPPRESSOR)) for name in concerned
        )
    return number > _FOLLOWING_MAX


def looks_at(alarm: Alarm, followers: Collection[str]) -> bool:
    """Whether a composite alarm looks at one of these."""
    return any(name in followers for name in children_of(alarm))


def parents_of(db: Connection, key: AlarmKey, role: str) -> list[str]:
    """The names of the composite alarms that look at an alarm."""
    where = {"account": key.account, "region": key.region, "child": key.name, "role": role}
    return [row["name"] for row in db.all(Q.parents_of_alarm, where)]


def link(db: Connection, alarm: Alarm) -> None:
    """Note which alarms a composite alarm looks at, in place of what was noted before."""
    db.execute(Q.unlink_alarm, {"id": alarm.id})
    suppressor = alarm.suppressor
    _link(db, alarm, RULE, children_of(alarm))
    _link(db, alarm, SUPPRESSOR, [] if suppressor is None else [suppressor.alarm])


def children_of(alarm: Alarm) -> list[str]:
    """The names of the alarms in the rule of a composite alarm; none of another."""
    if alarm.kind != COMPOSITE:
        return []
    return list(dict.fromkeys(alarm.key.name_of(each) for each in alarm.rule.children))


def _link(db: Connection, alarm: Alarm, role: str, names: Iterable[str]) -> None:
    where = {"account": alarm.key.account, "region": alarm.key.region}
    db.execute_many(
        Q.link_alarm,
        [{"id": alarm.id, **where, "child": name, "role": role} for name in names],
    )
