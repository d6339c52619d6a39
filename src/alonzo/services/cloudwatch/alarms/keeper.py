"""The keeper: judges every alarm when a period of its has ended, and starts what follows.

    due alarms ─▶ fold ─▶ read values, fifty alarms at a time ─▶ verdicts that change a state ─▶
    state, history and actions in one commit ─▶ outbox

* What is due next is in memory. Between two looks nothing runs, and without alarms nothing at all.
* An alarm is judged at the end of each minute, or of each ten seconds if its period is shorter, and
  at once when it was put.
* Composite alarms follow in the same commit (``changing``); here only the actions are let go that
  a suppressor kept back for a time.
* A verdict on what has changed meanwhile is dropped: the commit asks for the revision and the state
  that it was made of. So no change of state is missed, nor told twice, whatever dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alonzo.lib import faults
from alonzo.lib.clock import Clock
from alonzo.model.errors import AwsError
from alonzo.services.cloudwatch.alarms import records
from alonzo.services.cloudwatch.alarms.changing import HOLDS_TOPIC, change_state, release_due
from alonzo.services.cloudwatch.alarms.evaluation import SPARE_PERIODS, decide
from alonzo.services.cloudwatch.alarms.reasons import Seen, data_of, reason_of
from alonzo.services.cloudwatch.alarms.records import (
    METRIC,
    Alarm,
    AlarmKey,
    Q,
    StateFacts,
    alarm_from,
)
from alonzo.services.cloudwatch.data_queries import (
    Answers,
    MetricQuery,
    Query,
    parse_queries,
)
from alonzo.services.cloudwatch.folding import Folder
from alonzo.services.cloudwatch.series import start_of
from alonzo.store.base import Connection, Store, StoreError
from alonzo.store.outbox import Outbox

log = logging.getLogger("alonzo.alarms")

#: How often alarms are judged whose periods are shorter than a minute, and the others, in seconds.
_SHORT_STEP_S, _STEP_S = 10, 60
#: After the end of a period, so that what ended with it is counted.
_LAG_S = 1.0
#: Alarms judged by one read.
_BATCH = 50
#: How often to look though nothing is due: the host's clock may have been set.
_LOOK_AGAIN_S = 60.0
#: After the store could not do it.
_AFTER_ERROR_S = 5.0
#: How long history is kept, and how often some of it is forgotten. Source: DescribeAlarmHistory.
_HISTORY_S = 30 * 86_400
_FORGET_EVERY_S = 3600.0
_FORGOTTEN_MAX = 1000

#: The hidden query for the number of samples behind each value.
_SAMPLES = "samples"


@dataclass(slots=True)
class _Plan:
    """How an alarm is judged, ready made."""

    alarm: Alarm
    queries: Mapping[str, Query]
    shown: str
    step_s: int
    due_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """A state that is to become another."""

    alarm: Alarm
    after: StateFacts

    def find(self, db: Connection) -> Alarm | None:
        """The alarm, unless it is not any more as it was judged."""
        now = records.find(db, self.alarm.key)
        if now is None or not now.is_as(self.alarm):
            return None
        return now if now.facts.state is self.alarm.facts.state else None


@dataclass(slots=True)
class _Plans:
    by_key: dict[AlarmKey, _Plan] = field(default_factory=dict[AlarmKey, _Plan])

    def due(self, now_s: float) -> list[_Plan]:
        # What is due later than a step from now was put off before the clock was set back.
        return [
            plan
            for plan in self.by_key.values()
            if plan.due_at_s <= now_s or plan.due_at_s > now_s + plan.step_s
        ]

    def next_due_at_s(self) -> float | None:
        return min((plan.due_at_s for plan in self.by_key.values()), default=None)


class AlarmKeeper:
    """Keeps all alarms."""

    def __init__(self, store: Store, folder: Folder, outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._folder = folder
        #: Where actions go.
        self.outbox = outbox
        self._clock = clock
        self._plans = _Plans()
        self._nudged = asyncio.Event()
        #: So that what was read later is taken later.
        self._reading = asyncio.Lock()
        self._forgets_at_s = 0.0

    async def open(self) -> None:
        """Find all alarms, before the first request."""
        rows = await self._store.read(lambda db: db.all(Q.all_alarms))
        for alarm in map(alarm_from, rows):
            if alarm.kind == METRIC:
                self._plans.by_key[alarm.key] = _plan_of(alarm)

    async def refresh(self, key: AlarmKey) -> None:
        """A metric alarm was put, changed or deleted: judge it anew, soon."""
        async with self._reading:
            alarm = await self._store.read(lambda db: records.find(db, key))
            if alarm is None or alarm.kind != METRIC:
                self._plans.by_key.pop(key, None)
            else:
                self._plans.by_key[key] = _plan_of(alarm)
        self._nudged.set()

    async def run(self) -> None:
        """Judge until cancelled."""
        unsubscribe = self._store.subscribe(HOLDS_TOPIC, lambda _: self._nudged.set())
        try:
            while True:
                await self._work()
        finally:
            unsubscribe()

    async def _work(self) -> None:
        """Do what is due, and wait for the next."""
        self._nudged.clear()
        next_at_s: float | None = self._clock.now_s() + _AFTER_ERROR_S
        try:
            await self.judge_due()
            await self._forget()
            release_at_s = await self.release_due()
            times_s = (self._plans.next_due_at_s(), release_at_s)
            next_at_s = min((each for each in times_s if each is not None), default=None)
        except StoreError:
            log.exception("alarms.not_judged")
        wait_s = _FORGET_EVERY_S
        if next_at_s is not None:
            wait_s = min(max(0.0, next_at_s - self._clock.now_s()), _LOOK_AGAIN_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._nudged.wait()

    async def release_due(self) -> float | None:
        """Let actions go that were kept back until now; answers when to come again.

        Raises:
            StoreError: some of them go when this is called again.
        """
        row = await self._store.read(lambda db: db.one(Q.next_release))
        now_s = self._clock.now_s()
        if row is None or row["at_s"] is None or row["at_s"] > now_s:
            return None if row is None else row["at_s"]
        await faults.reach("alarms.before_release")
        while await self._store.tx(lambda db: release_due(db, self.outbox, now_s)):
            pass
        await faults.reach("alarms.after_release")
        row = await self._store.read(lambda db: db.one(Q.next_release))
        return None if row is None else row["at_s"]

    async def judge_due(self) -> None:
        """Judge what is due now.

        Raises:
            StoreError: some of it is judged when it is due again.
        """
        now_s = self._clock.now_s()
        due = self._plans.due(now_s)
        if not due:
            return
        for plan in due:
            plan.due_at_s = start_of(now_s - _LAG_S, plan.step_s) + plan.step_s + _LAG_S
        await self._folder.fold()
        for at in range(0, len(due), _BATCH):
            some = due[at : at + _BATCH]
            changes = await self._store.read(lambda db, some=some: _judge(db, some, now_s))
            for change in changes:
                await faults.reach("alarms.before_change")
                await change_state(self._store, self.outbox, change.find, change.after)
                await faults.reach("alarms.after_change")

    async def set_state(self, key: AlarmKey, facts: StateFacts) -> bool:
        """Put an alarm into a state; False: there is no such alarm. The next look may undo it."""
        return await change_state(self._store, self.outbox, lambda db: records.find(db, key), facts)

    async def _forget(self) -> None:
        now_s = self._clock.now_s()
        if now_s < self._forgets_at_s:
            return
        self._forgets_at_s = now_s + _FORGET_EVERY_S
        values = {"before_s": now_s - _HISTORY_S, "limit": _FORGOTTEN_MAX}
        while await self._store.tx(lambda db: db.execute(Q.forget_history, values)):
            pass


def _plan_of(alarm: Alarm) -> _Plan:
    key = alarm.key
    queries = parse_queries(key.account, key.region, alarm.metrics)
    shown = next(query.id for query in queries.values() if query.shown)
    main = queries[shown]
    if isinstance(main, MetricQuery):
        samples = MetricQuery(
            _SAMPLES, "", False, main.metric, "SampleCount", main.period_s, main.unit
        )
        queries = {**queries, _SAMPLES: samples}
    step_s = _STEP_S if alarm.period_s >= _STEP_S else _SHORT_STEP_S
    return _Plan(alarm, queries, shown, step_s)


def _judge(db: Connection, plans: Iterable[_Plan], now_s: float) -> list[Change]:
    found: list[Change] = []
    for plan in plans:
        alarm = records.find(db, plan.alarm.key)
        if alarm is None or not alarm.is_as(plan.alarm):
            continue
        change = _judge_one(db, plan, alarm, now_s)
        if change is not None:
            found.append(change)
    return found


def _judge_one(db: Connection, plan: _Plan, alarm: Alarm, now_s: float) -> Change | None:
    criteria, period_s = alarm.criteria, alarm.period_s
    end_s = start_of(now_s, plan.step_s)
    looked_at = criteria.periods + SPARE_PERIODS
    start_s = end_s - looked_at * period_s
    starts_s = range(start_s, end_s, period_s)
    answers = Answers(db, plan.queries, start_s=start_s, end_s=end_s, now_s=now_s)
    values = _values(answers, plan.shown, starts_s)
    verdict = decide(criteria, values, alarm.facts.state)
    if verdict.state is alarm.facts.state:
        return None
    samples: Sequence[float | None] = [None] * len(values)
    if _SAMPLES in plan.queries:
        samples = _values(answers, _SAMPLES, starts_s)
    main = plan.queries[plan.shown]
    seen = Seen(
        now_s,
        main.statistic if isinstance(main, MetricQuery) else None,
        main.unit if isinstance(main, MetricQuery) else None,
        period_s,
        starts_s,
        values,
        samples,
    )
    counted = bool(alarm.members.get("DatapointsToAlarm"))
    reason = reason_of(criteria, verdict, seen, alarm.facts.state, counted=counted)
    facts = StateFacts(verdict.state, reason, data_of(criteria, verdict, seen), now_s)
    return Change(alarm, facts)


def _values(answers: Answers, query_id: str, starts_s: range) -> list[float | None]:
    """The values by period; none, where an expression cannot be worked out."""
    try:
        series = answers.series(query_id)
    except AwsError as error:
        log.info("alarms.no_values", extra={"reason": error.message[:200]})
        return [None] * len(starts_s)
    values = series[0].values if len(series) == 1 else {}
    return [values.get(at) for at in starts_s]
