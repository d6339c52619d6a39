"""Alarms and their history in the store. Runs inside units of work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from alonzo.services.cloudwatch.alarms.evaluation import Criteria, Missing, State
from alonzo.services.cloudwatch.alarms.reasons import INITIAL, moment
from alonzo.store.base import Connection, Row
from alonzo.store.queries import load

Q = load("alonzo.services.cloudwatch.alarms")

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


@dataclass(frozen=True, slots=True)
class StateFacts:
    """How an alarm came to be in its state. Times are epoch seconds."""

    state: State
    reason: str
    data: str | None
    updated_at_s: float

    @classmethod
    def initial(cls, now_s: float) -> StateFacts:
        """Those of a new alarm."""
        return cls(State.INSUFFICIENT_DATA, INITIAL, None, now_s)

    def encode(self) -> str:
        """As the store has them."""
        return json.dumps(
            {"reason": self.reason, "data": self.data, "updated_at_s": self.updated_at_s}
        )


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as stored.

    ``members`` are those of PutMetricAlarm that say what it watches and does; ``tags`` its tags.
    """

    id: int
    key: AlarmKey
    revision: int
    members: Mapping[str, Any]
    tags: Mapping[str, str]
    updated_at_s: float
    facts: StateFacts

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
        row["revision"],
        document["members"],
        document["tags"],
        document["updated_at_s"],
        StateFacts(State(row["state"]), facts["reason"], facts["data"], facts["updated_at_s"]),
    )


def find(db: Connection, key: AlarmKey) -> Alarm | None:
    """The alarm of that name, or None."""
    row = db.one(Q.find_alarm, key._asdict())
    return None if row is None else alarm_from(row)


def document_of(members: Mapping[str, Any], tags: Mapping[str, str], updated_at_s: float) -> str:
    """What is stored of an alarm beside its state."""
    return json.dumps({"members": members, "tags": tags, "updated_at_s": updated_at_s})


def note(
    db: Connection, key: AlarmKey, at_s: float, kind: str, summary: str, data: Mapping[str, Any]
) -> None:
    """Add to the history."""
    text = json.dumps({"type": kind, "version": "1.0", **data}, separators=(",", ":"))
    if len(text) > _DATA_MAX:
        text = json.dumps({"type": kind, "version": "1.0"}, separators=(",", ":"))
    values = {"at_s": at_s, "kind": kind, "summary": summary[:_SUMMARY_MAX], "data": text}
    db.execute(Q.add_history, {**key._asdict(), **values})


def state_document(facts: StateFacts) -> dict[str, Any]:
    """A state as the history shows it."""
    shown: dict[str, Any] = {"stateValue": facts.state, "stateReason": facts.reason}
    if facts.data is not None:
        shown["stateReasonData"] = json.loads(facts.data)
    return shown


def state_of_event(facts: StateFacts) -> dict[str, Any]:
    """A state as events show it."""
    shown = {"value": facts.state, "reason": facts.reason, "timestamp": moment(facts.updated_at_s)}
    if facts.data is not None:
        shown["reasonData"] = facts.data
    return shown
