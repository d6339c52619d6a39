"""Alarms and their history in the store. Runs inside units of work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from alonzo.services.cloudwatch.alarms.composite.rule import Rule, parse_rule
from alonzo.services.cloudwatch.alarms.composite.suppression import Hold, Suppressor, hold_from
from alonzo.services.cloudwatch.alarms.evaluation import Criteria, Missing, State
from alonzo.services.cloudwatch.alarms.reasons import INITIAL
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.cloudwatch.alarms")

#: Kinds of alarms, as the API calls them.
METRIC, COMPOSITE = "MetricAlarm", "CompositeAlarm"

#: Characters of a history item's summary and data. Source: AlarmHistoryItem.
_SUMMARY_MAX, _DATA_MAX = 255, 4095


class AlarmKey(NamedTuple):
    """One alarm, in one account and region."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.name}"

    def name_of(self, reference: str) -> str:
        """The name that a name or an ARN means; an ARN of elsewhere means no alarm of here."""
        if not reference.startswith("arn:"):
            return reference
        return reference.removeprefix(self._replace(name="").arn)


@dataclass(frozen=True, slots=True)
class StateFacts:
    """How an alarm came to be in its state. Times are epoch seconds.

    ``changed_at_s`` None: the state became another when it was last updated. ``hold`` says why
    actions are kept back.
    """

    state: State
    reason: str
    data: str | None
    updated_at_s: float
    changed_at_s: float | None = None
    hold: Hold | None = None

    @property
    def since_s(self) -> float:
        """Since when the alarm is in this state."""
        return self.updated_at_s if self.changed_at_s is None else self.changed_at_s

    @classmethod
    def initial(cls, now_s: float) -> StateFacts:
        """Those of a new alarm."""
        return cls(State.INSUFFICIENT_DATA, INITIAL, None, now_s)

    def encode(self) -> str:
        """As the store has them."""
        return json.dumps(
            {
                "reason": self.reason,
                "data": self.data,
                "updated_at_s": self.updated_at_s,
                "changed_at_s": self.since_s,
            }
        )


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as stored.

    ``members`` are those of PutMetricAlarm or PutCompositeAlarm that say what it watches and does;
    ``tags`` its tags.
    """

    id: int
    key: AlarmKey
    kind: str
    revision: int
    members: Mapping[str, Any]
    tags: Mapping[str, str]
    updated_at_s: float
    facts: StateFacts

    def is_as(self, known: Alarm) -> bool:
        """Whether it is as it was put when ``known`` was read.

        After a deletion another alarm may have its id, and a new one its name and its revision.
        """
        return (self.id, self.key, self.revision, self.updated_at_s) == (
            known.id,
            known.key,
            known.revision,
            known.updated_at_s,
        )

    @property
    def rule(self) -> Rule:
        """What a composite alarm makes of others."""
        return parse_rule(self.members["AlarmRule"])

    @property
    def suppressor(self) -> Suppressor | None:
        """What keeps a composite alarm's actions back."""
        given = self.members
        if self.kind != COMPOSITE or not given.get("ActionsSuppressor"):
            return None
        return Suppressor(
            self.key.name_of(given["ActionsSuppressor"]),
            given["ActionsSuppressorWaitPeriod"],
            given["ActionsSuppressorExtensionPeriod"],
        )

    @property
    def criteria(self) -> Criteria:
        """When it goes off."""
        given = self.members
        return Criteria(
            given["EvaluationPeriods"],
            given.get("DatapointsToAlarm") or given["EvaluationPeriods"],
            given["Threshold"],
            given["ComparisonOperator"],
            Missing(given.get("TreatMissingData") or Missing.MISSING),
        )

    @property
    def statistic(self) -> str | None:
        """The statistic of its metric; None if it watches an expression."""
        return self.members.get("Statistic") or self.members.get("ExtendedStatistic")

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """What it watches, as the queries of a GetMetricData request."""
        given = self.members
        if given.get("Metrics"):
            return given["Metrics"]
        metric: dict[str, Any] = {
            "Namespace": given["Namespace"],
            "MetricName": given["MetricName"],
            "Dimensions": given.get("Dimensions") or [],
        }
        stat: dict[str, Any] = {"Metric": metric, "Period": given["Period"], "Stat": self.statistic}
        if given.get("Unit"):
            stat["Unit"] = given["Unit"]
        return [{"Id": "m1", "MetricStat": stat, "ReturnData": True}]

    @property
    def period_s(self) -> int:
        """The length of its periods; the shortest, of an expression's."""
        return min(
            (each["MetricStat"]["Period"] for each in self.metrics if each.get("MetricStat")),
            default=60,
        )

    def actions(self, state: State) -> list[str]:
        """What is to happen when it comes into a state."""
        if self.members.get("ActionsEnabled") is False:
            return []
        return self.members.get(ACTIONS[state]) or []


#: The member that lists the actions of a state.
ACTIONS = {
    State.OK: "OKActions",
    State.ALARM: "AlarmActions",
    State.INSUFFICIENT_DATA: "InsufficientDataActions",
}


def alarm_from(row: Row) -> Alarm:
    """An alarm from its row."""
    document, facts = json.loads(row["document"]), json.loads(row["state_document"])
    return Alarm(
        row["id"],
        AlarmKey(row["account"], row["region"], row["name"]),
        row["kind"],
        row["revision"],
        document["members"],
        document["tags"],
        document["updated_at_s"],
        StateFacts(
            State(row["state"]),
            facts["reason"],
            facts["data"],
            facts["updated_at_s"],
            facts.get("changed_at_s"),
            None if row["hold"] is None else hold_from(json.loads(row["hold"])),
        ),
    )


def find(db: Connection, key: AlarmKey) -> Alarm | None:
    """The alarm of that name, or None."""
    row = db.one(Q.find_alarm, key._asdict())
    return None if row is None else alarm_from(row)


def document_of(members: Mapping[str, Any], tags: Mapping[str, str], updated_at_s: float) -> str:
    """What is stored of an alarm beside its state."""
    return json.dumps({"members": members, "tags": tags, "updated_at_s": updated_at_s})


def save_state(db: Connection, alarm: Alarm, after: StateFacts) -> bool:
    """Write a state. False: the alarm is not as it was when ``alarm`` was read."""
    hold = after.hold
    values = {
        "id": alarm.id,
        "revision": alarm.revision,
        "before": alarm.facts.state,
        "state": after.state,
        "state_document": after.encode(),
        "hold": None if hold is None else json.dumps(hold.encode()),
        "release_at_s": None if hold is None else hold.until_s,
    }
    return db.execute(Q.change_state, values) > 0


def note(
    db: Connection,
    key: AlarmKey,
    alarm_type: str,
    at_s: float,
    *,
    kind: str,
    summary: str,
    data: Mapping[str, Any],
) -> None:
    """Add to the history."""
    text = json.dumps({"type": kind, "version": "1.0", **data}, separators=(",", ":"))
    if len(text) > _DATA_MAX:
        text = json.dumps({"type": kind, "version": "1.0"}, separators=(",", ":"))
    values = {
        "alarm_type": alarm_type,
        "at_s": at_s,
        "kind": kind,
        "summary": summary[:_SUMMARY_MAX],
        "data": text,
    }
    db.execute(Q.add_history, {**key._asdict(), **values})


def state_document(facts: StateFacts) -> dict[str, Any]:
    """A state as the history shows it."""
    shown: dict[str, Any] = {"stateValue": facts.state, "stateReason": facts.reason}
    if facts.data is not None:
        shown["stateReasonData"] = json.loads(facts.data)
    if facts.hold is not None:
        shown["actionsSuppressedBy"] = facts.hold.by
    return shown
