"""Changes of alarms' states, and all that follows from one, in the same unit of work.

    state, history, event, actions ─▶ composite alarms that look at it, each after all those that it
    looks at itself ─▶ composite alarms whose actions it keeps back

So a composite alarm never lags behind, and a death leaves all of it or nothing. An alarm whose
actions are kept back is released by ``keeper`` when the time has come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.actions import parcel_of, state_event
from alonzo.services.cloudwatch.alarms.composite import reasons
from alonzo.services.cloudwatch.alarms.composite.graph import on_cycles, order_of
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
from alonzo.store.base import Connection
from alonzo.store.outbox import Outbox

#: The store's topic on which it is published that actions wait for a time.
HOLDS_TOPIC = "alarm holds"
#: Why a composite alarm looks at another: its rule names it, or it keeps its actions back.
RULE, SUPPRESSOR = "rule", "suppressor"

#: Alarms released by one unit of work.
_RELEASED_MAX = 50


def change_state(db: Connection, outbox: Outbox, alarm: Alarm, after: StateFacts) -> bool:
    """Change a state. False: the alarm is not as it was when ``alarm`` was read."""
    unit = _Unit(db, outbox, alarm.key, after.updated_at_s)
    now = records.find(db, alarm.key)
    if now is None or not now.is_as(alarm) or not unit.change(alarm, after):
        return False
    if after.state is not alarm.facts.state:
        unit.follow(alarm.key.name)
    return True


def settle_put(
    db: Connection,
    outbox: Outbox,
    key: AlarmKey,
    now_s: float,
    *,
    created: bool,
    was_on_cycle: bool,
) -> None:
    """A composite alarm was put: evaluate it, with all that follows.

    If it was on a cycle, alarms above it may have missed changes: all of them are evaluated.
    """
    _Unit(db, outbox, key, now_s).put(key.name, created=created, was_on_cycle=was_on_cycle)


def is_on_cycle(db: Connection, key: AlarmKey) -> bool:
    """Whether an alarm looks at itself, directly or through others."""
    return key.name in on_cycles(_above(db, key))


def release_due(db: Connection, outbox: Outbox, now_s: float) -> bool:
    """Let actions go whose time has come. Whether there may be more."""
    rows = db.all(Q.due_releases, {"now_s": now_s, "limit": _RELEASED_MAX})
    for alarm in map(alarm_from, rows):
        _Unit(db, outbox, alarm.key, now_s).hold(alarm, None)
    return len(rows) == _RELEASED_MAX


class _Unit:
    """One unit of work, in one account and region."""

    def __init__(self, db: Connection, outbox: Outbox, where: AlarmKey, now_s: float) -> None:
        self._db = db
        self._outbox = outbox
        self._where = where
        self._now_s = now_s
        #: Alarms as they are now, those with their rule read.
        self._known: dict[str, Alarm | None] = {}

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
            self._db,
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
        self._outbox.add(self._db, [state_event(alarm, before, after)])
        if hold is None:
            self._act(alarm, before, after)
        if (before.state is State.ALARM) is not (after.state is State.ALARM):
            for name in self._parents(alarm.key.name, SUPPRESSOR):
                self._suppress(name)
        return True

    def follow(self, name: str, *, everywhere: bool = False) -> None:
        """Evaluate the composite alarms that an alarm's change concerns, or all above it."""
        changed = [name]
        for each in order_of(_above(self._db, self._where._replace(name=name))):
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

    def put(self, name: str, *, created: bool, was_on_cycle: bool) -> None:
        """Evaluate an alarm that was put, and those that it concerns."""
        alarm = self._alarm(name)
        if alarm is None:
            return
        self._suppress(name)
        alarm = self._alarm(name)
        if alarm is None:
            return
        changed = False
        if not is_on_cycle(self._db, alarm.key):
            state = State.ALARM if self._holds(alarm)[0] else State.OK
            reason = reasons.after_put(alarm.key.arn, created=created, state=state)
            changed = self._evaluate(alarm, reason)
        if changed or was_on_cycle:
            self.follow(name, everywhere=was_on_cycle)

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
        self._outbox.add(self._db, [parcel_of(alarm, before, after, each) for each in targets])

    def _save(self, alarm: Alarm, after: StateFacts) -> bool:
        if not records.save_state(self._db, alarm, after):
            return False
        self._known[alarm.key.name] = replace(alarm, facts=after)
        if after.hold is not None and after.hold.until_s is not None:
            self._db.publish(HOLDS_TOPIC, alarm.key.name)
        return True

    def _alarm(self, name: str) -> Alarm | None:
        if name not in self._known:
            self._known[name] = records.find(self._db, self._where._replace(name=name))
        return self._known[name]

    def _parents(self, name: str, role: str) -> list[str]:
        return parents_of(self._db, self._where._replace(name=name), role)


def _above(db: Connection, key: AlarmKey) -> dict[str, list[str]]:
    """The alarm and all that may follow it, each with the composite alarms that look at it."""
    found: dict[str, list[str]] = {}
    waiting = [key.name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = parents_of(db, key._replace(name=each), RULE)
            waiting += found[each]
    return found


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
